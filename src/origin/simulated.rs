//! Items behind a simulated latency and a limited number of servers.
//!
//! The queue is computed, not acted out: a call takes the server that is free first and sleeps once, until
//! its own end. That keeps a 2 ms origin at 2 ms under any load, and a caller that gives up leaves its
//! query running, as a database would.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, LogNormal};

use super::{Item, Origin, OriginError, gauge::Gauge};
use crate::clock::Timer;

/// How long a call takes when there is no queue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Log-normal about a median.
    Lognormal {
        /// Median.
        median: Duration,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// `base`, but one call in `one_in` takes `spike`.
    Spiky {
        /// Usual latency.
        base: Duration,
        /// Latency of a spike.
        spike: Duration,
        /// One call in this many is a spike.
        one_in: u32,
    },
}

impl Latency {
    fn sample(&self, rng: &mut SmallRng) -> Duration {
        match *self {
            Self::Fixed(latency) => latency,
            Self::Lognormal { median, sigma } => {
                let factor = LogNormal::new(0.0, sigma.max(0.0)).map_or(1.0, |law| law.sample(rng));
                median.mul_f64(factor.min(1000.0))
            }
            Self::Spiky { base, spike, one_in } => {
                if one_in > 0 && rng.random_range(0..one_in) == 0 {
                    spike
                } else {
                    base
                }
            }
        }
    }

    /// The same law with another median (or base).
    #[must_use]
    pub fn with_median(self, median: Duration) -> Self {
        match self {
            Self::Fixed(_) => Self::Fixed(median),
            Self::Lognormal { sigma, .. } => Self::Lognormal { median, sigma },
            Self::Spiky { spike, one_in, .. } => Self::Spiky { base: median, spike, one_in },
        }
    }

    /// The median (or base).
    pub fn median(&self) -> Duration {
        match *self {
            Self::Fixed(median) | Self::Lognormal { median, .. } | Self::Spiky { base: median, .. } => median,
        }
    }
}

/// What a simulated origin is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimulatedSpec {
    /// Latency of one call.
    pub latency: Latency,
    /// Calls that run at once; more of them queue, first come first served. `None`: unlimited.
    pub capacity: Option<u32>,
    /// Share of calls that fail, after their latency.
    pub failures: f64,
    /// Share of ids that do not exist: of 0.25, every fourth.
    pub absent: f64,
    /// Bytes of a payload.
    pub payload: usize,
    /// Same seed: same latencies in the same order of calls.
    pub seed: u64,
}

/// Counted since the start, but for `peak`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Calls, writes included.
    pub calls: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls for ids that do not exist.
    pub absent: u64,
    /// Calls in flight, queued ones included.
    pub in_flight: u64,
    /// Most calls in flight at once since [`Simulated::take_peak`].
    pub peak: u64,
}

/// A slow, limited, failing store of versioned items.
#[derive(Debug)]
pub struct Simulated {
    timer: Timer,
    state: Mutex<State>,
    gauge: Gauge,
    filler: Bytes,
}

#[derive(Debug)]
struct State {
    spec: SimulatedSpec,
    slowdown: f64,
    rng: SmallRng,
    /// When each busy server is free again.
    servers: BinaryHeap<Reverse<Instant>>,
    versions: HashMap<u64, u64>,
    calls_by_id: HashMap<u64, u64>,
    statistics: Statistics,
}

impl Simulated {
    /// A new origin, idle.
    pub fn new(spec: SimulatedSpec, timer: Timer) -> Self {
        let state = State {
            spec,
            slowdown: 1.0,
            rng: SmallRng::seed_from_u64(spec.seed),
            servers: BinaryHeap::new(),
            versions: HashMap::new(),
            calls_by_id: HashMap::new(),
            statistics: Statistics::default(),
        };
        let filler = filler(spec.payload);
        Self { timer, state: Mutex::new(state), gauge: Gauge::default(), filler }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half-changed by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on calls take this long at the median.
    pub fn set_latency(&self, median: Duration) {
        let mut state = self.state();
        state.spec.latency = state.spec.latency.with_median(median);
    }

    /// The present median latency, without slowdown.
    pub fn latency(&self) -> Duration {
        self.state().spec.latency.median()
    }

    /// From now on latencies are multiplied.
    pub fn set_slowdown(&self, factor: f64) {
        self.state().slowdown = factor.max(0.0);
    }

    /// From now on so many calls run at once.
    pub fn set_capacity(&self, capacity: Option<u32>) {
        self.state().spec.capacity = capacity;
    }

    /// From now on this share of calls fails.
    pub fn set_failures(&self, share: f64) {
        self.state().spec.failures = share.clamp(0.0, 1.0);
    }

    /// Whether the id exists.
    pub fn exists(&self, id: u64) -> bool {
        self.state().exists(id)
    }

    /// The present version of an item, at once: for measuring staleness, not part of what a service can do.
    pub fn version(&self, id: u64) -> u64 {
        self.state().version(id)
    }

    /// Calls so far for one id.
    pub fn calls_for(&self, id: u64) -> u64 {
        self.state().calls_by_id.get(&id).copied().unwrap_or(0)
    }

    /// What was counted.
    pub fn statistics(&self) -> Statistics {
        Statistics { in_flight: self.gauge.now(), peak: self.gauge.peak(), ..self.state().statistics }
    }

    /// Most calls in flight at once since the last time this was asked.
    pub fn take_peak(&self) -> u64 {
        self.gauge.take_peak()
    }

    /// The item without a call, for preparing a cache.
    pub fn peek(&self, id: u64) -> Option<Item> {
        let state = self.state();
        state.exists(id).then(|| self.item(id, state.version(id)))
    }

    fn item(&self, id: u64, version: u64) -> Item {
        Item { id, version, payload: payload(id, version, &self.filler) }
    }

    /// Queues, waits, and says whether the call succeeded.
    async fn call(&self, id: u64) -> Result<(), OriginError> {
        let _inside = self.gauge.enter();
        let (end, fails) = self.state().admit(id, Instant::now());
        self.timer.sleep_until(end).await;
        if fails { Err(OriginError::Failed) } else { Ok(()) }
    }
}

impl State {
    /// Takes a server: when the call ends, and whether it fails.
    fn admit(&mut self, id: u64, now: Instant) -> (Instant, bool) {
        let service = self.spec.latency.sample(&mut self.rng).mul_f64(self.slowdown);
        while self.servers.peek().is_some_and(|Reverse(free)| *free <= now) {
            self.servers.pop();
        }
        let mut start = now;
        if let Some(capacity) = self.spec.capacity {
            // More busy than allowed after the capacity was lowered: the surplus has to finish first.
            while self.servers.len() >= capacity.max(1) as usize {
                start = self.servers.pop().map_or(now, |Reverse(free)| free);
            }
        }
        let end = start + service;
        if self.spec.capacity.is_some() {
            self.servers.push(Reverse(end));
        }
        let fails = self.spec.failures > 0.0 && self.rng.random_bool(self.spec.failures);
        self.statistics.calls += 1;
        self.statistics.failures += u64::from(fails);
        self.statistics.absent += u64::from(!self.exists(id));
        *self.calls_by_id.entry(id).or_insert(0) += 1;
        (end, fails)
    }

    /// Evenly spread over the ids, so that no seed makes the most popular one absent.
    fn exists(&self, id: u64) -> bool {
        let absent_upto = |id: u64| (id as f64 * self.spec.absent + 1e-9).floor();
        absent_upto(id) <= absent_upto(id.saturating_sub(1))
    }

    fn version(&self, id: u64) -> u64 {
        self.versions.get(&id).copied().unwrap_or(1)
    }
}

impl Origin for Simulated {
    fn get(&self, id: u64) -> BoxFuture<'_, Result<Option<Item>, OriginError>> {
        Box::pin(async move {
            self.call(id).await?;
            Ok(self.peek(id))
        })
    }

    fn put(&self, id: u64) -> BoxFuture<'_, Result<u64, OriginError>> {
        Box::pin(async move {
            self.call(id).await?;
            let mut state = self.state();
            let version = state.version(id) + 1;
            state.versions.insert(id, version);
            Ok(version)
        })
    }
}

/// Text that compresses about as well as real records do: field names and common words come again.
fn filler(length: usize) -> Bytes {
    const WORDS: [&str; 12] = [
        "\"colour\":\"",
        "\"size\":\"",
        "\"stock\":",
        "warm",
        "running",
        "shoe",
        "light",
        "winter",
        "\",",
        "leather",
        "outdoor",
        "classic",
    ];
    let mut rng = SmallRng::seed_from_u64(7);
    let mut text = String::with_capacity(length + 16);
    while text.len() < length {
        text.push_str(WORDS[rng.random_range(0..WORDS.len())]);
        text.push_str(&rng.random_range(0..1000_u32).to_string());
        text.push(' ');
    }
    text.truncate(length);
    Bytes::from(text)
}

fn payload(id: u64, version: u64, filler: &[u8]) -> Bytes {
    let mut text = format!("{{\"id\":{id},\"version\":{version},\"text\":\"").into_bytes();
    // Another id starts elsewhere in the filler, so that no two payloads are alike.
    let from = if filler.is_empty() { 0 } else { id as usize % filler.len() };
    let left = filler.len().saturating_sub(text.len() + 2);
    text.extend(filler[from..].iter().chain(&filler[..from]).take(left).map(|b| if *b == b'"' { b'\'' } else { *b }));
    text.extend_from_slice(b"\"}");
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn spec(latency: Latency) -> SimulatedSpec {
        SimulatedSpec { latency, capacity: None, failures: 0.0, absent: 0.0, payload: 64, seed: 1 }
    }

    fn origin(spec: SimulatedSpec) -> Simulated {
        Simulated::new(spec, Timer::start().expect("a thread"))
    }

    /// Ends of calls that all arrive at the same instant, in milliseconds after it.
    fn ends(origin: &Simulated, calls: usize, now: Instant) -> Vec<u128> {
        (0..calls).map(|_| (origin.state().admit(1, now).0 - now).as_millis()).collect()
    }

    #[test]
    fn calls_beyond_the_capacity_queue_first_come_first_served() {
        let now = Instant::now();
        let two = origin(SimulatedSpec { capacity: Some(2), ..spec(Latency::Fixed(ms(10))) });
        assert_eq!(ends(&two, 6, now), [10, 10, 20, 20, 30, 30]);
        assert_eq!(ends(&two, 1, now + ms(25)), [15], "one of them is free at 30, and takes 10 more");
        assert_eq!(ends(&two, 2, now + ms(100)), [10, 10], "idle again");
        assert_eq!(ends(&origin(spec(Latency::Fixed(ms(10)))), 3, now), [10, 10, 10], "unlimited");
    }

    #[test]
    fn capacity_and_speed_change_while_it_runs() {
        let now = Instant::now();
        let origin = origin(SimulatedSpec { capacity: Some(4), ..spec(Latency::Fixed(ms(10))) });
        assert_eq!(ends(&origin, 4, now), [10; 4]);
        origin.set_capacity(Some(1));
        assert_eq!(ends(&origin, 2, now), [20, 30], "the surplus has to finish first");
        origin.set_slowdown(3.0);
        assert_eq!(ends(&origin, 1, now + ms(100)), [30]);
        origin.set_slowdown(1.0);
        origin.set_latency(ms(4));
        assert_eq!(ends(&origin, 1, now + ms(200)), [4]);
    }

    #[test]
    fn latencies_follow_their_law() {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut sample = |law: Latency| {
            let mut all: Vec<f64> = (0..20_000).map(|_| law.sample(&mut rng).as_secs_f64() * 1e3).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let lognormal = sample(Latency::Lognormal { median: ms(20), sigma: 0.5 });
        assert!((lognormal[10_000] - 20.0).abs() < 0.5, "median {}", lognormal[10_000]);
        let p99 = 20.0 * f64::exp(0.5 * 2.326);
        assert!((lognormal[19_800] / p99 - 1.0).abs() < 0.08, "p99 {} is not {p99}", lognormal[19_800]);
        let spiky = sample(Latency::Spiky { base: ms(2), spike: ms(50), one_in: 20 });
        let spikes = spiky.iter().filter(|ms| **ms > 10.0).count();
        assert!((850..1150).contains(&spikes), "{spikes}");
    }

    #[test]
    fn absent_ids_are_a_share_of_all_and_never_the_first() {
        let origin = origin(SimulatedSpec { absent: 0.15, ..spec(Latency::Fixed(ms(1))) });
        let absent = (1..=1000).filter(|id| !origin.exists(*id)).count();
        assert_eq!(absent, 150);
        assert!(origin.exists(1) && origin.exists(2));
        assert_eq!(origin.peek(7), None, "the seventh is the first of 15 %");
    }

    /// A systematic error (tokio's timers add 0.9 ms) shows in every batch, a busy machine in some: the best counts.
    #[tokio::test]
    async fn the_median_latency_is_the_one_set() {
        for set in [1_u32, 2, 5, 20] {
            let origin = origin(spec(Latency::Fixed(ms(u64::from(set)))));
            let mut best = f64::INFINITY;
            for _ in 0..8 {
                let mut took = Vec::new();
                for _ in 0..11 {
                    let begun = Instant::now();
                    origin.get(1).await.expect("no failures").expect("exists");
                    took.push(begun.elapsed().as_secs_f64() * 1e3);
                }
                took.sort_by(f64::total_cmp);
                best = best.min(took[5]);
                if best <= f64::from(set) + allowed(set) {
                    break;
                }
            }
            assert!(best >= f64::from(set), "{best} ms is early");
            assert!(best <= f64::from(set) + allowed(set), "{best} ms instead of {set}");
        }
    }

    fn allowed(set: u32) -> f64 {
        (f64::from(set) * 0.05).max(0.1)
    }

    #[tokio::test]
    async fn writes_raise_versions_failures_are_counted_and_peaks_seen() {
        let origin = std::sync::Arc::new(origin(spec(Latency::Fixed(ms(5)))));
        assert_eq!(origin.put(3).await, Ok(2));
        let item = origin.get(3).await.expect("works").expect("exists");
        assert_eq!((item.version, origin.version(3), origin.version(4)), (2, 2, 1));
        assert_eq!(origin.calls_for(3), 2);
        origin.take_peak();
        let calls: Vec<_> = (0..5)
            .map(|id| {
                let origin = std::sync::Arc::clone(&origin);
                tokio::spawn(async move { origin.get(id).await.map(drop) })
            })
            .collect();
        for call in calls {
            call.await.expect("no panic").expect("works");
        }
        assert_eq!(origin.take_peak(), 5);
        assert_eq!(origin.take_peak(), 0);
        origin.set_failures(1.0);
        assert_eq!(origin.get(1).await, Err(OriginError::Failed));
        let statistics = origin.statistics();
        assert_eq!((statistics.calls, statistics.failures, statistics.in_flight), (8, 1, 0));
    }

    #[test]
    fn payloads_have_their_size_and_their_own_text() {
        let filler = filler(512);
        let (one, two) = (payload(1, 1, &filler), payload(2, 1, &filler));
        assert_eq!((one.len(), two.len()), (512, 512));
        assert_ne!(one[40..], two[40..]);
        serde_json::from_slice::<serde_json::Value>(&one).expect("JSON");
    }
}
