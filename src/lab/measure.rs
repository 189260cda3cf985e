//! From counters and histograms to metrics: per window for the chart, per phase for totals and claims.

use super::{
    Latency,
    count::{Count, Reading},
};
use crate::{
    course::metric::{METRICS, Scope},
    stats::{Collector, Durations, Sliding},
};

/// The latencies a variant records.
#[derive(Debug, Default)]
pub(super) struct Recorders {
    /// From the intended start to the answer.
    pub response: Collector,
    /// From sending to the answer.
    pub service: Collector,
    /// For the lock.
    pub wait: Collector,
}

/// Everything that happened in some stretch of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Aggregate {
    pub counts: Reading,
    pub response: Durations,
    pub service: Durations,
    pub wait: Durations,
    pub origin_peak: u64,
    pub seconds: f64,
}

impl Aggregate {
    fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.response.add(&other.response);
        self.service.add(&other.service);
        self.wait.add(&other.wait);
        self.origin_peak = self.origin_peak.max(other.origin_peak);
        self.seconds += other.seconds;
    }

    /// The windowed metric of that name; `None` where there is nothing to tell it from.
    pub fn value(&self, name: &str) -> Option<f64> {
        let count = |count: Count| self.counts.of(count) as f64;
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let rate = |amount: f64| share(amount, self.seconds);
        match name {
            "operations" => Some(count(Count::Operations)),
            "rate" => rate(count(Count::Operations)),
            "errors" => Some(count(Count::Errors)),
            "error_share" => share(count(Count::Errors), count(Count::Operations)),
            "late" => Some(count(Count::Late)),
            "mean" => self.response.mean(),
            "p50" => self.response.quantile(0.5),
            "p90" => self.response.quantile(0.9),
            "p99" => self.response.quantile(0.99),
            "p999" => self.response.quantile(0.999),
            "service_p50" => self.service.quantile(0.5),
            "service_p99" => self.service.quantile(0.99),
            "origin.calls" => Some(count(Count::OriginCalls)),
            "origin.rate" => rate(count(Count::OriginCalls)),
            "origin.share" => share(count(Count::OriginCalls), count(Count::Operations)),
            "origin.peak" => Some(self.origin_peak as f64),
            "origin.failures" => Some(count(Count::OriginFailures)),
            "redis.errors" => Some(count(Count::RedisErrors)),
            "hits" => Some(count(Count::Hits)),
            "misses" => Some(count(Count::Misses)),
            "hit_ratio" => share(count(Count::Hits), count(Count::Hits) + count(Count::Misses)),
            "stale" => Some(count(Count::Stale)),
            "stale_share" => share(count(Count::Stale), count(Count::Hits)),
            "negative_hits" => Some(count(Count::NegativeHits)),
            "absent_calls" => Some(count(Count::AbsentCalls)),
            "stored_bytes" => Some(count(Count::StoredBytes)),
            "stores" => Some(count(Count::Stores)),
            "value_bytes" => share(count(Count::StoredBytes), count(Count::Stores)),
            "acquisitions" => Some(count(Count::Acquisitions)),
            "overlaps" => Some(count(Count::Overlaps)),
            "early_overlaps" => Some(count(Count::EarlyOverlaps)),
            "stale_writes" => Some(count(Count::StaleWrites)),
            "rejected_writes" => Some(count(Count::RejectedWrites)),
            "foreign_releases" => Some(count(Count::ForeignReleases)),
            "slow_losses" => Some(count(Count::SlowLosses)),
            "wait_p50" => self.wait.quantile(0.5),
            "pauses" => Some(count(Count::Pauses)),
            "kills" => Some(count(Count::Kills)),
            _ => None,
        }
    }
}

/// A stretch of the run with totals of its own.
#[derive(Debug)]
struct Phase {
    /// Prefix in claims; empty for the whole measured part.
    name: String,
    active: bool,
    seen: bool,
    aggregate: Aggregate,
}

/// Two seconds of windows lend percentiles the samples that a window of 100 ms lacks.
const SLIDING: usize = 20;

/// Adds up what workers record.
#[derive(Debug)]
pub(super) struct Measure {
    pub recorders: Recorders,
    phases: Vec<Phase>,
    /// What has happened since the last sample.
    window: Aggregate,
    response: Sliding,
    wait: Sliding,
    last: Reading,
    /// Mean response time of each measured window.
    means: Vec<f64>,
}

impl Measure {
    /// `faults` are the names of the faults, each a phase.
    pub fn new<'a>(faults: impl Iterator<Item = &'a str>) -> Self {
        let phase =
            |name: &str| Phase { name: name.to_owned(), active: false, seen: false, aggregate: Aggregate::default() };
        let phases = ["", "before", "after"].into_iter().chain(faults).map(phase).collect();
        Self {
            recorders: Recorders::default(),
            phases,
            window: Aggregate::default(),
            response: Sliding::new(SLIDING),
            wait: Sliding::new(SLIDING),
            last: Reading::default(),
            means: Vec::new(),
        }
    }

    /// Begins or ends a phase; call [`Measure::account`] first. `""` is the measured part, whole.
    pub fn phase(&mut self, name: &str, active: bool) {
        for phase in self.phases.iter_mut().filter(|phase| phase.name == name) {
            phase.active = active;
            phase.seen |= active;
        }
    }

    /// Adds what was recorded since the last time to the window and to every active phase.
    pub fn account(&mut self, reading: Reading, origin_peak: u64, seconds: f64) {
        let mut piece = Aggregate { counts: reading.since(&self.last), origin_peak, seconds, ..Aggregate::default() };
        self.last = reading;
        self.recorders.response.drain(&mut piece.response);
        self.recorders.service.drain(&mut piece.service);
        self.recorders.wait.drain(&mut piece.wait);
        self.phases.iter_mut().filter(|phase| phase.active).for_each(|phase| phase.aggregate.add(&piece));
        self.window.add(&piece);
    }

    /// The window since the last sample.
    pub fn take_window(&mut self) -> Aggregate {
        let window = std::mem::take(&mut self.window);
        if self.phases.iter().any(|phase| phase.name.is_empty() && phase.active) {
            self.means.extend(window.response.mean());
        }
        self.response.push(window.response.clone());
        self.wait.push(window.wait.clone());
        window
    }

    /// Percentiles for the chart: the median of the window itself where it has one.
    pub fn latency(&self, window: &Aggregate) -> Latency {
        let recent = self.response.sum();
        Latency {
            p50: window.response.quantile(0.5).or_else(|| recent.quantile(0.5)),
            p99: recent.quantile(0.99),
            p999: recent.quantile(0.999),
        }
    }

    /// A lane's value for the chart; `NaN` where the window can't tell.
    pub fn lane(&self, window: &Aggregate, name: &str) -> f64 {
        let recent = || match name {
            "p90" => self.response.sum().quantile(0.9),
            "p99" => self.response.sum().quantile(0.99),
            "p999" => self.response.sum().quantile(0.999),
            "p50" => self.response.sum().quantile(0.5),
            "mean" => self.response.sum().mean(),
            "wait_p50" => self.wait.sum().quantile(0.5),
            _ => None,
        };
        window.value(name).or_else(recent).unwrap_or(f64::NAN)
    }

    /// Every metric of every phase that took place, as claims name them.
    pub fn totals(&self, locks: bool) -> Vec<(String, f64)> {
        let mut totals = Vec::new();
        for phase in self.phases.iter().filter(|phase| phase.seen) {
            for metric in METRICS {
                let here = match metric.scope {
                    Scope::Any => true,
                    Scope::Cache => !locks,
                    Scope::Lock => locks,
                };
                let told = here && (metric.windowed || (phase.name.is_empty() && metric.name == "value_bytes"));
                let Some(value) = told.then(|| phase.aggregate.value(metric.name)).flatten() else { continue };
                let separator = if phase.name.is_empty() { "" } else { "." };
                totals.push((format!("{}{separator}{}", phase.name, metric.name), value));
            }
        }
        let mut means = self.means.clone();
        means.sort_by(f64::total_cmp);
        totals.extend(means.get(means.len() / 2).map(|mean| ("typical_mean".to_owned(), *mean)));
        totals
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_windowed_metric_is_measured() {
        let mut aggregate = Aggregate { seconds: 1.0, ..Aggregate::default() };
        aggregate.counts.0.fill(3);
        (0..20_000).for_each(|_| {
            for durations in [&mut aggregate.response, &mut aggregate.service, &mut aggregate.wait] {
                durations.record(Duration::from_millis(1));
            }
        });
        for metric in METRICS.iter().filter(|m| m.windowed) {
            assert!(aggregate.value(metric.name).is_some(), "{} is not measured", metric.name);
        }
    }

    #[test]
    fn phases_count_their_own_stretch_only() {
        let mut measure = Measure::new(["cut"].into_iter());
        let reading = |errors| {
            let mut reading = Reading::default();
            reading.set(Count::Operations, errors * 10);
            reading.set(Count::Errors, errors);
            reading
        };
        measure.account(reading(1), 9, 0.1);
        measure.phase("", true);
        measure.phase("before", true);
        measure.account(reading(3), 2, 0.1);
        measure.phase("before", false);
        measure.phase("cut", true);
        measure.account(reading(10), 5, 0.1);
        measure.phase("cut", false);
        measure.account(reading(11), 1, 0.1);
        let totals = measure.totals(false);
        let total = |name: &str| totals.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
        assert_eq!(total("errors"), Some(10.0), "warm-up is not counted");
        assert_eq!(total("before.errors"), Some(2.0));
        assert_eq!(total("cut.errors"), Some(7.0));
        assert_eq!(total("cut.origin.peak"), Some(5.0));
        assert_eq!(total("origin.peak"), Some(5.0));
        assert_eq!(total("after.errors"), None, "never was");
        assert_eq!(measure.take_window().counts.of(Count::Errors), 11, "the window shows all");
    }
}
