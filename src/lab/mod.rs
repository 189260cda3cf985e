//! Live experiments: variants of a pattern run against a live server; what was measured, as events.
//!
//! Owns: running, knobs, faults, samples, claims. Must not know: who shows the events.
//! A run has a thread and a tokio runtime of its own, so that a front end's work does not show in its
//! latencies, nor its load in the front end.

mod act;
mod beside;
mod cache;
mod count;
mod event;
mod freeze;
mod judge;
mod knobs;
mod link;
mod locks;
mod measure;
mod outage;
mod run;
mod runner;
mod schedule;
mod setup;
mod timeline;
mod traffic;
mod variant;

pub use event::*;
pub use judge::text as metric_text;
pub use run::{Run, RunOptions, start};
