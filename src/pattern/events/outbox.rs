//! The transactional outbox: an event is stored with the change it tells of, and published from there.
//!
//! Source: C. Richardson, *Microservices Patterns* (2018, "Transactional outbox", "Polling publisher"); Facebook's
//! mcsqueal, which reads invalidations off the database's commit log (NSDI 2013, §4.1).

use futures_util::future::BoxFuture;
use redis::{RedisError, aio::ConnectionLike};

use super::{Changed, publish};
use crate::origin::OriginError;

/// An event as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in the outbox; rises with the order of commits.
    pub number: u64,
    /// The event.
    pub changed: Changed,
}

/// A store with an outbox. Its own business: a write and its event are committed together.
pub trait OutboxSource: Send + Sync {
    /// The oldest unpublished events, in order.
    fn pending(&self, most: usize) -> BoxFuture<'_, Result<Vec<Recorded>, OriginError>>;

    /// All up to this number are published; they may be forgotten.
    fn published(&self, up_to: u64) -> BoxFuture<'_, Result<(), OriginError>>;
}

/// Why a step failed. Nothing is lost: step again.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The store could not be asked or told.
    #[error("the outbox can't be read or marked: {0}")]
    Store(#[from] OriginError),
    /// An event could not be published.
    #[error("an event can't be published: {0}")]
    Redis(#[from] RedisError),
}

/// Carries events from a store's outbox into a stream.
///
/// Guarantees: every committed change is published, in order, however often this process dies; what was not
/// committed never is.
/// Does **not** guarantee: once. A relay that dies between publishing and marking publishes again: events carry
/// versions, and applying one twice is harmless.
#[derive(Debug)]
pub struct Outbox<C, S> {
    connection: C,
    source: S,
    stream: String,
    keep: usize,
}

impl<C: ConnectionLike, S: OutboxSource> Outbox<C, S> {
    /// From `source` to the stream of that name, which keeps about `keep` events.
    pub fn new(connection: C, source: S, stream: impl Into<String>, keep: usize) -> Self {
        Self { connection, source, stream: stream.into(), keep }
    }

    /// Publishes up to `most` events; says how many.
    ///
    /// # Errors
    /// When store or Redis fail: events published so far are published again by the next step.
    pub async fn step(&mut self, most: usize) -> Result<usize, OutboxError> {
        let pending = self.source.pending(most).await?;
        for recorded in &pending {
            publish(&mut self.connection, &self.stream, &recorded.changed, self.keep).await?;
        }
        if let Some(last) = pending.last() {
            self.source.published(last.number).await?;
        }
        Ok(pending.len())
    }
}
