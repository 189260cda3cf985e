//! Sessions shared by all copies of a service: a hash each, two expiries, an id that changes at login.
//!
//! Source: OWASP's *Session Management Cheat Sheet* for the rules (random ids, rotation, idle and absolute limits).
//!
//! Guarantees: an id has 256 random bits, and Redis holds only its SHA-256, so that a look into Redis opens no
//! session; every session has an expiry from its first moment; it ends `idle` after its last use and `absolute`
//! after its login, whichever comes first; what has ended never comes back through a late write; two requests
//! that change different fields both count; a rotated or ended id is worthless at once, everywhere.
//! Does **not** guarantee: that Redis keeps it. Evicted, flushed or lost in a failover, it is a forced logout: give
//! sessions a server with `noeviction` and persistence.

use std::{collections::HashMap, fmt, sync::LazyLock, time::Duration};

use redis::{RedisResult, Script, aio::ConnectionLike};
use sha2::{Digest, Sha256};

/// Prepares every other script: how long a session may still live, by the server's clock. `:until` can't be a
/// field of the caller's, whose names get a prefix.
const PRELUDE: &str = r"
local key, idle = KEYS[1], tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function keep(target, limit) redis.call('PEXPIRE', target, string.format('%.0f', math.min(idle, limit - now))) end
local limit = tonumber(redis.call('HGET', key, ':until'))
if limit and limit <= now then redis.call('DEL', key) limit = nil end
";

static CREATE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local born = now + tonumber(ARGV[2])
redis.call('HSET', key, ':until', string.format('%.0f', born), unpack(ARGV, 3))
keep(key, born)
return 1
",
    )
});

static TOUCH: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if not limit then return false end
keep(key, limit)
return redis.call('HGETALL', key)
",
    )
});

/// `HSET` alone would make a session anew that has just ended, without expiry and without login.
static SET: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if not limit then return 0 end
redis.call('HSET', key, ARGV[2], ARGV[3])
keep(key, limit)
return 1
",
    )
});

/// As [`SET`], for a number: read and write are one step.
static ADD: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if not limit then return false end
keep(key, limit)
return redis.call('HINCRBY', key, ARGV[2], ARGV[3])
",
    )
});

/// The new id takes over contents and end; the old one is gone in the same step.
static ROTATE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if not limit then return 0 end
redis.call('RENAME', key, KEYS[2])
keep(KEYS[2], limit)
return 1
",
    )
});

fn script(body: &str) -> Script {
    Script::new(&format!("{PRELUDE}{body}"))
}

/// What the cookie carries (`HttpOnly; Secure; SameSite=Lax`), and nothing else.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    fn random() -> Self {
        Self(format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()))
    }

    /// From a cookie; `None` when it can't be an id of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let plausible = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        plausible.then(|| Self(text.to_owned()))
    }

    /// For the cookie. Whoever has it is logged in: keep it out of logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(***)")
    }
}

/// Sessions in Redis.
#[derive(Debug, Clone)]
pub struct Sessions<C> {
    connection: C,
    prefix: String,
    idle: Duration,
    absolute: Duration,
}

impl<C: ConnectionLike + Clone + Send + Sync> Sessions<C> {
    /// Sessions under `prefix` that end `idle` after their last use and at the latest `absolute` after their start.
    /// In a cluster the prefix needs a hash tag (`{session}:`), for rotation touches two keys.
    pub fn new(connection: C, prefix: impl Into<String>, idle: Duration, absolute: Duration) -> Self {
        Self { connection, prefix: prefix.into(), idle, absolute }
    }

    /// A new session with these fields.
    pub async fn create(&self, fields: &[(&str, &str)]) -> RedisResult<SessionId> {
        let id = SessionId::random();
        let mut call = CREATE.key(self.key(&id));
        call.arg(milliseconds(self.idle)).arg(milliseconds(self.absolute));
        for (name, value) in fields {
            call.arg(field(name)).arg(*value);
        }
        call.invoke_async::<()>(&mut self.connection.clone()).await?;
        Ok(id)
    }

    /// The fields, and the idle time begins anew; `None`: there is no such session (any more).
    pub async fn touch(&self, id: &SessionId) -> RedisResult<Option<HashMap<String, String>>> {
        let mut call = TOUCH.key(self.key(id));
        let fields: Option<HashMap<String, String>> =
            call.arg(milliseconds(self.idle)).invoke_async(&mut self.connection.clone()).await?;
        let own = |(name, value): (String, String)| Some((name.strip_prefix('.')?.to_owned(), value));
        Ok(fields.map(|fields| fields.into_iter().filter_map(own).collect()))
    }

    /// Sets one field and leaves the others alone. `false`: the session has ended.
    pub async fn set(&self, id: &SessionId, name: &str, value: &str) -> RedisResult<bool> {
        let mut call = SET.key(self.key(id));
        call.arg(milliseconds(self.idle)).arg(field(name)).arg(value);
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Adds to a number and says what it is then. `None`: the session has ended.
    pub async fn add(&self, id: &SessionId, name: &str, amount: i64) -> RedisResult<Option<i64>> {
        let mut call = ADD.key(self.key(id));
        call.arg(milliseconds(self.idle)).arg(field(name)).arg(amount);
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// A new id for the same session: at login and at every change of rights, against session fixation. The absolute
    /// end stays. `None`: the session has ended.
    pub async fn rotate(&self, id: &SessionId) -> RedisResult<Option<SessionId>> {
        let new = SessionId::random();
        let mut call = ROTATE.key(self.key(id));
        call.key(self.key(&new)).arg(milliseconds(self.idle));
        let rotated: bool = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(rotated.then_some(new))
    }

    /// Logout. Says whether there was a session.
    pub async fn end(&self, id: &SessionId) -> RedisResult<bool> {
        redis::cmd("DEL").arg(self.key(id)).query_async(&mut self.connection.clone()).await
    }

    /// Where a session is kept; the id can't be told from it.
    pub fn key(&self, id: &SessionId) -> String {
        let digest = Sha256::digest(id.0.as_bytes());
        digest.iter().fold(self.prefix.clone(), |key, byte| key + &format!("{byte:02x}"))
    }
}

fn field(name: &str) -> String {
    format!(".{name}")
}

fn milliseconds(duration: Duration) -> u64 {
    // PEXPIRE 0 would delete the session.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 52)
}
