//! Events in a stream: who was away reads on where it stopped.

use redis::{RedisResult, aio::ConnectionLike, streams::StreamReadReply};

use super::{Changed, LocalCache};

/// Appends an event and keeps about the last `keep` of them. The id is `0-1`, `0-2`, …: the server counts, and a
/// reader sees from two numbers that nothing was between them (needs Redis 7).
pub async fn publish<C: ConnectionLike>(
    connection: &mut C,
    stream: &str,
    changed: &Changed,
    keep: usize,
) -> RedisResult<()> {
    let mut command = redis::cmd("XADD");
    command.arg(stream).arg("MAXLEN").arg("~").arg(keep.max(1)).arg("0-*");
    command.arg("key").arg(&changed.key).arg("version").arg(changed.version);
    command.query_async(connection).await
}

/// What one step of a [`Tail`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Applied so many events; 0: it has seen all.
    Applied(usize),
    /// Events that it had not seen are gone (trimmed, or the stream was begun anew): the cache was emptied.
    Gap,
}

/// Follows a stream into a [`LocalCache`].
///
/// Guarantees: every event is applied at least once, in order, however long it was away, or else the gap is noticed
/// and everything dropped; values that no missed event was about survive a cut.
/// Does **not** guarantee: to notice that a stream was deleted and grew longer than it was before the next step. Its
/// lag is the pause between two steps.
#[derive(Debug)]
pub struct Tail<C> {
    connection: C,
    stream: String,
    cache: LocalCache,
    /// Number of the last event seen.
    seen: u64,
}

impl<C: ConnectionLike + Clone> Tail<C> {
    /// Begins after the newest event, with an empty cache.
    pub async fn begin(connection: C, stream: impl Into<String>, cache: LocalCache) -> RedisResult<Self> {
        let mut tail = Self { connection, stream: stream.into(), cache, seen: 0 };
        tail.seen = tail.newest().await?;
        tail.cache.connected();
        Ok(tail)
    }

    /// Goes on over a new connection, after a cut.
    pub fn reconnect(&mut self, connection: C) {
        self.connection = connection;
    }

    /// Number of the last event applied.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Applies up to `most` events. Call it in a loop, with a pause when there was nothing.
    ///
    /// # Errors
    /// Redis's: nothing is lost, step again when it is back. Until then the cache answers what it had.
    pub async fn step(&mut self, most: usize) -> RedisResult<Step> {
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(most.max(1)).arg("STREAMS").arg(&self.stream).arg(format!("0-{}", self.seen));
        let reply: Option<StreamReadReply> = command.query_async(&mut self.connection).await?;
        let events = reply.and_then(|reply| reply.keys.into_iter().next()).map_or(Vec::new(), |key| key.ids);
        let mut applied = 0;
        for event in events {
            let changed = event.get("key").zip(event.get("version")).map(|(key, version)| Changed { key, version });
            match (number(&event.id), changed) {
                (Some(number), Some(changed)) if number == self.seen + 1 => self.cache.apply(&changed),
                _ => return self.gap().await,
            }
            self.seen += 1;
            applied += 1;
        }
        if applied == 0 && self.newest().await? < self.seen {
            return self.gap().await;
        }
        Ok(Step::Applied(applied))
    }

    /// Begins again at the end.
    async fn gap(&mut self) -> RedisResult<Step> {
        self.seen = self.newest().await?;
        self.cache.connected();
        Ok(Step::Gap)
    }

    /// Number of the newest event; 0: there is none.
    async fn newest(&mut self) -> RedisResult<u64> {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(&self.stream).arg("+").arg("-").arg("COUNT").arg(1);
        let reply: redis::streams::StreamRangeReply = command.query_async(&mut self.connection).await?;
        Ok(reply.ids.first().and_then(|event| number(&event.id)).unwrap_or(0))
    }
}

fn number(id: &str) -> Option<u64> {
    id.strip_prefix("0-")?.parse().ok()
}
