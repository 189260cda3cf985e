//! Request coalescing across a fleet: of all callers in all processes who miss, one loads.
//!
//! Source: the lock of the *cache stampede* literature, made a lease as in Nishtala et al., *Scaling Memcache at
//! Facebook* (NSDI 2013, §3.2.1): who misses takes a token with a time limit, and only its holder may store.
//!
//! Guarantees: one load per key at a time in the fleet, as long as a load takes less than the lease; a holder
//! that dies delays the others by at most one lease; a load that took longer than its lease returns its
//! value and does not store it over a newer one; errors are not stored; without Redis everybody loads. Miss and
//! lease are one step: with two commands the last holder may store in between, and who takes the lease then must
//! look once more before it loads.
//! Does **not** guarantee: one load per expiry, however slow the origin: a load longer than its lease gets
//! company. Those who wait pay the load's latency and up to one pause more.

use std::{
    future::Future,
    sync::LazyLock,
    time::{Duration, Instant},
};

use rand::RngExt;
use redis::{RedisResult, Script, aio::ConnectionLike};

use super::fetched::{Fetched, Source, milliseconds};

/// The value, or whether this caller now has the lease.
static LOOK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local value = redis.call('GET', KEYS[1])
if value then return {1, value} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {2, ''} end
return {0, ''}
",
    )
});

/// Stores and frees the lease if it is still the caller's.
static STORE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return redis.call('DEL', KEYS[2])
",
    )
});

static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0")
});

/// How a [`FleetFlight`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Time to live of a value.
    pub ttl: Duration,
    /// How long one caller may load before another may try. A bit more than the origin's slowest good answer.
    pub lease: Duration,
    /// Longest pause of a waiting caller between two looks; each lasts a random half to whole of it.
    pub pause: Duration,
    /// How long a caller waits for another's load before it loads by itself.
    pub patience: Duration,
}

/// Single flight over Redis.
#[derive(Debug, Clone)]
pub struct FleetFlight<C> {
    connection: C,
    config: Config,
}

/// What a look found.
enum Look {
    Value(Vec<u8>),
    Lease,
    Taken,
}

impl<C: ConnectionLike + Clone + Send + Sync> FleetFlight<C> {
    /// Over this connection, whose timeouts bound every wait for Redis. The lease of a key is at `key:lease`; in a
    /// cluster keys need a hash tag.
    pub fn new(connection: C, config: Config) -> Self {
        Self { connection, config }
    }

    /// The value of `key`, loaded by one caller if there is none.
    ///
    /// # Errors
    /// The caller's own load's; who waits for a load that fails takes its turn and loads by itself.
    pub async fn get<F, E>(&self, key: &str, load: impl FnOnce() -> F) -> Result<Fetched, E>
    where
        F: Future<Output = Result<Vec<u8>, E>>,
    {
        let token = format!("{:032x}", rand::random::<u128>());
        let started = Instant::now();
        let mut waited = false;
        while started.elapsed() < self.config.patience {
            match self.look(key, &token).await {
                Ok(Look::Value(value)) => {
                    return Ok(Fetched::new(value, if waited { Source::Waited } else { Source::Hit }));
                }
                Ok(Look::Lease) => return self.lead(key, &token, load()).await,
                Ok(Look::Taken) => waited = true,
                Err(_) => break,
            }
            let pause = self.config.pause.mul_f64(rand::rng().random_range(0.5..1.0));
            tokio::time::sleep(pause).await;
        }
        Ok(Fetched::new(load().await?, Source::Fallback))
    }

    async fn lead<E>(
        &self,
        key: &str,
        token: &str,
        load: impl Future<Output = Result<Vec<u8>, E>>,
    ) -> Result<Fetched, E> {
        let loaded = load.await;
        let connection = &mut self.connection.clone();
        match &loaded {
            // Not stored: the next caller loads. It is no reason to fail this one.
            Ok(value) => {
                let mut call = STORE.key(key);
                call.key(lease(key)).arg(token).arg(value).arg(milliseconds(self.config.ttl));
                let _ = call.invoke_async::<u8>(connection).await;
            }
            // Not released: the lease ends by itself.
            Err(_) => {
                let _ = RELEASE.key(lease(key)).arg(token).invoke_async::<u8>(connection).await;
            }
        }
        loaded.map(|value| Fetched::new(value, Source::Loaded))
    }

    async fn look(&self, key: &str, token: &str) -> RedisResult<Look> {
        let mut call = LOOK.key(key);
        call.key(lease(key)).arg(token).arg(milliseconds(self.config.lease));
        let (found, value): (u8, Vec<u8>) = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(match found {
            1 => Look::Value(value),
            2 => Look::Lease,
            _ => Look::Taken,
        })
    }
}

/// Where the lease of a key is.
pub fn lease(key: &str) -> String {
    format!("{key}:lease")
}
