//! Leases: who misses gets a token, and only a token that no delete has voided may store.

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use redis::{RedisResult, Script, aio::ConnectionLike};

use crate::pattern::fetched::milliseconds;

/// KEYS: value, token, last value.
static READ: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local value = redis.call('GET', KEYS[1])
if value then return {0, value} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {1, ''} end
local last = redis.call('GET', KEYS[3])
if last then return {2, last} end
return {3, ''}
",
    )
});

/// A used token stays in place until its time is over: no second one is given before.
static FILL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SET', KEYS[2], 'used', 'XX', 'KEEPTTL')
redis.call('DEL', KEYS[3])
return 1
",
    )
});

/// The value becomes the last value, for those who rather have an old one than wait.
static DELETE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local value = redis.call('GETDEL', KEYS[1])
if value then redis.call('SET', KEYS[3], value, 'PX', ARGV[1]) end
redis.call('SET', KEYS[2], 'void', 'XX', 'KEEPTTL')
return value and 1 or 0
",
    )
});

/// Nishtala et al., *Scaling Memcache at Facebook* (NSDI 2013, §3.2.1).
///
/// Guarantees: a value loaded before a delete is never stored after it; at most one load per key and interval,
/// however often the key is deleted and asked for (what took a hot key set's peak load there from 17,000 to 1,300
/// queries a second).
/// Does **not** guarantee: that there is a value soon: for the rest of the interval after a delete readers get the
/// last value, or must wait. A token expires with its interval; a load that takes longer is not stored.
#[derive(Debug, Clone)]
pub struct Leases<C> {
    connection: C,
    ttl: Duration,
    interval: Duration,
}

/// The right to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseToken(String);

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The value.
    Hit(Bytes),
    /// Nothing, and it is this caller's turn to load.
    Load(LeaseToken),
    /// Nothing, another is loading or has lately loaded: here is the last value that was deleted.
    Last(Bytes),
    /// As before, and no last value: ask again shortly.
    Wait,
}

impl<C: ConnectionLike + Clone + Send + Sync> Leases<C> {
    /// Values live for `ttl`; one token per key and `interval` (10 s in the paper). In a cluster keys need a hash tag.
    pub fn new(connection: C, ttl: Duration, interval: Duration) -> Self {
        Self { connection, ttl, interval }
    }

    /// Looks up `key`.
    pub async fn read(&self, key: &str) -> RedisResult<Read> {
        let token = format!("{:032x}", rand::random::<u128>());
        let mut call = READ.prepare_invoke();
        call.key(names(key).as_slice()).arg(&token).arg(milliseconds(self.interval));
        let (found, value): (u8, Vec<u8>) = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(match found {
            0 => Read::Hit(value.into()),
            1 => Read::Load(LeaseToken(token)),
            2 => Read::Last(value.into()),
            _ => Read::Wait,
        })
    }

    /// Stores what was loaded, if nothing was deleted since the token was given. Says whether it did.
    pub async fn fill(&self, key: &str, token: &LeaseToken, value: &[u8]) -> RedisResult<bool> {
        let mut call = FILL.prepare_invoke();
        call.key(names(key).as_slice()).arg(&token.0).arg(value).arg(milliseconds(self.ttl));
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Deletes the copy and voids the token. After the write to the store.
    pub async fn delete(&self, key: &str) -> RedisResult<bool> {
        let mut call = DELETE.prepare_invoke();
        call.key(names(key).as_slice()).arg(milliseconds(self.interval));
        call.invoke_async(&mut self.connection.clone()).await
    }
}

fn names(key: &str) -> [String; 3] {
    [key.to_owned(), format!("{key}:token"), format!("{key}:last")]
}
