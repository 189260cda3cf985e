//! The `[experiment]` part of a `lab.toml`: a live experiment as data.
//!
//! Owns: the types, their defaults, and the mistakes that can be seen without running anything
//! ([`Experiment::problems`]). Must not know: servers, how an experiment is run or shown.
//! All times are in milliseconds unless the name says otherwise; all shares are in `0..=1`.
//!
//! ```toml
//! [experiment]
//! title = "Six locks under fire"
//! question = "Which of six locks survives a holder that stops or dies?"
//! lanes = ["overlaps", "stale_writes"]
//!
//! [experiment.origin]
//! latency = { fixed = 20 }          # or { lognormal = { median = 20, sigma = 0.5 } }, { spiky = { … } }
//! capacity = 80
//!
//! [experiment.workload]
//! load = { open = { rate = 1500 } } # or { closed = { clients = 8 } }
//! keys = 400
//! distribution = { zipf = 1.0 }     # or "uniform", { hotspot = { keys = 0.01, requests = 0.9 } }
//! duration = 8                      # seconds a variant, warm-up included
//!
//! [[experiment.variants]]
//! name = "cache-aside"
//! label = "cache-aside, TTL 500 ms"
//! pattern = { cache-aside = { ttl = 500 } }
//!
//! [[experiment.claims]]
//! expect = "cache-aside.hit_ratio > 0.9"
//! sentence = "Nine of ten requests never reach the origin."
//! ```

mod problems;
mod traffic;

use serde::Deserialize;
use toml::Spanned;

pub use problems::Problem;
pub use traffic::{Connections, Distribution, LatencyLaw, Load, OriginSpec, WorkloadSpec};

/// One lab's experiment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Experiment {
    /// The lab's title.
    pub title: String,
    /// The question it answers, one sentence.
    pub question: String,
    /// Metrics with a lane of their own on the chart, beside hit ratio, latency and origin load.
    #[serde(default)]
    pub lanes: Vec<Spanned<String>>,
    /// What the server must be or have.
    #[serde(default)]
    pub server: ServerNeeds,
    /// The slow truth.
    pub origin: OriginSpec,
    /// The traffic.
    pub workload: WorkloadSpec,
    /// What happens inside a lock; required when a variant is a lock.
    pub section: Option<SectionSpec>,
    /// What the asserted short form changes.
    #[serde(default)]
    pub short: Short,
    /// What is compared, in running order.
    pub variants: Vec<Variant>,
    /// What can be turned while running.
    #[serde(default)]
    pub knobs: Vec<Knob>,
    /// What can break, on a schedule or by key.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// What the lesson says will be seen.
    #[serde(default)]
    pub claims: Vec<Claim>,
}

/// What the server must be or have. Settings are applied to a private server only.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ServerNeeds {
    /// `"7.0"`: the oldest Redis (or Redis-compatible) version that will do.
    pub min_version: Option<String>,
    /// `"64mb"`.
    pub maxmemory: Option<String>,
    /// `"allkeys-lru"`.
    pub maxmemory_policy: Option<String>,
}

/// The critical section of a lock lab: read a value from a slow resource, work, write it back.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SectionSpec {
    /// Lock time to live.
    pub ttl: f64,
    /// Work between the read and the write.
    pub work: f64,
    /// One section in this many works for `slow` instead (the client is alive, only slow). 0: never.
    #[serde(default)]
    pub slow_one_in: u32,
    /// Work of a slow section.
    #[serde(default)]
    pub slow: f64,
    /// In one section in this many the client stops dead between the read and the write (as by SIGSTOP or a long
    /// garbage collection), its renewal too. 0: never.
    #[serde(default)]
    pub pause_one_in: u32,
    /// How long such a stop lasts.
    #[serde(default)]
    pub pause: f64,
    /// Wait between two attempts to take a held lock; each client adds up to as much again at random.
    #[serde(default = "default_retry")]
    pub retry: f64,
}

fn default_retry() -> f64 {
    3.0
}

/// The asserted short form (`--assert`, `--short`): the same experiment, shorter.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Short {
    /// Seconds one variant runs, warm-up included; default a tenth.
    pub duration: Option<f64>,
    /// Warm-up seconds; default a tenth.
    pub warmup: Option<f64>,
}

/// One compared variant.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Variant {
    /// Identifier used in claims: lower-case letters, digits and hyphens.
    pub name: Spanned<String>,
    /// For people.
    pub label: String,
    /// What handles a request.
    pub pattern: Pattern,
}

/// A pattern of [`crate::pattern`] with its parameters.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Pattern {
    /// Every request goes to the origin.
    Uncached,
    /// Look in the cache, on a miss ask the origin and store the answer.
    CacheAside(CacheAsideSpec),
    /// Read-modify-write on a slow resource under a lock.
    Lock(LockKind),
}

/// Parameters of cache-aside.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CacheAsideSpec {
    /// Time to live of a stored value.
    pub ttl: f64,
    /// Time to live of "there is no such id"; absent: absence is not cached.
    pub negative_ttl: Option<f64>,
    /// Compress values.
    #[serde(default)]
    pub compress: bool,
    /// A write deletes the cached copy. `false`: writes go round the cache, copies live until their TTL.
    #[serde(default)]
    pub invalidate: bool,
    /// How long to wait for Redis before asking the origin.
    #[serde(default = "default_cache_timeout")]
    pub timeout: f64,
}

/// Long, so that a busy machine is not taken for a dead server; a service would wait for 50 ms or so.
fn default_cache_timeout() -> f64 {
    1000.0
}

/// Six locks, each mending one fault of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockKind {
    /// No lock at all.
    None,
    /// `SETNX`, `DEL`; never expires.
    Setnx,
    /// `SET NX PX`, released by a plain `DEL`.
    NxPxDel,
    /// `SET NX PX token`, released by compare-and-delete.
    TokenRelease,
    /// The same, extended by a watchdog while its holder lives.
    Renewal,
    /// The same, with a fencing token that the resource checks.
    Fencing,
}

/// Something that can be turned while running.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Knob {
    /// What it turns.
    pub name: Setting,
    /// For the legend.
    pub label: String,
    /// `ms`, `/s`, or nothing.
    #[serde(default)]
    pub unit: String,
    /// Allowed values, ascending.
    pub values: Spanned<Vec<f64>>,
    /// The value it starts with: one of `values`. It is applied at the start, so it is the truth.
    pub start: Spanned<f64>,
}

/// What a knob can turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// Open loop: requests a second.
    Rate,
    /// Share of requests that write.
    Writes,
    /// Exponent of the Zipf distribution.
    Alpha,
    /// Median latency of the origin.
    OriginLatency,
    /// Capacity of the origin.
    OriginCapacity,
    /// Time to live: of cached values, or of the lock.
    Ttl,
    /// Work inside the critical section.
    Work,
    /// One section in this many is paused; 0 is never.
    PauseOneIn,
    /// Closed loop: clients that take part.
    Clients,
}

impl Setting {
    /// The name used in `lab.toml` and in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Writes => "writes",
            Self::Alpha => "alpha",
            Self::OriginLatency => "origin-latency",
            Self::OriginCapacity => "origin-capacity",
            Self::Ttl => "ttl",
            Self::Work => "work",
            Self::PauseOneIn => "pause-one-in",
            Self::Clients => "clients",
        }
    }
}

/// Something that breaks.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fault {
    /// Identifier: prefix of the metrics measured while it lasts (`cut.errors`).
    pub name: Spanned<String>,
    /// For the legend and the mark on the chart.
    pub label: String,
    /// The key that triggers it.
    pub key: char,
    /// What it does.
    pub action: Action,
    /// When it lands by itself, as shares of the variant's duration; empty: only by key.
    #[serde(default)]
    pub at: Vec<Spanned<f64>>,
    /// How long it lasts, as a share of the variant's duration; 0 for what is over at once.
    #[serde(default)]
    pub lasts: f64,
    /// Variants on which the schedule applies; empty: all. A key works on any.
    #[serde(default)]
    pub variants: Vec<Spanned<String>>,
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Action {
    /// The cache is bypassed.
    CacheOff,
    /// Redis is gone: a private server is killed, and restarted when the fault ends; on a borrowed one our own
    /// connections are dropped and kept closed.
    CutRedis,
    /// This share of origin calls fails.
    OriginErrors(f64),
    /// Origin calls take this many times longer.
    OriginSlow(f64),
    /// The rate is multiplied.
    Surge(f64),
    /// The version in the key prefix is raised: every stored value is of an old schema.
    SchemaBump,
    /// Our keys are removed.
    Flush,
    /// The present (or next) lock holder stops for this long, its renewal too.
    PauseHolder(f64),
    /// The present (or next) lock holder dies without releasing; another client takes its place.
    KillHolder,
}

/// What the lesson says will be seen.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Claim {
    /// An expression, see [`super::claim`].
    pub expect: Spanned<String>,
    /// The lesson's sentence.
    pub sentence: String,
    /// Needs counters that only a private server gives (nobody else's traffic in `INFO`).
    #[serde(default)]
    pub private: bool,
}
