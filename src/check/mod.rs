//! Verifying a learner's program: start it behind the proxy, drive it, break it, judge the history.
//!
//! Owns: target, driver, schedules, history, properties, report, replay. Must not know: who shows it.

mod driver;
mod event;
mod instance;
mod kernel;
mod manifest;
mod prepare;
mod run;
mod side;
mod stage;
mod stand;
mod warehouse;

pub use event::*;
pub use run::{CheckOptions, Run, start};
