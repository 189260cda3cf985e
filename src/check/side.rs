//! The judge's own connection to the server, past every proxy: looks at keys between two steps, lets
//! time pass for a key, asks which keys a command touches.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use redis::{RedisResult, Value, aio::MultiplexedConnection};

/// One key at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// Its content, as DUMP gives it; without its expiry.
    pub content: Vec<u8>,
    /// Milliseconds left; `None`: it never expires.
    pub ttl: Option<i64>,
}

/// All keys at one moment.
pub type Keys = BTreeMap<Vec<u8>, KeyState>;

/// How a command touches a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// The key.
    pub key: Vec<u8>,
    /// It may change it.
    pub writes: bool,
}

/// The judge's connection.
#[derive(Clone)]
pub struct Side {
    connection: MultiplexedConnection,
}

impl Side {
    /// Connects.
    pub async fn connect(client: &redis::Client) -> RedisResult<Self> {
        Ok(Self { connection: client.get_multiplexed_async_connection().await? })
    }

    /// All keys with content and expiry.
    pub async fn keys(&self) -> RedisResult<Keys> {
        let mut connection = self.connection.clone();
        let names: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await?;
        if names.is_empty() {
            return Ok(Keys::new());
        }
        let mut pipe = redis::pipe();
        for name in &names {
            pipe.cmd("DUMP").arg(name).cmd("PTTL").arg(name);
        }
        let answers: Vec<Value> = pipe.query_async(&mut connection).await?;
        let mut keys = Keys::new();
        for (name, pair) in names.into_iter().zip(answers.chunks_exact(2)) {
            if let (Value::BulkString(content), Value::Int(ttl)) = (&pair[0], &pair[1]) {
                keys.insert(name, KeyState { content: content.clone(), ttl: (*ttl >= 0).then_some(*ttl) });
            }
        }
        Ok(keys)
    }

    /// The TTL of these keys elapses now. Gives those that are gone for it.
    pub async fn expire(&self, names: &[Vec<u8>]) -> RedisResult<Vec<Vec<u8>>> {
        let mut connection = self.connection.clone();
        let mut gone = Vec::new();
        for name in names {
            // Not DEL: the server must say `expired`, not `del`, to whoever listens.
            let set: i64 = redis::cmd("PEXPIRE").arg(name).arg(1).query_async(&mut connection).await?;
            if set == 0 {
                continue;
            }
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let exists: i64 = redis::cmd("EXISTS").arg(name).query_async(&mut connection).await?;
                if exists == 0 {
                    gone.push(name.clone());
                    break;
                }
            }
        }
        Ok(gone)
    }

    /// Removes a key.
    pub async fn delete(&self, name: &[u8]) -> RedisResult<()> {
        redis::cmd("DEL").arg(name).query_async(&mut self.connection.clone()).await
    }

    /// True when the key is a hash and each of its fields has an expiry of its own (Redis ≥ 7.4, Valkey ≥ 9).
    pub async fn fields_expire(&self, name: &[u8]) -> bool {
        let mut connection = self.connection.clone();
        let Ok(fields) = redis::cmd("HKEYS").arg(name).query_async::<Vec<Vec<u8>>>(&mut connection).await else {
            return false;
        };
        let ask = redis::cmd("HPTTL").arg(name).arg("FIELDS").arg(fields.len()).arg(&fields).to_owned();
        let ttls: RedisResult<Vec<i64>> = ask.query_async(&mut connection).await;
        ttls.is_ok_and(|ttls| !ttls.is_empty() && ttls.iter().all(|ttl| *ttl >= 0))
    }

    /// The keys a command touches, as the server itself sees it; `None`: any key (a script without declared keys).
    pub async fn touches(&self, argv: &[Bytes]) -> Option<Vec<Touch>> {
        let mut ask = redis::cmd("COMMAND");
        ask.arg("GETKEYSANDFLAGS");
        for argument in argv {
            ask.arg(&argument[..]);
        }
        let answer: RedisResult<Vec<(Vec<u8>, Vec<String>)>> = ask.query_async(&mut self.connection.clone()).await;
        let touch =
            |(key, flags): (Vec<u8>, Vec<String>)| Touch { key, writes: !flags.iter().any(|flag| flag == "RO") };
        answer.ok().map(|keys| keys.into_iter().map(touch).collect())
    }
}
