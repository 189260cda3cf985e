//! Live experiments: variants of a pattern run against a live server; what was measured, as events.
//!
//! Owns: running, knobs, faults, samples, claims. Must not know: who shows the events.
//! A run has a thread and a tokio runtime of its own, so that a front end's work does not show in its
//! latencies, nor its load in the front end.

mod event;
mod run;

pub use event::*;
pub use run::{Run, RunOptions, start};
