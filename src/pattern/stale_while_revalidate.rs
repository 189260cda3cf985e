//! Soft and hard TTL: past the soft one the old value is answered at once while somebody fetches a new one.
//!
//! Source: RFC 5861 (`stale-while-revalidate`, `stale-if-error`); soft and hard TTL as in the AWS Builders' Library,
//! *Caching challenges and strategies*.
//!
//! Guarantees: while there is a value nobody waits for the origin; one refresh per key at a time in the fleet, at
//! most one per `retry` when the origin fails or dies over it; no value older than the hard TTL; a failed refresh
//! keeps the old value.
//! Does **not** guarantee: freshness (the first caller after a quiet time gets what may be as old as the hard TTL).
//! Nor one load for a key that is not there at all: compose with [`FleetFlight`](super::FleetFlight) for that.

use std::{
    future::Future,
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use redis::{RedisResult, Script, aio::ConnectionLike};

use super::fetched::{Fetched, Source, milliseconds};

/// The claim, if the value is still the stale one that the caller has seen: between its look and its claim another
/// refresh may have ended, and there would be two in a row.
static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('GETRANGE', KEYS[1], 0, 7) ~= ARGV[1] then return 0 end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then return 1 end
return 0
",
    )
});

static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0")
});

/// How a [`StaleWhileRevalidate`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How long a value is fresh.
    pub soft: Duration,
    /// How long it may be answered at all.
    pub hard: Duration,
    /// How long a refresh may take before another is tried; also the least time between two failed ones.
    pub retry: Duration,
}

/// A cache that answers stale values while it refreshes them.
#[derive(Debug, Clone)]
pub struct StaleWhileRevalidate<C> {
    connection: C,
    config: Config,
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> StaleWhileRevalidate<C> {
    /// Over this connection, whose timeouts bound every wait for Redis. Who refreshes a key is noted at
    /// `key:refresh`.
    pub fn new(connection: C, config: Config) -> Self {
        Self { connection, config }
    }

    /// The value, fresh or stale. With a stale one, `load` may go on in a task of its own after this returns.
    ///
    /// # Errors
    /// The load's, if there was no value at all.
    pub async fn get<F, E>(&self, key: &str, load: impl FnOnce() -> F) -> Result<Fetched, E>
    where
        F: Future<Output = Result<Vec<u8>, E>> + Send + 'static,
        E: Send + 'static,
    {
        let mut connection = self.connection.clone();
        let found: RedisResult<Option<Vec<u8>>> = redis::cmd("GET").arg(key).query_async(&mut connection).await;
        let Ok(found) = found else {
            return Ok(Fetched::new(load().await?, Source::Fallback));
        };
        let Some((stamp, value)) = found.as_deref().and_then(|found| found.split_first_chunk::<8>()) else {
            let value = load().await?;
            // Not stored: the next caller loads.
            let _ = store(&mut connection, self.config, key, &value).await;
            return Ok(Fetched::new(value, Source::Loaded));
        };
        if clock() < Duration::from_micros(u64::from_le_bytes(*stamp)) {
            return Ok(Fetched::new(value.to_vec(), Source::Hit));
        }
        let value = value.to_vec();
        // Redis away just now: the stale value will do, and the next caller tries again.
        if let Ok(Some(token)) = self.claim(key, stamp).await {
            tokio::spawn(refresh(connection, self.config, key.to_owned(), token, load()));
        }
        Ok(Fetched::new(value, Source::Stale))
    }

    /// The right to refresh, for one caller in the fleet. It is not given back after a failure: that keeps a failing
    /// origin from being asked by every request.
    async fn claim(&self, key: &str, stamp: &[u8; 8]) -> RedisResult<Option<String>> {
        let token = format!("{:032x}", rand::random::<u128>());
        let mut call = CLAIM.key(key);
        call.key(claim_key(key)).arg(&stamp[..]).arg(&token).arg(milliseconds(self.config.retry));
        let claimed: bool = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(claimed.then_some(token))
    }
}

async fn refresh<C: ConnectionLike + Send, E>(
    mut connection: C,
    config: Config,
    key: String,
    token: String,
    load: impl Future<Output = Result<Vec<u8>, E>>,
) {
    // Slower than that: another's turn, and this result may be the older one.
    let Ok(Ok(value)) = tokio::time::timeout(config.retry, load).await else { return };
    if store(&mut connection, config, &key, &value).await.is_ok() {
        // Not released: it ends by itself.
        let _ = RELEASE.key(claim_key(&key)).arg(token).invoke_async::<u8>(&mut connection).await;
    }
}

/// A stored value is eight bytes and the value: until when it is fresh, in µs since the Unix epoch by the clock of
/// who stored it.
async fn store<C: ConnectionLike + Send>(
    connection: &mut C,
    config: Config,
    key: &str,
    value: &[u8],
) -> RedisResult<()> {
    let mut bytes = u64::try_from((clock() + config.soft).as_micros()).unwrap_or(u64::MAX).to_le_bytes().to_vec();
    bytes.extend_from_slice(value);
    redis::cmd("SET").arg(key).arg(bytes).arg("PX").arg(milliseconds(config.hard)).query_async(connection).await
}

fn claim_key(key: &str) -> String {
    format!("{key}:refresh")
}

fn clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
