//! What all clients share: the gate that a pause shuts, and request sequences that a knob can change.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::workload::{Popularity, Request, Requests};

/// Shut while the run is paused.
#[derive(Debug, Clone)]
pub(super) struct Gate(pub watch::Receiver<bool>);

impl Gate {
    /// Returns when the gate is open.
    pub async fn open(&mut self) {
        // The sender lives as long as the variant; without it there is nobody to open the gate.
        if self.0.wait_for(|shut| !shut).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// One client's sequence of requests.
#[derive(Debug, Clone)]
pub(super) struct SharedRequests(Arc<Mutex<Requests>>);

impl SharedRequests {
    pub fn new(requests: Requests) -> Self {
        Self(Arc::new(Mutex::new(requests)))
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        // A sequence is never left half-advanced.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn next_request(&self) -> Request {
        self.requests().next_request()
    }

    pub fn set_writes(&self, share: f64) {
        self.requests().set_writes(share);
    }

    pub fn set_popularity(&self, popularity: Popularity) {
        self.requests().set_popularity(popularity);
    }
}
