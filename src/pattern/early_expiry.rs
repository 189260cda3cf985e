//! XFetch: a hot value is loaded anew shortly before it expires, by chance, so that mostly one caller does it.
//!
//! Source: Vattani, Chierichetti & Lowenstein, *Optimal Probabilistic Cache Stampede Prevention*, PVLDB 8(8), 2015.
//! A caller recomputes when now − δ·β·ln(U) ≥ expiry, U uniform in (0, 1]; that is with probability
//! e^(−left / βδ) for `left` until the expiry. δ is how long the last load took, and is stored with the value.
//!
//! Guarantees: for a key that is asked for many times per δ, on average e^(1/β) loads per cycle (2.72 at β = 1),
//! whatever the rate, all before the expiry, so that nobody waits; no lock and no coordination.
//! Does **not** guarantee: exactly one load. Nor anything for a key that is not there (its first fill, or after
//! a flush): everybody who misses loads. Nor for a key that is asked for less than a few times per δ: it just expires.

use std::{
    future::Future,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rand::RngExt;
use redis::{RedisResult, aio::ConnectionLike};

use super::fetched::{Fetched, Source, milliseconds};

/// Whether to recompute a value that took `delta` to load and expires after `left`. `uniform` is in (0, 1].
/// A larger `beta` recomputes earlier; 1 is right unless measured otherwise.
pub fn recompute(delta: Duration, beta: f64, left: Duration, uniform: f64) -> bool {
    delta.as_secs_f64() * beta * -uniform.ln() >= left.as_secs_f64()
}

/// A value with what XFetch must know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    delta: Duration,
    /// Since the Unix epoch, by the clock of who stored it. Clocks apart make some callers more eager than others;
    /// the real expiry is the server's.
    expiry: Duration,
    value: Vec<u8>,
}

impl Stored {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.value.len() + 16);
        for time in [self.delta, self.expiry] {
            bytes.extend_from_slice(&u64::try_from(time.as_micros()).unwrap_or(u64::MAX).to_le_bytes());
        }
        bytes.extend_from_slice(&self.value);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (delta, rest) = bytes.split_first_chunk::<8>()?;
        let (expiry, value) = rest.split_first_chunk::<8>()?;
        let time = |bytes| Duration::from_micros(u64::from_le_bytes(bytes));
        Some(Self { delta: time(*delta), expiry: time(*expiry), value: value.to_owned() })
    }
}

/// A cache with probabilistic early expiration.
#[derive(Debug, Clone)]
pub struct EarlyExpiry<C> {
    connection: C,
    ttl: Duration,
    beta: f64,
}

impl<C: ConnectionLike + Clone + Send + Sync> EarlyExpiry<C> {
    /// Over this connection, whose timeouts bound every wait for Redis.
    pub fn new(connection: C, ttl: Duration, beta: f64) -> Self {
        Self { connection, ttl, beta }
    }

    /// The value, loaded by this caller when there is none, or when chance says that it is time.
    ///
    /// # Errors
    /// The load's, if there was no value to fall back on. A failed early load answers with the value at hand.
    pub async fn get<F, E>(&self, key: &str, load: impl FnOnce() -> F) -> Result<Fetched, E>
    where
        F: Future<Output = Result<Vec<u8>, E>>,
    {
        let mut connection = self.connection.clone();
        let found: RedisResult<Option<Vec<u8>>> = redis::cmd("GET").arg(key).query_async(&mut connection).await;
        let Ok(found) = found else {
            return Ok(Fetched::new(load().await?, Source::Fallback));
        };
        let stored = found.as_deref().and_then(Stored::decode);
        if let Some(stored) = &stored
            && !self.is_due(stored)
        {
            return Ok(Fetched::new(stored.value.clone(), Source::Hit));
        }
        let started = Instant::now();
        match (load().await, stored) {
            (Ok(value), _) => {
                // Not stored: the next caller loads.
                let _ = self.store(key, started.elapsed(), value.clone()).await;
                Ok(Fetched::new(value, Source::Loaded))
            }
            (Err(_), Some(stored)) => Ok(Fetched::new(stored.value, Source::Hit)),
            (Err(error), None) => Err(error),
        }
    }

    fn is_due(&self, stored: &Stored) -> bool {
        // random() is in [0, 1), the logarithm wants (0, 1].
        let uniform = 1.0 - rand::rng().random::<f64>();
        recompute(stored.delta, self.beta, stored.expiry.saturating_sub(clock()), uniform)
    }

    async fn store(&self, key: &str, delta: Duration, value: Vec<u8>) -> RedisResult<()> {
        let stored = Stored { delta, expiry: clock() + self.ttl, value };
        let mut command = redis::cmd("SET");
        command.arg(key).arg(stored.encode()).arg("PX").arg(milliseconds(self.ttl));
        command.query_async(&mut self.connection.clone()).await
    }
}

fn clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};
    use rand_distr::{Distribution, Exp1};

    use super::*;

    /// Loads per cycle of one key in virtual time: requests come as a Poisson process, a load takes one δ, and
    /// requests in the meantime still see the old value.
    fn loads_per_cycle(requests_per_delta: f64, beta: f64, cycles: u32) -> f64 {
        let mut rng = SmallRng::seed_from_u64(11);
        let (delta, mut loads) = (1.0_f64, 0_u32);
        for _ in 0..cycles {
            // Long before the expiry nothing happens: begin where it can.
            let mut left = delta * beta * ((requests_per_delta * beta).ln().max(0.0) + 7.0);
            let mut refreshed_when_left: Option<f64> = None;
            loop {
                let gap: f64 = Exp1.sample(&mut rng);
                left -= gap / requests_per_delta;
                if refreshed_when_left.is_some_and(|at| left <= at) || left <= 0.0 {
                    break;
                }
                let uniform = 1.0 - rng.random::<f64>();
                let due = recompute(Duration::from_secs(1), beta, Duration::from_secs_f64(left), uniform);
                if due {
                    loads += 1;
                    refreshed_when_left.get_or_insert(left - delta);
                }
            }
        }
        f64::from(loads) / f64::from(cycles)
    }

    #[test]
    fn loads_per_cycle_are_e_to_the_one_over_beta_whatever_the_rate() {
        for (beta, cycles) in [(0.5, 3000), (1.0, 3000), (2.0, 3000), (3.0, 3000)] {
            let expected = (1.0_f64 / beta).exp();
            let seen = loads_per_cycle(100.0, beta, cycles);
            assert!((seen / expected - 1.0).abs() < 0.1, "β {beta}: {seen}, expected {expected}");
        }
        for (rate, cycles) in [(30.0, 4000), (1000.0, 1500)] {
            let seen = loads_per_cycle(rate, 1.0, cycles);
            assert!((2.45..3.0).contains(&seen), "{rate} requests per δ: {seen}");
        }
    }

    #[test]
    fn the_law_is_exponential() {
        let mut rng = SmallRng::seed_from_u64(5);
        let delta = Duration::from_millis(400);
        let mut share = |left: Duration| {
            let due = (0..40_000).filter(|_| recompute(delta, 1.0, left, 1.0 - rng.random::<f64>())).count();
            due as f64 / 40_000.0
        };
        assert!((share(delta) - 0.368).abs() < 0.01, "e^-1 when δ is left");
        assert!((share(2 * delta) - 0.135).abs() < 0.01);
        assert!(share(Duration::from_secs(10)) < 1e-4, "e^-25");
        assert!((share(Duration::ZERO) - 1.0).abs() < f64::EPSILON, "always at the end");
    }

    #[test]
    fn what_is_stored_comes_back() {
        let stored = Stored { delta: Duration::from_millis(3), expiry: clock(), value: b"shoe".to_vec() };
        let back = Stored::decode(&stored.encode()).unwrap();
        assert_eq!((back.delta, back.value), (stored.delta, stored.value));
        assert_eq!(Stored::decode(b"too short"), None);
    }
}
