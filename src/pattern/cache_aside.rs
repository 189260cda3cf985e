//! Cache-aside (lazy loading): look in the cache; on a miss ask the origin and store the answer.
//!
//! Source: the pattern of the memcached era, described by Nishtala et al., *Scaling Memcache at Facebook*
//! (NSDI 2013, §2) as a demand-filled look-aside cache. Negative caching after RFC 2308.
//!
//! Guarantees: a value is at most one TTL older than when it was read from the origin; errors are never
//! stored; Redis being away costs time (at most two timeouts a request), never an answer; a value of another
//! schema or a damaged one is a miss.
//! Does **not** guarantee: that a reader sees the last write. With [`Config::invalidate`] a write deletes the
//! copy, and still a reader who fetched the old value before the write may store it after the delete (the
//! stale set race, NSDI 2013 §3.2.1): it then lives for a whole TTL. Nor that only one caller fetches a
//! missing value: everybody who misses asks the origin.

use std::{
    future::Future,
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use redis::{Cmd, FromRedisValue, aio::ConnectionLike};

use crate::origin::{Item, Origin, OriginError};

/// How a [`CacheAside`] behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Every key starts with it: `shop:`.
    pub prefix: String,
    /// Time to live of a value.
    pub ttl: Duration,
    /// Time to live of "there is no such id". `None`: every question about an unknown id reaches the origin.
    /// Keep it short, and delete it when the id is created.
    pub negative_ttl: Option<Duration>,
    /// Deflate values. Pays where values are large text and memory or bandwidth is short; costs CPU on both ways.
    pub compress: bool,
    /// A write through [`CacheAside::put`] deletes the copy, after the origin has accepted it.
    pub invalidate: bool,
    /// How long Redis may take for one command before the origin is asked instead.
    pub timeout: Duration,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// The cache.
    Hit,
    /// The cache, which remembered that there is no such id.
    NegativeHit,
    /// The origin, for the cache had nothing.
    Miss,
    /// The origin, for the cache could not be asked.
    Fallback,
}

/// An answer and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The item; `None`: there is no such id.
    pub item: Option<Item>,
    /// Where it came from.
    pub lookup: Lookup,
    /// Bytes of the value that was sent to Redis, if one was.
    pub stored: Option<usize>,
    /// Redis commands that failed or took too long.
    pub redis_errors: u32,
}

/// A failed answer: the origin's error, and what the lookup before it found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// Why.
    pub error: OriginError,
    /// [`Lookup::Miss`] or [`Lookup::Fallback`].
    pub lookup: Lookup,
}

/// A cache in front of an origin. Share it behind an `Arc`.
#[derive(Debug)]
pub struct CacheAside<C, O> {
    connection: C,
    origin: Arc<O>,
    config: Config,
    ttl: AtomicU64,
    schema: Arc<AtomicU32>,
}

/// The first byte of a stored value says how to read the rest.
const ABSENT: u8 = b'-';
const PLAIN: u8 = b'=';
const DEFLATED: u8 = b'z';

impl<C: ConnectionLike + Clone + Send + Sync, O: Origin> CacheAside<C, O> {
    /// A cache in front of `origin`. `schema` is the version that is part of every key: raise it when the form
    /// of values changes, and old ones are never read again. Share one among all copies of a service.
    pub fn new(connection: C, origin: Arc<O>, config: Config, schema: Arc<AtomicU32>) -> Self {
        let ttl = AtomicU64::new(milliseconds(config.ttl));
        Self { connection, origin, config, ttl, schema }
    }

    /// From now on values live this long.
    pub fn set_ttl(&self, ttl: Duration) {
        self.ttl.store(milliseconds(ttl), Ordering::Relaxed);
    }

    /// The item: from the cache, else from the origin. A failed cache is no error.
    pub async fn get(&self, id: u64) -> Result<Answer, Failure> {
        let key = key(&self.config.prefix, self.schema.load(Ordering::Relaxed), id);
        let (lookup, mut redis_errors) = match self.ask::<Option<Vec<u8>>>(redis::cmd("GET").arg(&key)).await {
            Ok(stored) => {
                let hit = |item, lookup| Ok(Answer { item, lookup, stored: None, redis_errors: 0 });
                match stored.map(|bytes| decode(id, &bytes)) {
                    Some(Stored::Item(item)) => return hit(Some(item), Lookup::Hit),
                    Some(Stored::Absent) => return hit(None, Lookup::NegativeHit),
                    Some(Stored::Foreign) | None => (Lookup::Miss, 0),
                }
            }
            Err(Unavailable) => (Lookup::Fallback, 1),
        };
        let item = self.origin.get(id).await.map_err(|error| Failure { error, lookup })?;
        let mut stored = None;
        // A cache that just failed to answer is not made to wait for a second time.
        if lookup == Lookup::Miss
            && let Some((value, ttl)) = self.encode(item.as_ref())
        {
            stored = Some(value.len());
            let set = redis::cmd("SET").arg(&key).arg(value).arg("PX").arg(ttl).to_owned();
            redis_errors += u32::from(self.ask::<()>(&set).await.is_err());
        }
        Ok(Answer { item, lookup, stored, redis_errors })
    }

    /// Writes at the origin, then deletes the copy if so configured. The order matters: deleted first, a reader
    /// could store the old value again before the origin has the new one.
    pub async fn put(&self, id: u64) -> Result<u64, OriginError> {
        let version = self.origin.put(id).await?;
        if self.config.invalidate {
            let key = key(&self.config.prefix, self.schema.load(Ordering::Relaxed), id);
            // Not deleted: the copy lives until its TTL, which is what the TTL is for.
            let _ = self.ask::<()>(redis::cmd("UNLINK").arg(&key)).await;
        }
        Ok(version)
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Unavailable> {
        let mut connection = self.connection.clone();
        within(self.config.timeout, command.query_async::<T>(&mut connection)).await
    }

    /// What to store and for how many milliseconds; `None`: nothing.
    fn encode(&self, item: Option<&Item>) -> Option<(Vec<u8>, u64)> {
        match item {
            Some(item) => Some((encode(item, self.config.compress), self.ttl.load(Ordering::Relaxed))),
            None => self.config.negative_ttl.map(|ttl| (encode_absence(), milliseconds(ttl))),
        }
    }
}

/// Redis failed or took too long; why does not matter to a cache.
struct Unavailable;

async fn within<T>(timeout: Duration, reply: impl Future<Output = redis::RedisResult<T>>) -> Result<T, Unavailable> {
    match tokio::time::timeout(timeout, reply).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) | Err(_) => Err(Unavailable),
    }
}

/// The key of an item: `shop:v3:item:17`.
pub fn key(prefix: &str, schema: u32, id: u64) -> String {
    format!("{prefix}v{schema}:item:{id}")
}

fn milliseconds(ttl: Duration) -> u64 {
    // PX 0 is an error to Redis.
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// The stored form of "there is no such id".
pub fn encode_absence() -> Vec<u8> {
    vec![ABSENT]
}

/// The stored form of an item: a tag, eight bytes of version, the payload.
pub fn encode(item: &Item, compress: bool) -> Vec<u8> {
    let mut value = Vec::with_capacity(item.payload.len() + 9);
    value.push(if compress { DEFLATED } else { PLAIN });
    value.extend_from_slice(&item.version.to_le_bytes());
    if compress {
        let mut encoder = DeflateEncoder::new(value, Compression::fast());
        // Writing to memory does not fail.
        let _ = encoder.write_all(&item.payload);
        return encoder.finish().unwrap_or_default();
    }
    value.extend_from_slice(&item.payload);
    value
}

/// Most bytes a compressed value may unfold to: a damaged one must not eat the memory.
const LARGEST: u64 = 64 << 20;

/// What a stored value says.
#[derive(Debug, PartialEq)]
enum Stored {
    Item(Item),
    Absent,
    /// Not a value of ours, or damaged.
    Foreign,
}

fn decode(id: u64, value: &[u8]) -> Stored {
    let item = |version: &[u8; 8], payload| Stored::Item(Item { id, version: u64::from_le_bytes(*version), payload });
    match value.split_first() {
        Some((&ABSENT, [])) => Stored::Absent,
        Some((&PLAIN, rest)) => match rest.split_first_chunk::<8>() {
            Some((version, body)) => item(version, Bytes::copy_from_slice(body)),
            None => Stored::Foreign,
        },
        Some((&DEFLATED, rest)) => match rest.split_first_chunk::<8>() {
            Some((version, body)) => inflate(body).map_or(Stored::Foreign, |payload| item(version, payload)),
            None => Stored::Foreign,
        },
        _ => Stored::Foreign,
    }
}

fn inflate(body: &[u8]) -> Option<Bytes> {
    let mut payload = Vec::new();
    DeflateDecoder::new(body).take(LARGEST).read_to_end(&mut payload).ok()?;
    Some(Bytes::from(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_values_come_back_and_damaged_ones_do_not() {
        let payload = Bytes::from("a shoe, a shoe, a shoe, a shoe, a shoe".repeat(8));
        let item = Item { id: 7, version: 3, payload };
        for compress in [false, true] {
            let stored = encode(&item, compress);
            assert_eq!(decode(7, &stored), Stored::Item(item.clone()));
            assert_eq!(decode(7, &stored[..5]), Stored::Foreign, "cut short");
        }
        assert!(encode(&item, true).len() < encode(&item, false).len() / 3);
        assert_eq!(decode(7, b"-"), Stored::Absent);
        assert_eq!(decode(7, b""), Stored::Foreign);
        assert_eq!(decode(7, b"{\"id\":7}"), Stored::Foreign, "somebody else's JSON");
        assert_eq!(decode(7, b"z12345678not deflate"), Stored::Foreign);
    }
}
