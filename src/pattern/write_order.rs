//! Two writes, one truth: the orders in which store and cache can be written, and what each may leave behind.
//!
//! Source: Nishtala et al., *Scaling Memcache at Facebook* (NSDI 2013, §2: delete, do not set); write-through and
//! write-around as in Hennessy & Patterson's chapter on caches.
//!
//! | order | what a race or a crash may leave in the cache, until the TTL |
//! |---|---|
//! | [`Order::DeleteThenStore`] | the old value: a reader loads it between the two |
//! | [`Order::SetThenStore`] | a value that was never stored, when the store refuses |
//! | [`Order::StoreThenSet`] | the older of two writers' values: the later to set need not be the later to store |
//! | [`Order::StoreThenDelete`] (write-around) | the old value, if a reader loaded it before and stores it after |
//! | [`Order::StoreThenSetIfNewer`] (write-through) | nothing, but for a crash between the two |
//!
//! No order makes store and cache change in one step: between the two a reader sees the old value. That
//! window is short, and the TTL bounds what a crash leaves.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use redis::{RedisResult, aio::ConnectionLike};

use super::{
    invalidation::VersionedCache,
    store::{Store, Versioned},
};
use crate::origin::OriginError;

/// In which order a write goes to store and cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Wrong: deletes the copy first.
    DeleteThenStore,
    /// Wrong: the cache has it before the store has said yes.
    SetThenStore,
    /// Wrong with two writers: whoever sets last wins.
    StoreThenSet,
    /// Write-around: the next reader loads. Right for what is written more than read.
    StoreThenDelete,
    /// Write-through, on the version the store gave: an older value never replaces a newer one.
    StoreThenSetIfNewer,
}

/// A writer's steps, one at a time: what another does between them is what matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Store,
    Delete,
    Set,
    SetIfNewer,
}

impl Order {
    fn steps(self) -> [Step; 2] {
        match self {
            Self::DeleteThenStore => [Step::Delete, Step::Store],
            Self::SetThenStore => [Step::Set, Step::Store],
            Self::StoreThenSet => [Step::Store, Step::Set],
            Self::StoreThenDelete => [Step::Store, Step::Delete],
            Self::StoreThenSetIfNewer => [Step::Store, Step::SetIfNewer],
        }
    }
}

/// A cache whose values are read on demand and written in a given order.
#[derive(Debug)]
pub struct OrderedWriter<C, S> {
    cache: VersionedCache<C>,
    store: Arc<S>,
    order: Order,
}

impl<C: ConnectionLike + Clone + Send + Sync, S: Store> OrderedWriter<C, S> {
    /// In front of `store`.
    pub fn new(connection: C, store: Arc<S>, ttl: Duration, order: Order) -> Self {
        Self { cache: VersionedCache::new(connection, ttl), store, order }
    }

    /// The value: from the cache, else from the store. `None`: there is no such key.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, OriginError> {
        if let Ok(Some(found)) = self.cache.get(key).await {
            return Ok(Some(found.value));
        }
        let loaded = self.store.load(key).await?;
        if let Some(loaded) = &loaded {
            self.fill(key, loaded).await;
        }
        Ok(loaded.map(|loaded| loaded.value))
    }

    /// Stores what a reader loaded, as the order has it: with versions an old value does not replace a newer one.
    pub async fn fill(&self, key: &str, loaded: &Versioned) {
        // Not filled: the next reader loads.
        let _ = match self.order {
            Order::StoreThenSetIfNewer => self.cache.set_if_newer(key, loaded).await.map(drop),
            _ => self.cache.set(key, loaded).await,
        };
    }

    /// Writes. An error of the store is the caller's; one of the cache is not, for the write has happened.
    ///
    /// # Errors
    /// The store's.
    pub async fn put(&self, key: &str, value: Bytes) -> Result<u64, OriginError> {
        let mut written = Versioned { version: 0, value };
        for step in self.order.steps() {
            let cached = match step {
                Step::Store => {
                    written.version = self.store.save(key, written.value.clone()).await?;
                    continue;
                }
                Step::Delete => self.cache.delete(key).await,
                Step::Set => self.cache.set(key, &written).await,
                Step::SetIfNewer => self.cache.set_if_newer(key, &written).await.map(drop),
            };
            self.mend(key, cached).await;
        }
        Ok(written.version)
    }

    /// A copy that could not be written is deleted instead, so that the old one is not pinned; if that fails
    /// too, the TTL does it.
    async fn mend(&self, key: &str, cached: RedisResult<()>) {
        if cached.is_err() {
            let _ = self.cache.delete(key).await;
        }
    }
}
