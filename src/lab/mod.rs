//! Live experiments: variants of a pattern run against a live server; what was measured, as events.
//!
//! Owns: running, knobs, faults, samples, claims. Must not know: who shows the events.

mod event;
pub use event::*;
