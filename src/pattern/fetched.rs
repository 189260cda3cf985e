//! What a cache that loads by itself answers: the value and where it came from.

use bytes::Bytes;

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The cache, and it was fresh.
    Hit,
    /// The cache, past its freshness; a refresh is under way.
    Stale,
    /// The origin: this caller loaded it.
    Loaded,
    /// Another caller loaded it while this one waited.
    Waited,
    /// The origin, because Redis could not be asked or nobody else delivered in time.
    Fallback,
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The value.
    pub value: Bytes,
    /// Where it came from.
    pub source: Source,
}

impl Fetched {
    pub(super) fn new(value: impl Into<Bytes>, source: Source) -> Self {
        Self { value: value.into(), source }
    }
}

/// Milliseconds for `PX`, which takes no 0.
pub(super) fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 52)
}
