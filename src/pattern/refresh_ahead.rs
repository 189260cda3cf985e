//! Refresh-ahead: a value that is asked for late in its life is loaded anew before it ends.
//!
//! Source: Oracle Coherence's *refresh-ahead factor*.
//!
//! Guarantees: a key that is asked for at least once between the factor and the end of its TTL never makes anybody
//! wait; one refresh at a time in the fleet; what is not asked for is not refreshed; no value is older than its TTL.
//! Does **not** guarantee: less work for the origin. It loads more often than without (each TTL · factor instead of
//! each TTL), in exchange for latency.
//!
//! The mechanism is that of [`StaleWhileRevalidate`]; the promise differs: here no answer is past its TTL.

use std::{future::Future, time::Duration};

use redis::aio::ConnectionLike;

use super::{
    fetched::{Fetched, Source},
    stale_while_revalidate::{Config, StaleWhileRevalidate},
};

/// A cache that refreshes values before they end.
#[derive(Debug, Clone)]
pub struct RefreshAhead<C> {
    cache: StaleWhileRevalidate<C>,
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> RefreshAhead<C> {
    /// Values live for `ttl`; asked for after `factor` (0 to 1) of it they are loaded anew, one load at a time for at
    /// most `load_timeout`.
    pub fn new(connection: C, ttl: Duration, factor: f64, load_timeout: Duration) -> Self {
        let config = Config { soft: ttl.mul_f64(factor.clamp(0.0, 1.0)), hard: ttl, retry: load_timeout };
        Self { cache: StaleWhileRevalidate::new(connection, config) }
    }

    /// The value: from the cache, else from `load`, which may go on in a task of its own after this returns.
    ///
    /// # Errors
    /// The load's, if there was no value.
    pub async fn get<F, E>(&self, key: &str, load: impl FnOnce() -> F) -> Result<Fetched, E>
    where
        F: Future<Output = Result<Vec<u8>, E>> + Send + 'static,
        E: Send + 'static,
    {
        let mut fetched = self.cache.get(key, load).await?;
        if fetched.source == Source::Stale {
            fetched.source = Source::Hit;
        }
        Ok(fetched)
    }
}
