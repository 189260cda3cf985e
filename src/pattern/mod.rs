//! The reference patterns, one concept a file, usable as a library.
//!
//! Each names where it comes from, what it guarantees and what it does not. Owns: the patterns. Must not
//! know: labs, lessons, who measures. They take any connection of the `redis` crate that can be cloned, and
//! any [`Origin`](crate::origin::Origin).

pub mod cache_aside;
pub mod lock;
pub mod uncached;

pub use cache_aside::CacheAside;
pub use uncached::Uncached;
