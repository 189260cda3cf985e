//! The truth behind the patterns that write: values under keys, each with a version.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::origin::OriginError;

/// A value and its version, which every write raises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// Of two versions of one key the higher is the newer.
    pub version: u64,
    /// The value.
    pub value: Bytes,
}

/// What a load of several keys brings: an answer or an error for each, in the order asked.
pub type Loaded = Vec<Result<Option<Versioned>, OriginError>>;

/// A store that reads and writes; a database, or [`Simulated`](crate::origin::Simulated) behind an adapter.
pub trait Store: Send + Sync + 'static {
    /// The value as it is now; `None`: there is no such key.
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Versioned>, OriginError>>;

    /// Several at once, in one call (`SELECT … WHERE id IN (…)`); as many answers as keys, in their order.
    fn load_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Loaded, OriginError>>;

    /// Writes, and says the new version.
    fn save<'a>(&'a self, key: &'a str, value: Bytes) -> BoxFuture<'a, Result<u64, OriginError>>;
}
