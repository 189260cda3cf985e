//! Read-through: the cache owns the loader; callers ask it alone, one key or many.
//!
//! Source: the pattern of Coherence and JCache (JSR 107, `CacheLoader::load` and `loadAll`); batching against N+1 as
//! in Facebook's DataLoader.
//!
//! Guarantees: a single key is loaded once at a time per process; of many keys the missing ones are loaded in one
//! call, each once, and answers keep the order asked, repeated keys included; one key's failure fails that key
//! alone; errors and absent keys are not stored; without Redis everything comes from the store.
//! Does **not** guarantee: that many keys are of one moment (`MGET` is one, the loads of its misses are
//! another). Nor freshness beyond the TTL.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use redis::{RedisResult, aio::ConnectionLike};

use super::{
    SingleFlight,
    fetched::milliseconds,
    store::{Loaded, Store, Versioned},
};
use crate::origin::OriginError;

type One = Result<Option<Bytes>, OriginError>;

/// A cache with a loader of its own.
#[derive(Debug)]
pub struct ReadThrough<C, S> {
    connection: C,
    store: Arc<S>,
    prefix: String,
    ttl: Duration,
    flights: SingleFlight<String, One>,
}

impl<C, S> ReadThrough<C, S>
where
    C: ConnectionLike + Clone + Send + Sync + 'static,
    S: Store,
{
    /// In front of `store`; keys in Redis start with `prefix`.
    pub fn new(connection: C, store: Arc<S>, prefix: impl Into<String>, ttl: Duration) -> Self {
        Self { connection, store, prefix: prefix.into(), ttl, flights: SingleFlight::new() }
    }

    /// The value; `None`: there is no such key.
    pub async fn get(&self, key: &str) -> One {
        let cached = self.cached(std::slice::from_ref(&key)).await;
        if let Ok([Some(value)]) = cached.as_deref() {
            return Ok(Some(value.clone()));
        }
        let (connection, store, name) = (self.connection.clone(), Arc::clone(&self.store), self.name(key));
        let (key, ttl) = (key.to_owned(), self.ttl);
        let flight = self.flights.run(key.clone(), move || async move {
            let loaded = store.load(&key).await?;
            if let Some(loaded) = &loaded {
                // Not stored: the next caller loads.
                let _ = keep(connection, [(name, loaded.value.clone())], ttl).await;
            }
            Ok(loaded.map(|loaded| loaded.value))
        });
        flight.await.0
    }

    /// The values, in the order of the keys: one round trip to Redis, and at most one call to the store.
    pub async fn get_many(&self, keys: &[&str]) -> Vec<One> {
        if keys.is_empty() {
            return Vec::new();
        }
        let cached = self.cached(keys).await.unwrap_or_else(|_| vec![None; keys.len()]);
        let mut found: HashMap<&str, One> = HashMap::new();
        let mut missing = Vec::new();
        for (key, value) in keys.iter().zip(cached) {
            match value {
                Some(value) => drop(found.insert(key, Ok(Some(value)))),
                None if !missing.iter().any(|known| known == key) => missing.push((*key).to_owned()),
                None => {}
            }
        }
        let loaded = self.load(&missing).await;
        found.extend(missing.iter().map(String::as_str).zip(loaded));
        // Each key is in there; a store that answered too few is treated as one that failed.
        keys.iter().map(|key| found.get(key).cloned().unwrap_or(Err(OriginError::Failed))).collect()
    }

    async fn load(&self, missing: &[String]) -> Vec<One> {
        if missing.is_empty() {
            return Vec::new();
        }
        let loaded: Loaded = match self.store.load_many(missing).await {
            Ok(loaded) => loaded,
            Err(error) => return vec![Err(error); missing.len()],
        };
        let present = missing.iter().zip(&loaded).filter_map(|(key, loaded)| match loaded {
            Ok(Some(Versioned { value, .. })) => Some((self.name(key), value.clone())),
            _ => None,
        });
        // Not stored: the next caller loads.
        let _ = keep(self.connection.clone(), present, self.ttl).await;
        loaded.into_iter().map(|one| one.map(|found| found.map(|found| found.value))).collect()
    }

    async fn cached(&self, keys: &[&str]) -> RedisResult<Vec<Option<Bytes>>> {
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(self.name(key));
        }
        let found: Vec<Option<Vec<u8>>> = command.query_async(&mut self.connection.clone()).await?;
        Ok(found.into_iter().map(|value| value.map(Bytes::from)).collect())
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

async fn keep<C: ConnectionLike>(
    mut connection: C,
    values: impl IntoIterator<Item = (String, Bytes)>,
    ttl: Duration,
) -> RedisResult<()> {
    let mut pipe = redis::pipe();
    for (name, value) in values {
        pipe.cmd("SET").arg(name).arg(value.as_ref()).arg("PX").arg(milliseconds(ttl)).ignore();
    }
    if pipe.is_empty() {
        return Ok(());
    }
    pipe.query_async(&mut connection).await
}
