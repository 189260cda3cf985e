//! Delete, and delete once more a while later.

use std::time::Duration;

use redis::{RedisResult, aio::ConnectionLike};
use tokio::task::JoinHandle;

/// The *delayed double delete* of practice.
///
/// Guarantees: an old value stored by a reader between the two deletes lives until the second.
/// Does **not** guarantee: anything about a reader who is slower than the delay, nor if this process dies before the
/// second delete. It makes the race rarer; it proves nothing.
#[derive(Debug, Clone)]
pub struct DoubleDelete<C> {
    connection: C,
    delay: Duration,
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> DoubleDelete<C> {
    /// `delay` is longer than a usual load and fill.
    pub fn new(connection: C, delay: Duration) -> Self {
        Self { connection, delay }
    }

    /// Deletes now, after the write to the store, and again later; the second delete's outcome is in the handle.
    pub async fn delete(&self, key: &str) -> RedisResult<JoinHandle<RedisResult<()>>> {
        let command = redis::cmd("UNLINK").arg(key).to_owned();
        command.query_async::<()>(&mut self.connection.clone()).await?;
        let (mut connection, delay) = (self.connection.clone(), self.delay);
        Ok(tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            command.query_async(&mut connection).await
        }))
    }
}
