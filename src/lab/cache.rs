//! The traffic of a cache lab: requests for items, answered by a pattern in front of a simulated origin.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    count::{Count, Counters},
    link::Link,
    measure::Recorders,
};
use crate::{
    clock::Timer,
    course::lab::{CacheAsideSpec, Pattern},
    origin::{Origin, Simulated},
    pattern::{
        CacheAside,
        cache_aside::{Config, Failure, Lookup, encode, encode_absence, key},
    },
    stats::Recorder,
    workload::{Keys, Kind, Request},
};

/// A request that starts later than this after its time is counted as late.
const LATE: Duration = Duration::from_millis(2);

/// One variant's pattern under traffic.
pub(super) struct CacheTraffic {
    pub origin: Arc<Simulated>,
    pub counters: Arc<Counters>,
    /// The cache is bypassed.
    pub off: AtomicBool,
    pub in_flight: AtomicU64,
    prefix: String,
    schema: Arc<AtomicU32>,
    workers: Vec<Worker>,
    spec: Option<CacheAsideSpec>,
}

struct Worker {
    /// `None`: the variant has no cache.
    cache: Option<CacheAside<Link, Simulated>>,
    response: Recorder,
    service: Recorder,
}

impl CacheTraffic {
    /// One worker per link.
    pub fn new(
        pattern: &Pattern,
        links: Vec<Link>,
        origin: Arc<Simulated>,
        prefix: &str,
        recorders: &mut Recorders,
    ) -> Self {
        let spec = match pattern {
            Pattern::CacheAside(spec) => Some(spec.clone()),
            Pattern::Uncached | Pattern::Lock(_) => None,
        };
        let schema = Arc::new(AtomicU32::new(1));
        // All tasks of a variant are on one thread: one recorder serves them all.
        let (response, service) = (recorders.response.recorder(), recorders.service.recorder());
        let worker = |link: Link| Worker {
            cache: spec
                .as_ref()
                .map(|spec| CacheAside::new(link, Arc::clone(&origin), config(spec, prefix), Arc::clone(&schema))),
            response: response.clone(),
            service: service.clone(),
        };
        let workers = links.into_iter().map(worker).collect();
        Self {
            counters: Arc::default(),
            off: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            prefix: prefix.to_owned(),
            origin,
            schema,
            workers,
            spec,
        }
    }

    /// Number of workers.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// From now on values live this long.
    pub fn set_ttl(&self, ttl: Duration) {
        for cache in self.workers.iter().filter_map(|worker| worker.cache.as_ref()) {
            cache.set_ttl(ttl);
        }
    }

    /// Old values are of an old schema from now on.
    pub fn raise_schema(&self) {
        self.schema.fetch_add(1, Ordering::Relaxed);
    }

    /// Every key this variant may have written, for ids `1..=count`.
    pub fn keys(&self, count: u64) -> impl Iterator<Item = String> + '_ {
        let schemas = if self.spec.is_some() { self.schema.load(Ordering::Relaxed) } else { 0 };
        (1..=schemas).flat_map(move |schema| (1..=count).map(move |id| key(&self.prefix, schema, id)))
    }

    /// Answers one request and counts what came of it. `due` is when it should have been sent.
    async fn request(&self, worker: usize, request: Request, due: Instant) {
        let worker = &self.workers[worker % self.workers.len()];
        let begun = Instant::now();
        if begun.saturating_duration_since(due) > LATE {
            self.counters.one(Count::Late);
        }
        match request.kind {
            Kind::Read => self.read(worker, request.id).await,
            Kind::Write => self.write(worker, request.id).await,
        }
        worker.service.record(begun.elapsed());
        worker.response.record(due.elapsed());
        self.counters.one(Count::Operations);
    }

    async fn read(&self, worker: &Worker, id: u64) {
        let cache = worker.cache.as_ref().filter(|_| !self.off.load(Ordering::Relaxed));
        let Some(cache) = cache else {
            if self.origin.get(id).await.is_err() {
                self.counters.one(Count::Errors);
            }
            return;
        };
        match cache.get(id).await {
            Ok(answer) => {
                self.looked_up(answer.lookup);
                self.counters.add(Count::RedisErrors, u64::from(answer.redis_errors));
                if let Some(bytes) = answer.stored {
                    self.counters.one(Count::Stores);
                    self.counters.add(Count::StoredBytes, bytes as u64);
                }
                let hit = answer.lookup == Lookup::Hit;
                if hit && answer.item.is_some_and(|item| item.version < self.origin.version(id)) {
                    self.counters.one(Count::Stale);
                }
            }
            Err(Failure { lookup, .. }) => {
                self.looked_up(lookup);
                self.counters.add(Count::RedisErrors, u64::from(lookup == Lookup::Fallback));
                self.counters.one(Count::Errors);
            }
        }
    }

    fn looked_up(&self, lookup: Lookup) {
        match lookup {
            Lookup::Hit => self.counters.one(Count::Hits),
            Lookup::NegativeHit => {
                self.counters.one(Count::Hits);
                self.counters.one(Count::NegativeHits);
            }
            Lookup::Miss => self.counters.one(Count::Misses),
            // Redis did not answer: neither a hit nor a miss, for the server counted neither.
            Lookup::Fallback => {}
        }
    }

    async fn write(&self, worker: &Worker, id: u64) {
        let written = match &worker.cache {
            Some(cache) => cache.put(id).await,
            None => self.origin.put(id).await,
        };
        if written.is_err() {
            self.counters.one(Count::Errors);
        }
    }

    /// Stores what a cache that has long been in use would hold: each id expires and comes back in a cycle of
    /// TTL, time until somebody asks, and time to fetch; the ids stand at evenly spread points of theirs.
    pub async fn prefill(&self, link: &mut Link, keys: &Keys, reads: f64) -> redis::RedisResult<()> {
        let Some(spec) = &self.spec else { return Ok(()) };
        let fetch = self.origin.latency().as_secs_f64() * 1000.0;
        let mut pipeline = redis::pipe();
        let mut pending = 0;
        for (index, probability) in keys.probabilities().into_iter().enumerate() {
            let id = index as u64 + 1;
            let (value, ttl) = match (self.origin.peek(id), spec.negative_ttl) {
                (Some(item), _) => (encode(&item, spec.compress), spec.ttl),
                (None, Some(ttl)) => (encode_absence(), ttl),
                (None, None) => continue,
            };
            let asked_every = 1000.0 / (reads * probability).max(1e-9);
            // The golden ratio spreads any number of points evenly, whatever their order.
            let point = (id as f64 * 0.618_033_988_749_895).fract() * (ttl + asked_every + fetch);
            if point >= ttl {
                continue;
            }
            let left = ((ttl - point) as u64).max(1);
            pipeline.cmd("SET").arg(key(&self.prefix, 1, id)).arg(value).arg("PX").arg(left).ignore();
            pending += 1;
            if pending == 500 {
                std::mem::replace(&mut pipeline, redis::pipe()).query_async::<()>(link).await?;
                pending = 0;
            }
        }
        if pending > 0 {
            pipeline.query_async::<()>(link).await?;
        }
        Ok(())
    }

    /// The hit ratio that theory predicts for Poisson reads at this rate: an id asked for λ times a second is a
    /// hit with λT/(1 + λ(T + L)): one miss a cycle, and those who come while it is fetched.
    pub fn model(&self, keys: &Keys, reads: f64, ttl: Option<Duration>) -> Option<f64> {
        let spec = self.spec.as_ref()?;
        let ttl = ttl.map_or(spec.ttl / 1000.0, |ttl| ttl.as_secs_f64());
        let fetch = self.origin.latency().as_secs_f64();
        let hit = |(index, probability): (usize, &f64)| {
            let lambda = reads * probability;
            let exists = self.origin.exists(index as u64 + 1);
            let ttl = if exists { ttl } else { spec.negative_ttl.unwrap_or(0.0) / 1000.0 };
            probability * lambda * ttl / (1.0 + lambda * (ttl + fetch))
        };
        Some(keys.probabilities().iter().enumerate().map(hit).sum())
    }
}

fn config(spec: &CacheAsideSpec, prefix: &str) -> Config {
    Config {
        prefix: prefix.to_owned(),
        ttl: milliseconds(spec.ttl),
        negative_ttl: spec.negative_ttl.map(milliseconds),
        compress: spec.compress,
        invalidate: spec.invalidate,
        timeout: milliseconds(spec.timeout),
    }
}

/// Milliseconds as they stand in a `lab.toml`.
pub(super) fn milliseconds(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}

/// A request on its way, from before it is sent until it is answered or dropped.
pub(super) struct InFlight(Arc<CacheTraffic>);

impl InFlight {
    pub fn new(traffic: &Arc<CacheTraffic>) -> Self {
        traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(traffic))
    }

    /// Answers it.
    pub async fn request(self, worker: usize, request: Request, due: Instant) {
        self.0.request(worker, request, due).await;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A closed loop: the next request when the last is answered.
pub(super) async fn closed_loop(
    traffic: Arc<CacheTraffic>,
    worker: usize,
    requests: super::traffic::SharedRequests,
    think: Duration,
    (mut gate, timer): (super::traffic::Gate, Timer),
) {
    loop {
        gate.open().await;
        let request = requests.next_request();
        InFlight::new(&traffic).request(worker, request, Instant::now()).await;
        if !think.is_zero() {
            timer.sleep(think).await;
        }
    }
}
