//! The slow truth behind a cache: simulated items with latency, capacity and failures; a warehouse
//! whose stock can only be read and overwritten; their HTTP face for learners' programs.
//!
//! Owns: the truth and how slow it is. Must not know: caches, Redis, lessons.

mod gauge;
pub mod http;
mod simulated;
mod warehouse;

use bytes::Bytes;
use futures_util::future::BoxFuture;

pub use simulated::{Latency, Simulated, SimulatedSpec, Statistics};
pub use warehouse::{Stock, StockError, Warehouse, WarehouseStatistics};

/// One versioned item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: u64,
    /// Raised by every write; starts at 1.
    pub version: u64,
    /// What a client wants.
    pub payload: Bytes,
}

/// Why a call failed. An error is not a value: a cache must never store it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// An injected or configured failure, as an HTTP 500.
    #[error("the origin failed")]
    Failed,
    /// The origin can't be reached.
    #[error("the origin can't be reached: {0}")]
    Unreachable(String),
}

/// Where values come from. Cheap to share behind an `Arc`.
pub trait Origin: Send + Sync + 'static {
    /// The item as it is now; `None`: there is no such id.
    fn get(&self, id: u64) -> BoxFuture<'_, Result<Option<Item>, OriginError>>;

    /// Writes the item anew and returns its version.
    fn put(&self, id: u64) -> BoxFuture<'_, Result<u64, OriginError>>;
}
