//! Connections that reconnect by themselves and that a fault can cut.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{
    Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};

use crate::server::Endpoint;

/// A connection to the server, shared by its clones; it can be cut without touching the server.
#[derive(Clone)]
pub(super) struct Link {
    manager: ConnectionManager,
    cut: Arc<AtomicBool>,
}

/// Longest wait for a connection or a reply. Patterns have shorter ones of their own.
const TIMEOUT: Duration = Duration::from_secs(2);

impl Link {
    /// Connects; `cut` is shared by all connections that one fault cuts.
    pub async fn open(endpoint: &Endpoint, cut: Arc<AtomicBool>) -> redis::RedisResult<Self> {
        // No retries: one try a command. A retry would make the command wait instead of fail.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let manager = ConnectionManager::new_with_config(endpoint.client()?, config).await?;
        Ok(Self { manager, cut })
    }

    /// The same connection for a command that no fault may refuse.
    pub fn uncut(&self) -> Self {
        Self { manager: self.manager.clone(), cut: Arc::default() }
    }

    fn refused(&self) -> Option<RedisError> {
        let cut = self.cut.load(Ordering::Relaxed);
        cut.then(|| RedisError::from((ErrorKind::Io, "the connection was cut by a fault")))
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self.refused() {
            Some(error) => Box::pin(std::future::ready(Err(error))),
            None => self.manager.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self.refused() {
            Some(error) => Box::pin(std::future::ready(Err(error))),
            None => self.manager.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        self.manager.get_db()
    }
}
