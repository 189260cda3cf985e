//! What a fault may do to the server process itself. A borrowed server has none.

use futures_util::future::BoxFuture;

/// The server could not be stopped or started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutageError(pub String);

/// A server process that a lab may take away and bring back.
pub trait Outage: Send + Sync {
    /// Kills it, as by SIGKILL; its keys are lost.
    fn kill(&self) -> BoxFuture<'_, Result<(), OutageError>>;
    /// Starts it again under the same address; returns when it answers.
    fn restart(&self) -> BoxFuture<'_, Result<(), OutageError>>;
}
