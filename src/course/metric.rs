//! The names of everything a lab measures: what a claim may mention and a lane may show.
//!
//! Owns: names, labels, units, and where each exists. Must not know: how they are measured (that is
//! [`crate::lab`]). Times are milliseconds, shares are in `0..=1`, counts are counts.

/// Which variants measure it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All.
    Any,
    /// Patterns that answer reads: uncached and cache-aside.
    Cache,
    /// Locks.
    Lock,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// As in claims: `hit_ratio`.
    pub name: &'static str,
    /// For people.
    pub label: &'static str,
    /// `ms`, `/s`, `bytes`, `share`, or nothing for a count.
    pub unit: &'static str,
    /// Where it exists.
    pub scope: Scope,
    /// Measured in every window, so that it can be a lane and be limited to a phase of the run
    /// (`before.p99`, `cut.errors`, `after.hit_ratio`). The others exist for the whole run only.
    pub windowed: bool,
}

const fn windowed(name: &'static str, label: &'static str, unit: &'static str, scope: Scope) -> Metric {
    Metric { name, label, unit, scope, windowed: true }
}

const fn whole(name: &'static str, label: &'static str, unit: &'static str, scope: Scope) -> Metric {
    Metric { name, label, unit, scope, windowed: false }
}

/// All metrics.
pub const METRICS: &[Metric] = &[
    windowed("operations", "requests finished", "", Scope::Any),
    windowed("rate", "requests finished a second", "/s", Scope::Any),
    windowed("errors", "requests that failed", "", Scope::Any),
    windowed("error_share", "share of requests that failed", "share", Scope::Any),
    windowed("late", "requests sent more than 2 ms after their time", "", Scope::Any),
    windowed("mean", "mean response time", "ms", Scope::Any),
    windowed("p50", "median response time", "ms", Scope::Any),
    windowed("p90", "90th percentile of response time", "ms", Scope::Any),
    windowed("p99", "99th percentile of response time", "ms", Scope::Any),
    windowed("p999", "99.9th percentile of response time", "ms", Scope::Any),
    windowed("service_p50", "median time from sending to answer", "ms", Scope::Any),
    windowed("service_p99", "99th percentile of time from sending to answer", "ms", Scope::Any),
    windowed("origin.calls", "calls that reached the origin", "", Scope::Any),
    windowed("origin.rate", "calls that reached the origin, a second", "/s", Scope::Any),
    windowed("origin.share", "origin calls per request", "share", Scope::Any),
    windowed("origin.peak", "most origin calls in flight at once, queued ones included", "", Scope::Any),
    windowed("origin.failures", "origin calls that failed", "", Scope::Any),
    windowed("redis.errors", "Redis commands that failed or timed out", "", Scope::Any),
    whole(
        "typical_mean",
        "mean response time of the middle 100 ms: a stall of the machine does not count",
        "ms",
        Scope::Any,
    ),
    whole("dropped", "requests never sent: too many were already waiting", "", Scope::Any),
    whole("unfinished", "requests still waiting when the run ended", "", Scope::Any),
    windowed("hits", "requests answered from the cache", "", Scope::Cache),
    windowed("misses", "lookups that found nothing", "", Scope::Cache),
    windowed("hit_ratio", "hits / lookups", "share", Scope::Cache),
    windowed("stale", "hits older than the origin's present value", "", Scope::Cache),
    windowed("stale_share", "stale / hits", "share", Scope::Cache),
    windowed("negative_hits", "hits on a stored \"no such id\"", "", Scope::Cache),
    windowed("absent_calls", "origin calls for ids that do not exist", "", Scope::Cache),
    windowed("stored_bytes", "bytes of value sent to Redis", "bytes", Scope::Cache),
    windowed("stores", "values sent to Redis", "", Scope::Cache),
    whole("value_bytes", "mean size of a stored value", "bytes", Scope::Cache),
    whole("model.hit_ratio", "hit ratio predicted by λT/(1+λT), summed over ids", "share", Scope::Cache),
    whole("run.hits", "lookups that found a value, warm-up included", "", Scope::Cache),
    whole("run.misses", "lookups that found nothing, warm-up included", "", Scope::Cache),
    whole("server.hits", "the server's own keyspace_hits over the run", "", Scope::Cache),
    whole("server.misses", "the server's own keyspace_misses over the run", "", Scope::Cache),
    windowed("acquisitions", "locks taken", "", Scope::Lock),
    windowed("overlaps", "critical sections begun while another was open", "", Scope::Lock),
    windowed("early_overlaps", "overlaps though no lease had run out", "", Scope::Lock),
    windowed("stale_writes", "writes that landed on a value they had not read", "", Scope::Lock),
    windowed("rejected_writes", "reads and writes refused for an old fencing token", "", Scope::Lock),
    windowed("foreign_releases", "releases that removed another client's lock", "", Scope::Lock),
    windowed("slow_losses", "slow holders that lost their lock while they worked", "", Scope::Lock),
    windowed("wait_p50", "median wait for the lock", "ms", Scope::Lock),
    windowed("pauses", "holders stopped", "", Scope::Lock),
    windowed("kills", "holders killed", "", Scope::Lock),
    whole("updates", "writes acknowledged to a client", "", Scope::Lock),
    whole("lost_updates", "acknowledged writes missing from the final value", "", Scope::Lock),
    whole("longest_block", "longest time in which clients waited and none got the lock", "ms", Scope::Lock),
    whole("acquisitions_after_kill", "locks taken after the first holder was killed", "", Scope::Lock),
];

/// The metric of that name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|m| m.name == name)
}
