//! `SETNX`, later `DEL`: the lock of the first blog posts.

use redis::{RedisResult, aio::ConnectionLike};

/// A key that is there while somebody is inside.
///
/// Guarantees: mutual exclusion, as long as every holder lives to release it.
/// Does **not** guarantee: that it is ever free again. A holder that dies takes it along for ever. (`EXPIRE` as
/// a second command does not help: the holder may die between the two.)
#[derive(Debug, Clone)]
pub struct NaiveLock<C> {
    connection: C,
    key: String,
}

impl<C: ConnectionLike> NaiveLock<C> {
    /// A lock of that name.
    pub fn new(connection: C, key: impl Into<String>) -> Self {
        Self { connection, key: key.into() }
    }

    /// Takes it if it is free.
    pub async fn try_acquire(&mut self) -> RedisResult<bool> {
        redis::cmd("SETNX").arg(&self.key).arg("locked").query_async(&mut self.connection).await
    }

    /// Frees it, whoever holds it. Says whether there was one.
    pub async fn release(&mut self) -> RedisResult<bool> {
        redis::cmd("DEL").arg(&self.key).query_async(&mut self.connection).await
    }
}
