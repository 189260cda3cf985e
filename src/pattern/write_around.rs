//! Write-around: a write goes to the store and deletes the copy; the next reader loads.
//!
//! Guarantees: what is written and not read takes no room in the cache; a write that the store refused leaves the
//! cache as it was; after a write the next reader loads.
//! Does **not** guarantee: that no reader stores an old value afterwards, which it had loaded before the write. That
//! is rare and lives for a TTL; [`Leases`](super::invalidation::Leases) or versions rule it out.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use redis::aio::ConnectionLike;

use super::{
    store::Store,
    write_order::{Order, OrderedWriter},
};
use crate::origin::OriginError;

/// A cache that is filled by readers alone. See [`write_order`](super::write_order) for why in this order.
#[derive(Debug)]
pub struct WriteAround<C, S>(OrderedWriter<C, S>);

impl<C: ConnectionLike + Clone + Send + Sync, S: Store> WriteAround<C, S> {
    /// In front of `store`.
    pub fn new(connection: C, store: Arc<S>, ttl: Duration) -> Self {
        Self(OrderedWriter::new(connection, store, ttl, Order::StoreThenDelete))
    }

    /// The value; `None`: there is no such key.
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, OriginError> {
        self.0.get(key).await
    }

    /// Writes, and says the new version.
    ///
    /// # Errors
    /// The store's.
    pub async fn put(&self, key: &str, value: Bytes) -> Result<u64, OriginError> {
        self.0.put(key, value).await
    }
}
