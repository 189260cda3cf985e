//! `SET key token NX PX ttl`, compare-and-delete, and renewal while the holder works.

use std::{future::Future, sync::LazyLock, time::Duration};

use redis::{RedisResult, Script, aio::ConnectionLike};

use crate::clock::Timer;

/// Deletes the lock if it is still the caller's: the look and the deletion are one step on the server.
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0")
});

/// Gives the lock a new TTL if it is still the caller's.
static EXTEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0",
    )
});

/// A lock that only its holder can release or extend.
///
/// Guarantees: what [`ExpiringLock`](super::ExpiringLock) does, and that nobody removes or extends a lock that
/// another took since.
/// Does **not** guarantee: mutual exclusion. A holder that is stopped, or cut off from Redis, past its TTL
/// believes that it holds the lock while another does; [`TokenLock::hold`] makes that rarer, not impossible,
/// for the watchdog stops with its process. What must not happen twice needs [`FencedLock`](super::FencedLock).
#[derive(Debug, Clone)]
pub struct TokenLock<C> {
    connection: C,
    key: String,
}

/// The right to a lock until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub(super) token: String,
}

/// How work under a renewed lock ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held<T> {
    /// The work was done, and the lock was never seen to be lost.
    Done(T),
    /// The watchdog saw that the lock is another's; the work was dropped where it stood. What it had sent
    /// already can't be taken back.
    Lost,
}

impl<C: ConnectionLike + Clone> TokenLock<C> {
    /// A lock of that name.
    pub fn new(connection: C, key: impl Into<String>) -> Self {
        Self { connection, key: key.into() }
    }

    /// Takes it for `ttl` if it is free.
    pub async fn try_acquire(&mut self, ttl: Duration) -> RedisResult<Option<Lease>> {
        // 128 random bits: unique without asking anybody.
        let lease = Lease { token: format!("{:032x}", rand::random::<u128>()) };
        let mut command = redis::cmd("SET");
        command.arg(&self.key).arg(&lease.token).arg("NX").arg("PX").arg(milliseconds(ttl));
        let reply: Option<String> = command.query_async(&mut self.connection).await?;
        Ok(reply.map(|_| lease))
    }

    /// Frees the lock if it is still this lease's. Says whether it was.
    pub async fn release(&mut self, lease: &Lease) -> RedisResult<bool> {
        RELEASE.key(&self.key).arg(&lease.token).invoke_async(&mut self.connection).await
    }

    /// Gives the lock a new TTL if it is still this lease's. Says whether it was.
    pub async fn extend(&mut self, lease: &Lease, ttl: Duration) -> RedisResult<bool> {
        EXTEND.key(&self.key).arg(&lease.token).arg(milliseconds(ttl)).invoke_async(&mut self.connection).await
    }

    /// Does `work` while a watchdog extends the lock every third of its TTL. A slow holder keeps its lock; a
    /// stopped one does not, for its watchdog is stopped too. Redis not answering is borne until the lease must
    /// have ended.
    pub async fn hold<T>(&self, lease: &Lease, ttl: Duration, timer: &Timer, work: impl Future<Output = T>) -> Held<T> {
        let mut lock = self.clone();
        tokio::select! {
            biased;
            done = work => Held::Done(done),
            () = watchdog(&mut lock, lease, ttl, timer) => Held::Lost,
        }
    }
}

/// Ends when the lease is lost.
async fn watchdog<C: ConnectionLike + Clone>(lock: &mut TokenLock<C>, lease: &Lease, ttl: Duration, timer: &Timer) {
    let mut unanswered = 0;
    loop {
        timer.sleep(ttl / 3).await;
        match lock.extend(lease, ttl).await {
            Ok(true) => unanswered = 0,
            Ok(false) => return,
            // Three thirds without a word from Redis: the lease has run out.
            Err(_) if unanswered >= 2 => return,
            Err(_) => unanswered += 1,
        }
    }
}

pub(super) fn milliseconds(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}
