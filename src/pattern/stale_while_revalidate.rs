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
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use redis::{RedisResult, aio::ConnectionLike};

use super::fetched::{Fetched, Source, milliseconds};

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
        let Some((fresh_until, value)) = found.as_deref().and_then(decode) else {
            let value = load().await?;
            // Not stored: the next caller loads.
            let _ = store(&mut connection, self.config, key, &value).await;
            return Ok(Fetched::new(value, Source::Loaded));
        };
        if clock() < fresh_until {
            return Ok(Fetched::new(value.to_vec(), Source::Hit));
        }
        let value = value.to_vec();
        // Redis away just now: the stale value will do, and the next caller tries again.
        if let Ok(Some(token)) = self.claim(key).await {
            tokio::spawn(refresh(connection, self.config, key.to_owned(), token, load()));
        }
        Ok(Fetched::new(value, Source::Stale))
    }

    /// The right to refresh, for one caller in the fleet. It is not given back after a failure: that keeps a failing
    /// origin from being asked by every request.
    async fn claim(&self, key: &str) -> RedisResult<Option<String>> {
        let token = format!("{:032x}", rand::random::<u128>());
        let mut command = redis::cmd("SET");
        command.arg(claim_key(key)).arg(&token).arg("NX").arg("PX").arg(milliseconds(self.config.retry));
        let reply: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        Ok(reply.map(|_| token))
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
        let release =
            redis::Script::new("if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end");
        let _ = release.key(claim_key(&key)).arg(token).invoke_async::<Option<u8>>(&mut connection).await;
    }
}

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

/// Until when a value is fresh (since the Unix epoch, by the clock of who stored it), and the value.
fn decode(bytes: &[u8]) -> Option<(Duration, &[u8])> {
    let (fresh_until, value) = bytes.split_first_chunk::<8>()?;
    Some((Duration::from_micros(u64::from_le_bytes(*fresh_until)), value))
}

fn claim_key(key: &str) -> String {
    format!("{key}:refresh")
}

fn clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
