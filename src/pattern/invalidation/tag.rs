//! Tags: one step hides all values that bear one.

use std::time::Duration;

use bytes::Bytes;
use redis::{RedisResult, aio::ConnectionLike};

use crate::pattern::fetched::milliseconds;

/// Values that depend on tags. A tag's key holds its *generation*, a random number; a value holds the generations
/// that its tags had before it was loaded, and counts only as long as they still have them.
///
/// Guarantees: [`TagCache::invalidate`] costs the same for one member as for a million, and hides all of them at
/// once, also those that are being loaded just then; a lost generation (evicted, flushed) hides values, and never
/// brings one back, as a counter that starts again at 0 would.
/// Does **not** guarantee: freed memory: hidden values stay until their TTL. Tags must be known before the load.
#[derive(Debug, Clone)]
pub struct TagCache<C> {
    connection: C,
    prefix: String,
    ttl: Duration,
}

/// What a lookup found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The value, and no tag of its was invalidated since.
    Hit(Bytes),
    /// Nothing: load, then give this back with the value.
    Miss(Ticket),
}

/// The generations before a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    key: String,
    tags: Vec<String>,
    generations: Vec<u64>,
}

impl<C: ConnectionLike + Clone + Send + Sync> TagCache<C> {
    /// Values live for `ttl`, under `prefix`.
    pub fn new(connection: C, prefix: impl Into<String>, ttl: Duration) -> Self {
        Self { connection, prefix: prefix.into(), ttl }
    }

    /// Looks up `key`, which depends on `tags`: one round trip, two when a tag is new.
    pub async fn get(&self, key: &str, tags: &[&str]) -> RedisResult<Found> {
        let key = format!("{}value:{key}", self.prefix);
        let tags: Vec<_> = tags.iter().map(|tag| self.tag(tag)).collect();
        // One command: value and generations are of one moment.
        let mut command = redis::cmd("MGET");
        command.arg(&key).arg(&tags);
        let mut found: Vec<Option<Vec<u8>>> = command.query_async(&mut self.connection.clone()).await?;
        let generations: Vec<Option<u64>> =
            found.split_off(1).into_iter().map(|generation| number(generation.as_deref()?)).collect();
        if let Some(value) = found.pop().flatten()
            && let Some(value) = current(&value, &generations)
        {
            return Ok(Found::Hit(value));
        }
        let generations = match generations.into_iter().collect() {
            Some(generations) => generations,
            None => self.begin(&tags).await?,
        };
        Ok(Found::Miss(Ticket { key, tags, generations }))
    }

    /// Stores what was loaded after the miss. Of a tag that was invalidated since, nobody will see it.
    pub async fn fill(&self, ticket: &Ticket, value: &[u8]) -> RedisResult<()> {
        let mut bytes = vec![u8::try_from(ticket.generations.len()).unwrap_or(u8::MAX)];
        bytes.extend(ticket.generations.iter().flat_map(|generation| generation.to_le_bytes()));
        bytes.extend_from_slice(value);
        let mut pipe = redis::pipe();
        pipe.cmd("SET").arg(&ticket.key).arg(bytes).arg("PX").arg(milliseconds(self.ttl)).ignore();
        for tag in &ticket.tags {
            // A generation that ends before its values only hides them early.
            pipe.cmd("PEXPIRE").arg(tag).arg(milliseconds(self.ttl * 2)).ignore();
        }
        pipe.query_async(&mut self.connection.clone()).await
    }

    /// Hides every value that bears the tag.
    pub async fn invalidate(&self, tag: &str) -> RedisResult<()> {
        let mut command = redis::cmd("SET");
        command.arg(self.tag(tag)).arg(generation()).arg("PX").arg(milliseconds(self.ttl * 2));
        command.query_async(&mut self.connection.clone()).await
    }

    /// Gives new tags their first generation, and reads all.
    async fn begin(&self, tags: &[String]) -> RedisResult<Vec<u64>> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        for tag in tags {
            let ttl = milliseconds(self.ttl * 2);
            pipe.cmd("SET").arg(tag).arg(generation()).arg("NX").arg("PX").arg(ttl).ignore();
        }
        pipe.cmd("MGET").arg(tags);
        let (generations,): (Vec<u64>,) = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(generations)
    }

    fn tag(&self, tag: &str) -> String {
        format!("{}tag:{tag}", self.prefix)
    }
}

fn generation() -> u64 {
    rand::random()
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The value, if it was stored under these generations.
fn current(stored: &[u8], generations: &[Option<u64>]) -> Option<Bytes> {
    let (count, rest) = stored.split_first()?;
    if usize::from(*count) != generations.len() || rest.len() < generations.len() * 8 {
        return None;
    }
    let (held, value) = rest.split_at(generations.len() * 8);
    let same = held
        .chunks_exact(8)
        .zip(generations)
        .all(|(held, generation)| generation.is_some_and(|generation| generation.to_le_bytes().as_slice() == held));
    same.then(|| Bytes::copy_from_slice(value))
}
