//! Verifying a learner's program: start it behind the proxy, drive it, break it, judge the history.
//!
//! Owns: target, driver, schedules, history, properties, report, replay. Must not know: who shows it.

mod driver;
mod event;
mod kernel;
mod manifest;
mod run;
mod warehouse;

pub use event::*;
pub use run::{CheckOptions, Run, start};
