//! `SET key value NX PX ttl`, later `DEL`: the lock expires with its holder.

use std::time::Duration;

use redis::{RedisResult, aio::ConnectionLike};

/// A lock that frees itself after a time to live. Value and expiry are set in one command: there is no
/// moment in which it has no expiry.
///
/// Guarantees: a dead holder blocks others for at most one TTL.
/// Does **not** guarantee: mutual exclusion once a holder takes longer than the TTL. Worse, the late holder's
/// `DEL` removes whoever's lock is there by then, which lets in a third, whose owner's `DEL` lets in a fourth.
#[derive(Debug, Clone)]
pub struct ExpiringLock<C> {
    connection: C,
    key: String,
}

impl<C: ConnectionLike> ExpiringLock<C> {
    /// A lock of that name.
    pub fn new(connection: C, key: impl Into<String>) -> Self {
        Self { connection, key: key.into() }
    }

    /// Takes it for `ttl` if it is free.
    pub async fn try_acquire(&mut self, ttl: Duration) -> RedisResult<bool> {
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut command = redis::cmd("SET");
        command.arg(&self.key).arg("locked").arg("NX").arg("PX").arg(ttl);
        let reply: Option<String> = command.query_async(&mut self.connection).await?;
        Ok(reply.is_some())
    }

    /// Frees it, whoever holds it. Says whether there was one.
    pub async fn release(&mut self) -> RedisResult<bool> {
        redis::cmd("DEL").arg(&self.key).query_async(&mut self.connection).await
    }
}
