//! Write-through: a write goes to the store, then its value into the cache.
//!
//! Guarantees: after a write that succeeded, readers find its value or a newer one in the cache, whoever wrote or
//! filled meanwhile; a write that the store refused leaves the cache as it was.
//! Does **not** guarantee: that store and cache change together: a crash between the two leaves the old value until
//! the TTL. Nor speed: a write waits for both.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use redis::aio::ConnectionLike;

use super::{
    store::Store,
    write_order::{Order, OrderedWriter},
};
use crate::origin::OriginError;

/// A cache that is written with its store. See [`write_order`](super::write_order) for why in this order.
#[derive(Debug)]
pub struct WriteThrough<C, S>(OrderedWriter<C, S>);

impl<C: ConnectionLike + Clone + Send + Sync, S: Store> WriteThrough<C, S> {
    /// In front of `store`.
    pub fn new(connection: C, store: Arc<S>, ttl: Duration) -> Self {
        Self(OrderedWriter::new(connection, store, ttl, Order::StoreThenSetIfNewer))
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
