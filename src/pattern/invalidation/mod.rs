//! Taking back what is cached: from the plain delete to versions, tags, leases.
//!
//! All mend the same race (NSDI 2013, §3.2.1, "stale sets"): a reader loads the old value, a writer writes and
//! deletes, the reader stores the old value, which then lives for a TTL.
//!
//! | way | the race | cost of an invalidation |
//! |---|---|---|
//! | delete | stays | one key |
//! | [`DoubleDelete`] | ends with the second delete, unless the reader is slower still | two deletes and a wait |
//! | [`VersionedCache`] | impossible, if the store has versions | one key |
//! | [`Leases`] | impossible | one key |
//! | [`TagCache`] | impossible | one key, whatever the number of members |
//! | [`delete_matching`] | stays | the whole keyspace is walked |

mod double_delete;
mod lease;
mod pattern_delete;
mod tag;
mod versioned;

pub use double_delete::DoubleDelete;
pub use lease::{LeaseToken, Leases, Read};
pub use pattern_delete::{Deleted, delete_matching, escape_glob};
pub use tag::{Found, TagCache, Ticket};
pub use versioned::VersionedCache;
