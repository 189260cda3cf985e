//! Verifying a learner's program: start it behind the proxy, drive it, break it, judge the history.
//!
//! Owns: target, driver, schedules, history, properties, report, replay. Must not know: who shows it.

mod context;
mod driver;
mod event;
mod explore;
mod instance;
mod kernel;
pub mod lanes;
mod manifest;
mod prepare;
mod profile;
pub mod property;
mod replay;
mod run;
mod sale;
mod side;
mod stage;
mod stand;
mod trace;
mod warehouse;

pub use event::*;
pub use manifest::{ManifestError, exercise_of};
pub use property::validate;
pub use run::{CheckOptions, DEFAULT_BUDGET, Run, start};
