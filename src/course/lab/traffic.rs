//! The origin and the traffic of an experiment.

use serde::Deserialize;

/// The simulated origin.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OriginSpec {
    /// How long one call takes when there is no queue.
    pub latency: LatencyLaw,
    /// Calls that run at once; more of them queue. Absent: unlimited.
    pub capacity: Option<u32>,
    /// Share of calls that fail.
    #[serde(default)]
    pub failures: f64,
    /// Share of ids that do not exist.
    #[serde(default)]
    pub absent: f64,
    /// Bytes of one item's payload (JSON-like text).
    #[serde(default = "default_payload")]
    pub payload: usize,
}

fn default_payload() -> usize {
    512
}

/// A latency distribution, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum LatencyLaw {
    /// Always this.
    Fixed(f64),
    /// Log-normal about a median.
    Lognormal {
        /// Median.
        median: f64,
        /// Standard deviation of the logarithm; 0.5 gives p99 = 3.2 medians.
        sigma: f64,
    },
    /// `base`, but one call in `one_in` takes `spike`.
    #[serde(rename_all = "kebab-case")]
    Spiky {
        /// Usual latency.
        base: f64,
        /// Latency of a spike.
        spike: f64,
        /// One call in this many is a spike.
        one_in: u32,
    },
}

/// The traffic.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorkloadSpec {
    /// Open or closed loop.
    pub load: Load,
    /// Number of distinct ids.
    pub keys: u64,
    /// How popular each id is.
    #[serde(default)]
    pub distribution: Distribution,
    /// Share of requests that write.
    #[serde(default)]
    pub writes: f64,
    /// Seconds one variant runs, warm-up included.
    pub duration: f64,
    /// Seconds at the start that are shown but not counted.
    #[serde(default)]
    pub warmup: f64,
    /// Start with the cache as a long-running one would be: every id stored, ages evenly spread over the TTL.
    #[serde(default)]
    pub prefill: bool,
    /// One connection per worker, or one for all.
    #[serde(default)]
    pub connections: Connections,
    /// Open loop: workers, and so connections of [`Connections::Own`].
    #[serde(default = "default_workers")]
    pub workers: u32,
    /// Same seed, same ids in the same order for every variant.
    #[serde(default = "default_seed")]
    pub seed: u64,
}

fn default_workers() -> u32 {
    16
}

fn default_seed() -> u64 {
    1
}

/// How requests are offered.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Load {
    /// Poisson arrivals that do not wait for answers, as from many independent users.
    Open {
        /// Requests a second.
        rate: f64,
    },
    /// Each client sends its next request when the last is answered.
    Closed {
        /// Number of clients.
        clients: u32,
        /// Pause between an answer and the next request.
        #[serde(default)]
        think: f64,
    },
}

/// Popularity of ids.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Distribution {
    /// All alike.
    #[default]
    Uniform,
    /// The i-th most popular has weight `1 / i^exponent`.
    Zipf(f64),
    /// A small hot set and the rest, each uniform.
    Hotspot {
        /// Share of ids that are hot.
        keys: f64,
        /// Share of requests that go to them.
        requests: f64,
    },
}

/// How workers reach the server: a multiplexed connection pipelines by itself and is *not* what N
/// application servers look like, so the lab says which one ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connections {
    /// One connection per worker.
    #[default]
    Own,
    /// One connection shared by all workers.
    Multiplexed,
}
