//! Traffic: which ids are asked for, and when.
//!
//! Owns: key distributions, arrivals, seeds, the pacing thread of the open loop. Must not know: what
//! answers a request. Same seed: same ids, same reads and writes, same intended times, for every variant.

mod keys;
mod pacer;
mod requests;

pub use keys::{Keys, Popularity};
pub use pacer::{Batch, Pacer};
pub use requests::{Kind, Request, Requests};
