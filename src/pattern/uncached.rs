//! No cache: what every pattern is measured against.

use std::sync::Arc;

use crate::origin::{Item, Origin, OriginError};

/// Asks the origin every time. Guarantees: the present value, at the present price.
#[derive(Debug)]
pub struct Uncached<O> {
    origin: Arc<O>,
}

impl<O: Origin> Uncached<O> {
    /// In front of `origin`.
    pub fn new(origin: Arc<O>) -> Self {
        Self { origin }
    }

    /// The item; `None`: there is no such id.
    pub async fn get(&self, id: u64) -> Result<Option<Item>, OriginError> {
        self.origin.get(id).await
    }

    /// Changes the item.
    pub async fn put(&self, id: u64) -> Result<u64, OriginError> {
        self.origin.put(id).await
    }
}
