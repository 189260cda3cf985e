//! One run of the checks: its own thread with its own single-threaded reactor, so that everything
//! that happens has one order, and a stream of events out of it.

use std::{path::Path, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::CheckEvent;
use crate::course::{UnitId, exercise::Exercise};

/// What a run is asked for. Build it with `..CheckOptions::default()`.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// Only these checks and those they depend on; empty: all.
    pub only: Vec<String>,
    /// Repeats a former run; `None`: a new one.
    pub seed: Option<u64>,
    /// Wall-clock time for all checks together.
    pub budget: Option<Duration>,
    /// Shows one recorded counterexample again instead of searching.
    pub replay: Option<String>,
}

/// A run in progress. Dropping it cancels it.
#[derive(Debug)]
pub struct Run {
    /// What it tells; closed when everything it started is gone.
    pub events: mpsc::Receiver<CheckEvent>,
    cancel: CancellationToken,
}

impl Run {
    /// Stops it: programs, servers and proxies are ended, then `events` closes.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Starts to verify the program in `folder`. Returns at once; needs no runtime of its caller.
pub fn start(unit: &UnitId, exercise: &Exercise, folder: &Path, options: CheckOptions) -> Run {
    let (sender, events) = mpsc::channel(1024);
    let cancel = CancellationToken::new();
    let text =
        format!("the check engine for {unit} ({}, {options:?}) is being built: {}", exercise.title, folder.display());
    // The channel is new and has room.
    let _ = sender.try_send(CheckEvent::Aborted { ours: true, text, output: Vec::new() });
    Run { events, cancel }
}
