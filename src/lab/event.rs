//! The one stream that feeds the TUI's lab screen and `cachelab lab --plain|--format json`.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// Durations as seconds: readable in every language.
fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// What a running lab tells. Order: `Started`, then per variant `VariantStarted`, `Sample`s,
/// `Fault`s, `VariantFinished`, then `Finished`; or `Failed` at any point, which is last.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum LabEvent {
    /// First event: all that a screen needs to lay itself out.
    Started(LabStarted),
    /// A variant begins; variants run in turn unless the lab says side by side.
    VariantStarted {
        /// Index into [`LabStarted::variants`].
        variant: usize,
    },
    /// Ten a second per running variant.
    Sample(Sample),
    /// A fault landed (or a knob was turned): a mark on the time axis.
    Mark {
        /// Since the variant started.
        #[serde(serialize_with = "seconds")]
        at: Duration,
        /// Which variant it hit.
        variant: usize,
        /// Short label for the chart: `kill holder`.
        label: String,
    },
    /// Something the learner should know: `only 712 of 1000 requests/s were sent`.
    Warning {
        /// One sentence.
        text: String,
    },
    /// A variant's totals.
    VariantFinished {
        /// Index into [`LabStarted::variants`].
        variant: usize,
        /// Name of each metric (`hit_ratio`, `origin.calls`, `p99`, `overlaps` …) and its value over
        /// the measured part; times in milliseconds, ratios in 0..=1.
        totals: Vec<(String, f64)>,
    },
    /// All variants ran; claims are judged.
    Finished {
        /// In the lab's order.
        claims: Vec<ClaimResult>,
    },
    /// The run could not go on: a server that went away, a pattern that failed to start.
    Failed {
        /// What and what to do.
        text: String,
    },
}

/// What is about to run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabStarted {
    /// `week2/locks`.
    pub id: String,
    /// The lab's title.
    pub title: String,
    /// The question it answers.
    pub question: String,
    /// Variants in running order.
    pub variants: Vec<VariantInfo>,
    /// Wall-clock length of one variant, warm-up included.
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,
    /// Origin calls that run at full speed at once; beyond it they queue. `None`: unlimited.
    pub origin_capacity: Option<u32>,
    /// `own connections (12)` or `one multiplexed connection`.
    pub connections: String,
    /// `valkey 9.1.2, private`.
    pub server: String,
    /// `open loop, 500/s` or `closed loop, 12 clients`.
    pub workload: String,
    /// The lab's own lanes beside the standard ones: metric name in [`Sample::extra`], label, unit.
    pub extra: Vec<ExtraMetric>,
    /// Faults a key can trigger while running.
    pub faults: Vec<FaultInfo>,
    /// Knobs that can be turned while running.
    pub knobs: Vec<KnobInfo>,
}

/// One compared variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantInfo {
    /// Identifier used in claims: `token-release`.
    pub name: String,
    /// For people: `SET NX PX, release by token`.
    pub label: String,
}

/// A metric that only this lab has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExtraMetric {
    /// `overlaps`.
    pub name: String,
    /// `critical sections that overlapped`.
    pub label: String,
    /// `""` for a count, `ms`, `bytes`.
    pub unit: String,
}

/// A fault under a key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultInfo {
    /// Identifier: `kill-holder`.
    pub name: String,
    /// For the legend: `kill the holder`.
    pub label: String,
    /// The key that triggers it.
    pub key: char,
}

/// A knob with its allowed values in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KnobInfo {
    /// Identifier: `ttl`.
    pub name: String,
    /// For the legend: `lock TTL`.
    pub label: String,
    /// `ms`, `/s`, `""`.
    pub unit: String,
    /// Allowed values, ascending.
    pub values: Vec<f64>,
    /// Index of the value it starts with.
    pub start: usize,
}

/// What happened in one window (about 100 ms) of one variant. Counts are of this window alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// Index into [`LabStarted::variants`].
    pub variant: usize,
    /// End of the window, since the variant started.
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    /// Still warming up: shown dimmed, not in totals.
    pub warmup: bool,
    /// Requests finished.
    pub operations: u64,
    /// Of them, answered from the cache.
    pub hits: u64,
    /// Of them, not.
    pub misses: u64,
    /// Hits that were older than the origin's present value.
    pub stale: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Calls that reached the origin.
    pub origin_calls: u64,
    /// Most origin calls in flight at once.
    pub origin_peak: u64,
    /// Requests that started late by more than 2 ms against the open-loop schedule.
    pub late: u64,
    /// Response time from the intended start, milliseconds; `None` where the window holds too few.
    pub latency: Latency,
    /// Values of [`LabStarted::extra`], same order; `NaN` (JSON: null) where this window can't tell.
    pub extra: Vec<f64>,
    /// What the server itself says.
    pub server: ServerSample,
}

/// Percentiles in milliseconds; `None` is never drawn as zero.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: Option<f64>,
    /// 99th; needs enough samples (a sliding window may lend them).
    pub p99: Option<f64>,
    /// 99.9th.
    pub p999: Option<f64>,
}

/// From `INFO`, beside what the pattern counted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ServerSample {
    /// Delta of `keyspace_hits` in this window.
    pub keyspace_hits: u64,
    /// Delta of `keyspace_misses` in this window.
    pub keyspace_misses: u64,
    /// Keys in the database.
    pub keys: u64,
    /// `used_memory` in bytes.
    pub used_memory: u64,
}

/// One claim of the lab against what was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClaimResult {
    /// `fencing.stale_writes == 0`.
    pub expression: String,
    /// The lesson's sentence it backs.
    pub sentence: String,
    /// `None`: could not be judged (a variant did not run to its end).
    pub holds: Option<bool>,
    /// `fencing.stale_writes = 0`.
    pub measured: String,
}

/// What a front end may ask of a running lab.
#[derive(Debug, Clone, PartialEq)]
pub enum LabCommand {
    /// Trigger a fault by name now.
    Fault(String),
    /// Turn a knob to `values[index]`.
    Knob {
        /// Knob name.
        name: String,
        /// Index into its values.
        index: usize,
    },
    /// Hold the traffic (the server keeps its state); time stands still on the chart.
    Pause,
    /// Go on.
    Resume,
    /// Skip to the next variant.
    Next,
    /// End the run now; `Finished` still comes, claims of unfinished variants unjudged.
    Stop,
}
