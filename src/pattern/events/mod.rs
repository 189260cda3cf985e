//! Caches in the process, kept true by events: what is lost, doubled or out of order must do no harm.
//!
//! | carrier | after a cut | needs |
//! |---|---|---|
//! | [`Broadcast`] (pub/sub) | nobody knows what was missed: everything is dropped | nothing |
//! | [`Tail`] (stream) | goes on where it stopped; drops everything if that part is gone | a stream that is trimmed |
//!
//! [`Outbox`] is the writer's side: the event is written with the data, in the store's own transaction, and carried
//! from there. Without it a crash between commit and publish loses the event, and a publish before the commit
//! lets readers load the old value again.

mod local;
mod outbox;
mod pubsub;
mod stream;

pub use local::{Fill, LocalCache};
pub use outbox::{Outbox, OutboxError, OutboxSource, Recorded};
pub use pubsub::Broadcast;
pub use stream::{Step, Tail, publish};

/// "This key has this version now."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What changed.
    pub key: String,
    /// Its version at the store.
    pub version: u64,
}

impl Changed {
    /// For a pub/sub message: `version key`.
    fn encode(&self) -> String {
        format!("{} {}", self.version, self.key)
    }

    fn decode(text: &str) -> Option<Self> {
        let (version, key) = text.split_once(' ')?;
        Some(Self { key: key.to_owned(), version: version.parse().ok()? })
    }
}
