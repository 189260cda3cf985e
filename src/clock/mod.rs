//! Exact waiting: tokio's tick is 1 ms, which is the whole latency of a fast origin.
//!
//! One thread ([`Timer`]) sleeps until shortly before the next deadline, waits out the rest awake, and
//! wakes the tasks that are due. Owns: waiting, for threads and for tasks. Must not know: what for.

mod timer;
mod wait;

pub use timer::{Sleep, Timer};
pub use wait::Waiter;
