//! A variant's own time: it stands still while the run is paused.

use std::time::{Duration, Instant};

/// Time since the start, pauses left out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeline {
    started: Instant,
    paused: Duration,
    paused_since: Option<Instant>,
}

impl Timeline {
    pub fn start() -> Self {
        Self { started: Instant::now(), paused: Duration::ZERO, paused_since: None }
    }

    pub fn now(&self) -> Duration {
        let now = self.paused_since.unwrap_or_else(Instant::now);
        now.saturating_duration_since(self.started).saturating_sub(self.paused)
    }

    /// When `at` will be, if there is no pause until then.
    pub fn instant(&self, at: Duration) -> Instant {
        self.started + self.paused + at
    }

    pub fn pause(&mut self) {
        self.paused_since.get_or_insert_with(Instant::now);
    }

    pub fn resume(&mut self) {
        if let Some(since) = self.paused_since.take() {
            self.paused += since.elapsed();
        }
    }

    pub fn is_paused(&self) -> bool {
        self.paused_since.is_some()
    }
}
