//! A lock whose every lease comes with a higher number, for the resource to check.

use std::{future::Future, sync::LazyLock, time::Duration};

use redis::{RedisResult, Script, aio::ConnectionLike};

use super::{Held, Lease, TokenLock, token::milliseconds};
use crate::clock::Timer;

/// Taking the lock and drawing its number are one step: a number drawn by another in between would let an
/// older lease carry the higher one.
static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return redis.call('INCR', KEYS[2]) end \
         return 0",
    )
});

/// A [`TokenLock`] with fencing tokens.
///
/// Guarantees: of two leases the later has the higher token, whoever took them. If the resource remembers the
/// highest token it was shown, in reads as in writes, and refuses lower ones, then no write of a superseded
/// holder lands, however long it slept.
/// Does **not** guarantee: anything towards a resource that does not check. Nor that the counter survives: it
/// must be kept (persisted, replicated) better than the lock itself, for a counter that starts again makes
/// every new holder look old.
#[derive(Debug, Clone)]
pub struct FencedLock<C> {
    lock: TokenLock<C>,
    connection: C,
    key: String,
    counter: String,
}

/// A lease with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fenced {
    /// For releasing and extending.
    pub lease: Lease,
    /// For the resource: higher than that of every earlier lease.
    pub fencing_token: u64,
}

impl<C: ConnectionLike + Clone> FencedLock<C> {
    /// A lock of that name. The counter's key is the lock's with `:fence` after it; in a cluster put the name in
    /// braces, so that both are on one node.
    pub fn new(connection: C, key: impl Into<String>) -> Self {
        let key = key.into();
        let counter = format!("{key}:fence");
        Self { lock: TokenLock::new(connection.clone(), key.clone()), connection, key, counter }
    }

    /// Takes it for `ttl` if it is free.
    pub async fn try_acquire(&mut self, ttl: Duration) -> RedisResult<Option<Fenced>> {
        let lease = Lease { token: format!("{:032x}", rand::random::<u128>()) };
        let mut call = ACQUIRE.key(&self.key);
        call.key(&self.counter).arg(&lease.token).arg(milliseconds(ttl));
        let fencing_token: u64 = call.invoke_async(&mut self.connection).await?;
        Ok((fencing_token > 0).then_some(Fenced { lease, fencing_token }))
    }

    /// Frees the lock if it is still this lease's. Says whether it was.
    pub async fn release(&mut self, fenced: &Fenced) -> RedisResult<bool> {
        self.lock.release(&fenced.lease).await
    }

    /// As [`TokenLock::hold`].
    pub async fn hold<T>(
        &self,
        fenced: &Fenced,
        ttl: Duration,
        timer: &Timer,
        work: impl Future<Output = T>,
    ) -> Held<T> {
        self.lock.hold(&fenced.lease, ttl, timer, work).await
    }
}
