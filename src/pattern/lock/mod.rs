//! Locks in one Redis, from the one that hardly is one to the one that a resource can check.
//!
//! Source: the Redis documentation's page on distributed locks; M. Kleppmann, *How to do distributed
//! locking* (2016) on fencing; Gray & Cheriton (SOSP 1989) on leases. Each type mends one fault of the one
//! before it, and says which fault it still has:
//!
//! | type | a dead holder | a late holder's release | a slow holder | a stopped holder's write |
//! |---|---|---|---|---|
//! | [`NaiveLock`] | blocks everybody for ever | – (never late) | – | – |
//! | [`ExpiringLock`] | frees after the TTL | deletes another's lock | loses the lock | lands |
//! | [`TokenLock`] | frees after the TTL | does nothing | loses the lock | lands |
//! | [`TokenLock::hold`] (renewal) | frees after the TTL | does nothing | keeps the lock | lands |
//! | [`FencedLock`] | frees after the TTL | does nothing | keeps the lock | is refused by the resource |
//!
//! None of them survives the loss of the Redis that keeps it: an unreplicated lock is gone with a failover.
//! All are try-locks: waiting is the caller's, with a pause and some randomness between two tries (a
//! waiter that asks without a pause only slows the holder).

mod expiring;
mod fencing;
mod naive;
mod token;

pub use expiring::ExpiringLock;
pub use fencing::{Fenced, FencedLock};
pub use naive::NaiveLock;
pub use token::{Held, Lease, TokenLock};
