//! Write-behind: a write is acknowledged when Redis has it; a worker brings it to the store later, and several
//! writes of one key as one.
//!
//! Source: the write-behind of Coherence and JCache; the lent set is the reliable queue of the Redis documentation
//! (`LMOVE`), with a deadline as SQS's visibility timeout.
//!
//! Guarantees: what was acknowledged reaches the store, in order per key, although workers die between any two
//! steps (their work is lent again after a deadline, with the same number); a key is with one worker at a time; a
//! write that comes while its key is with a worker is neither lost nor merged into what the worker holds; a refused
//! write stays queued.
//! Does **not** guarantee: durability beyond Redis's own: killed without AOF, or failed over, it loses the queue.
//! Nor that a batch is applied once: a worker that died after the store said yes has applied it. The store must
//! remember the last [`Batch::number`] of each key and ignore lower or equal ones; then the effect is once, also
//! for sums.

use std::{
    future::Future,
    sync::LazyLock,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use redis::{RedisResult, Script, aio::ConnectionLike};

use super::fetched::milliseconds;

/// KEYS: pending (hash: key → merged value), order (zset: key → place), taken (hash: key → number:value), lent
/// (zset: key → deadline), number. A key waits in `order` at most once.
const PRELUDE: &str = r"
local pending, order, taken, lent, number = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function int(n) return string.format('%.0f', n) end
";

/// Merges into what waits for the key. A key that is already waiting is merged however full the queue is.
static PUT: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local key, value, merge, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('HEXISTS', pending, key) == 0 and redis.call('HLEN', pending) >= most then return -1 end
if merge == 'add' then redis.call('HINCRBY', pending, key, value) else redis.call('HSET', pending, key, value) end
if not redis.call('HGET', taken, key) then redis.call('ZADD', order, 'NX', int(redis.call('INCR', number)), key) end
return redis.call('HLEN', pending)
",
    )
});

/// Lends up to so many keys: first those whose worker let the deadline pass, unchanged; then waiting ones.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local most, deadline, batch = tonumber(ARGV[1]), int(now + tonumber(ARGV[2])), {}
local function lend(key)
  redis.call('ZADD', lent, deadline, key)
  table.insert(batch, key)
  table.insert(batch, redis.call('HGET', taken, key))
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', lent, '-inf', int(now), 'LIMIT', 0, most)) do lend(key) end
if #batch / 2 < most then
  for _, key in ipairs(redis.call('ZRANGE', order, 0, most - #batch / 2 - 1)) do
    redis.call('ZREM', order, key)
    redis.call('HSET', taken, key, int(redis.call('INCR', number)) .. ':' .. redis.call('HGET', pending, key))
    redis.call('HDEL', pending, key)
    lend(key)
  end
end
return batch
",
    )
});

/// Ends a loan, if it is still of this number; what came for the key meanwhile takes its place in the queue.
static ACKNOWLEDGE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local key, mine = ARGV[1], ARGV[2] .. ':'
local held = redis.call('HGET', taken, key)
if not held or string.sub(held, 1, #mine) ~= mine then return 0 end
redis.call('HDEL', taken, key)
redis.call('ZREM', lent, key)
if redis.call('HEXISTS', pending, key) == 1 then
  redis.call('ZADD', order, 'NX', int(redis.call('INCR', number)), key)
end
return 1
",
    )
});

/// The loan stays, and is due again at once: refused work is not given up.
static RETURN: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local mine = ARGV[2] .. ':'
local held = redis.call('HGET', taken, ARGV[1])
if held and string.sub(held, 1, #mine) == mine then redis.call('ZADD', lent, 'XX', int(now), ARGV[1]) end
return 1
",
    )
});

fn script(body: &str) -> Script {
    Script::new(&format!("{PRELUDE}{body}"))
}

/// How several writes of one key become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Merge {
    /// The last one counts.
    Replace,
    /// Values are whole numbers and add up.
    Add,
}

/// How a [`WriteBehind`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How writes of one key are merged.
    pub merge: Merge,
    /// Keys that may wait. More are refused: memory is no infinite queue.
    pub capacity: usize,
    /// How long a worker may take before its work is lent again. Well above the store's slowest good answer.
    pub loan: Duration,
    /// Keys that are written to the store at the same time.
    pub parallel: usize,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Queued; so many keys wait.
    Queued(usize),
    /// The queue is full: slow down, or write to the store directly.
    Full,
}

/// One key's merged write, lent to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The key.
    pub key: String,
    /// The last value, or the sum.
    pub value: Vec<u8>,
    /// Rises with each batch of a key; the same when a batch is lent again. The store ignores what is not above
    /// the last one it applied.
    pub number: u64,
}

/// What a flush did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flushed {
    /// Keys written to the store.
    pub applied: usize,
    /// Keys that the store refused; they are tried again.
    pub refused: usize,
}

/// A durable, coalescing queue of writes.
#[derive(Debug, Clone)]
pub struct WriteBehind<C> {
    connection: C,
    keys: [String; 5],
    config: Config,
}

impl<C: ConnectionLike + Clone + Send + Sync> WriteBehind<C> {
    /// The queue of that name. In a cluster put the name in braces: its five keys must be on one node.
    pub fn new(connection: C, name: &str, config: Config) -> Self {
        let keys = ["pending", "order", "taken", "lent", "number"].map(|part| format!("{name}:{part}"));
        Self { connection, keys, config }
    }

    /// Queues a write; acknowledged when this returns. With [`Merge::Add`] the value is a whole number in decimal.
    pub async fn put(&self, key: &str, value: &[u8]) -> RedisResult<Accepted> {
        let merge = if self.config.merge == Merge::Add { "add" } else { "replace" };
        let mut call = self.call(&PUT);
        call.arg(key).arg(value).arg(merge).arg(self.config.capacity);
        let depth: i64 = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(usize::try_from(depth).map_or(Accepted::Full, Accepted::Queued))
    }

    /// What a reader must see before the store has it (read your writes), the newest first: the merged value
    /// that waits, and the one that is with a worker. With [`Merge::Add`] both are to be added to what the store
    /// has, unless the store has applied the second already.
    pub async fn unwritten(&self, key: &str) -> RedisResult<(Option<Vec<u8>>, Option<Vec<u8>>)> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        pipe.cmd("HGET").arg(&self.keys[0]).arg(key).cmd("HGET").arg(&self.keys[2]).arg(key);
        let (pending, taken): (Option<Vec<u8>>, Option<Vec<u8>>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        Ok((pending, taken.and_then(|held| split(&held)).map(|(_, value)| value)))
    }

    /// Keys that wait and keys that are with workers.
    pub async fn depth(&self) -> RedisResult<(usize, usize)> {
        let mut pipe = redis::pipe();
        pipe.cmd("HLEN").arg(&self.keys[0]).cmd("HLEN").arg(&self.keys[2]);
        pipe.query_async(&mut self.connection.clone()).await
    }

    /// Borrows up to `most` keys' writes. Each must be acknowledged, or it is lent again after the deadline.
    pub async fn take(&self, most: usize) -> RedisResult<Vec<Batch>> {
        let mut call = self.call(&TAKE);
        call.arg(most).arg(milliseconds(self.config.loan));
        let flat: Vec<Vec<u8>> = call.invoke_async(&mut self.connection.clone()).await?;
        let batch = |pair: &[Vec<u8>]| {
            let (number, value) = split(&pair[1])?;
            Some(Batch { key: String::from_utf8_lossy(&pair[0]).into_owned(), value, number })
        };
        Ok(flat.chunks_exact(2).filter_map(batch).collect())
    }

    /// The store has it. `false`: the loan had run out and another worker has ended it.
    pub async fn acknowledge(&self, batch: &Batch) -> RedisResult<bool> {
        let mut call = self.call(&ACKNOWLEDGE);
        call.arg(&batch.key).arg(batch.number).invoke_async(&mut self.connection.clone()).await
    }

    /// Takes up to `most` keys and brings them to the store with `apply`.
    ///
    /// # Errors
    /// Redis's. The store's are no error: what it refused is tried again by a later flush.
    pub async fn flush<F, E>(&self, most: usize, apply: impl Fn(Batch) -> F) -> RedisResult<Flushed>
    where
        F: Future<Output = Result<(), E>>,
    {
        let batches = self.take(most).await?;
        let work = batches.into_iter().map(|batch| {
            let applied = apply(batch.clone());
            async move {
                if applied.await.is_ok() {
                    return self.acknowledge(&batch).await.map(|_| true);
                }
                let mut call = self.call(&RETURN);
                call.arg(&batch.key).arg(batch.number);
                call.invoke_async::<()>(&mut self.connection.clone()).await.map(|()| false)
            }
        });
        let outcomes: Vec<_> = stream::iter(work).buffer_unordered(self.config.parallel.max(1)).collect().await;
        outcomes.into_iter().try_fold(Flushed::default(), |mut flushed, outcome| {
            if outcome? {
                flushed.applied += 1;
            } else {
                flushed.refused += 1;
            }
            Ok(flushed)
        })
    }

    /// Flushes until nothing waits and nothing is lent, before a shutdown. `false`: not done by the deadline; what
    /// is left is for the next worker.
    ///
    /// # Errors
    /// Redis's.
    pub async fn drain<F, E>(&self, deadline: Instant, apply: impl Fn(Batch) -> F) -> RedisResult<bool>
    where
        F: Future<Output = Result<(), E>>,
    {
        while Instant::now() < deadline {
            let flushed = self.flush(100, &apply).await?;
            if self.depth().await? == (0, 0) {
                return Ok(true);
            }
            if flushed.applied == 0 {
                // The store refuses, or another worker holds the rest.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(false)
    }

    fn call<'a>(&self, script: &'a Script) -> redis::ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        for key in &self.keys {
            call.key(key);
        }
        call
    }
}

/// `number:value`.
fn split(held: &[u8]) -> Option<(u64, Vec<u8>)> {
    let colon = held.iter().position(|byte| *byte == b':')?;
    let number = std::str::from_utf8(&held[..colon]).ok()?.parse().ok()?;
    Some((number, held[colon + 1..].to_vec()))
}
