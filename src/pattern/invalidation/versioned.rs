//! A value is replaced only by a newer one: compare and set on the server.

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use redis::{RedisResult, Script, aio::ConnectionLike};

use crate::pattern::{fetched::milliseconds, store::Versioned};

/// Versions are compared as numbers of any size: by length, then by digit. As text "10" would be older than "9"; as
/// Lua numbers two versions above 2^53 (a clock in nanoseconds) could be equal.
static SET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local function newer(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end
local held = redis.call('HGET', KEYS[1], 'version')
if held and not newer(ARGV[1], held) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'version', ARGV[3])
if ARGV[4] then redis.call('HSET', KEYS[1], 'value', ARGV[4]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
",
    )
});

/// Values with versions, a hash each.
///
/// Guarantees: [`VersionedCache::set_if_newer`] never replaces a value by one that is as old or older, in whatever
/// order readers and writers come; after [`VersionedCache::forget`] of a version nothing older comes back while the
/// TTL runs; every key has an expiry from its first moment.
/// Does **not** guarantee: anything without a store that gives every write a higher version (a row version, a
/// commit number; not a clock).
#[derive(Debug, Clone)]
pub struct VersionedCache<C> {
    connection: C,
    ttl: Duration,
}

impl<C: ConnectionLike + Clone + Send + Sync> VersionedCache<C> {
    /// Values live for `ttl`.
    pub fn new(connection: C, ttl: Duration) -> Self {
        Self { connection, ttl }
    }

    /// The value.
    pub async fn get(&self, key: &str) -> RedisResult<Option<Versioned>> {
        let mut command = redis::cmd("HMGET");
        command.arg(key).arg("version").arg("value");
        let found: (Option<u64>, Option<Vec<u8>>) = command.query_async(&mut self.connection.clone()).await?;
        Ok(match found {
            (Some(version), Some(value)) => Some(Versioned { version, value: Bytes::from(value) }),
            _ => None,
        })
    }

    /// Stores the value if there is none, or an older one. Says whether it did.
    pub async fn set_if_newer(&self, key: &str, versioned: &Versioned) -> RedisResult<bool> {
        let mut call = SET.key(key);
        call.arg(versioned.version).arg(milliseconds(self.ttl)).arg(versioned.version).arg(versioned.value.as_ref());
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Takes an older value back and remembers that nothing older than `version` may be stored: for a writer who knows
    /// the new version but not the value. (That version itself may be stored.)
    pub async fn forget(&self, key: &str, version: u64) -> RedisResult<bool> {
        let mut call = SET.key(key);
        // A version without a value, just below the one that may come.
        call.arg(version).arg(milliseconds(self.ttl)).arg(version.saturating_sub(1));
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Stores the value whatever is there: for comparison.
    pub async fn set(&self, key: &str, versioned: &Versioned) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        pipe.cmd("HSET").arg(key).arg("version").arg(versioned.version);
        pipe.arg("value").arg(versioned.value.as_ref()).ignore();
        pipe.cmd("PEXPIRE").arg(key).arg(milliseconds(self.ttl)).ignore();
        pipe.query_async(&mut self.connection.clone()).await
    }

    /// Deletes the copy, and with it the memory of its version.
    pub async fn delete(&self, key: &str) -> RedisResult<()> {
        redis::cmd("UNLINK").arg(key).query_async(&mut self.connection.clone()).await
    }
}
