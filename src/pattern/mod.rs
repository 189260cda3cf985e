//! The reference patterns, one concept a file, usable as a library.
//!
//! Each names where it comes from, what it guarantees and what it does not. Owns: the patterns. Must not
//! know: labs, lessons, who measures. They take any connection of the `redis` crate that can be cloned, and
//! any [`Origin`](crate::origin::Origin) or a closure that loads.

pub mod bloom;
pub mod breaker;
pub mod cache_aside;
pub mod early_expiry;
pub mod events;
pub mod eviction;
pub mod fetched;
pub mod fleet_flight;
pub mod invalidation;
pub mod jitter;
pub mod limit;
pub mod lock;
pub mod query_cache;
pub mod read_through;
pub mod redlock;
pub mod refresh_ahead;
pub mod retry;
pub mod session;
pub mod single_flight;
pub mod stale_while_revalidate;
pub mod store;
pub mod uncached;
pub mod write_around;
pub mod write_behind;
pub mod write_order;
pub mod write_through;

pub use bloom::{Bloom, BloomGate};
pub use breaker::Breaker;
pub use cache_aside::CacheAside;
pub use early_expiry::EarlyExpiry;
pub use fetched::{Fetched, Source};
pub use fleet_flight::FleetFlight;
pub use jitter::Jitter;
pub use query_cache::QueryCache;
pub use read_through::ReadThrough;
pub use redlock::Redlock;
pub use refresh_ahead::RefreshAhead;
pub use retry::RetryBudget;
pub use session::Sessions;
pub use single_flight::SingleFlight;
pub use stale_while_revalidate::StaleWhileRevalidate;
pub use store::{Store, Versioned};
pub use uncached::Uncached;
pub use write_around::WriteAround;
pub use write_behind::WriteBehind;
pub use write_through::WriteThrough;
