//! Latencies as HDR histograms: recorded per worker, merged ten times a second, read as percentiles.
//!
//! Owns: recording, merging, and when a percentile may be told at all. Must not know: whose latencies.
//! Values are kept in steps of 0.1 µs with two significant digits up to one minute: within 1 % of an
//! exact sort from 5 µs on, in 14 KiB. A percentile is told only where at least ten samples lie beyond it: a "p99"
//! of fifty requests is their maximum under another name.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;

const STEP_NANOS: u128 = 100;
const HIGHEST: u64 = 600_000_000;

/// Durations counted by size.
#[derive(Debug, Clone)]
pub struct Durations(Histogram<u32>);

impl Default for Durations {
    fn default() -> Self {
        // The bounds are constants that the constructor accepts, so this can't fail.
        Self(Histogram::new_with_bounds(1, HIGHEST, 2).expect("constant bounds are valid"))
    }
}

impl Durations {
    /// Counts one; longer than a minute counts as a minute.
    pub fn record(&mut self, duration: Duration) {
        let steps = (duration.as_nanos() + STEP_NANOS / 2) / STEP_NANOS;
        self.0.saturating_record(u64::try_from(steps).unwrap_or(u64::MAX).clamp(1, HIGHEST));
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        if !other.is_empty() {
            // Both have the same bounds, so every value of one fits into the other.
            let _ = self.0.add(&other.0);
        }
    }

    /// Takes away what was added before.
    pub fn subtract(&mut self, other: &Self) {
        if !other.is_empty() {
            // Fails only for counts that were never added.
            let _ = self.0.subtract(&other.0);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Mean in milliseconds.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| milliseconds(self.0.mean()))
    }

    /// The value that a share `quantile` of all lies at or below, in milliseconds; `None` where fewer than ten
    /// samples lie beyond it (for p50: 20 samples, p99: 1,000, p99.9: 10,000).
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let needed = 10.0 / (1.0 - quantile).max(f64::EPSILON);
        // 10 / (1 - 0.99) is a little more than 1,000 in floating point.
        (self.count() as f64 >= needed - 0.5).then(|| milliseconds(self.0.value_at_quantile(quantile) as f64))
    }
}

fn milliseconds(steps: f64) -> f64 {
    steps * STEP_NANOS as f64 / 1e6
}

/// One worker's recorder; cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Durations>>);

impl Recorder {
    fn durations(&self) -> MutexGuard<'_, Durations> {
        // A histogram is never left half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one; nobody else takes this lock but the merge, ten times a second.
    pub fn record(&self, duration: Duration) {
        self.durations().record(duration);
    }
}

/// The recorders of all workers.
#[derive(Debug, Default)]
pub struct Collector {
    recorders: Vec<Recorder>,
}

impl Collector {
    /// A recorder for one more worker.
    pub fn recorder(&mut self) -> Recorder {
        let recorder = Recorder::default();
        self.recorders.push(recorder.clone());
        recorder
    }

    /// Moves what was recorded since the last time into `window`.
    pub fn drain(&self, window: &mut Durations) {
        for recorder in &self.recorders {
            let mut durations = recorder.durations();
            if !durations.is_empty() {
                window.add(&durations);
                durations.clear();
            }
        }
    }
}

/// The sum of the last few windows: it lends percentiles the samples that one window lacks.
#[derive(Debug)]
pub struct Sliding {
    windows: VecDeque<Durations>,
    sum: Durations,
    length: usize,
}

impl Sliding {
    /// Over the last `length` windows.
    pub fn new(length: usize) -> Self {
        Self { windows: VecDeque::new(), sum: Durations::default(), length: length.max(1) }
    }

    /// The newest window; the oldest is forgotten.
    pub fn push(&mut self, window: Durations) {
        if self.windows.len() == self.length
            && let Some(oldest) = self.windows.pop_front()
        {
            self.sum.subtract(&oldest);
        }
        self.sum.add(&window);
        self.windows.push_back(window);
    }

    /// All windows together.
    pub fn sum(&self) -> &Durations {
        &self.sum
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::SmallRng};
    use rand_distr::{Distribution, LogNormal};

    use super::*;

    #[test]
    fn percentiles_are_within_one_percent_of_an_exact_sort() {
        for (seed, median_us) in [(1, 8.0), (2, 120.0), (3, 20_000.0)] {
            let mut rng = SmallRng::seed_from_u64(seed);
            let law = LogNormal::new(f64::ln(median_us), 0.8).expect("valid");
            let mut exact: Vec<f64> = (0..20_000).map(|_| law.sample(&mut rng)).collect();
            let mut durations = Durations::default();
            for us in &exact {
                durations.record(Duration::from_nanos((us * 1000.0) as u64));
            }
            exact.sort_by(f64::total_cmp);
            for quantile in [0.5, 0.9, 0.99, 0.999] {
                let expected = exact[(quantile * exact.len() as f64).ceil() as usize - 1] / 1000.0;
                let told = durations.quantile(quantile).expect("enough samples");
                assert!((told - expected).abs() <= 0.01 * expected, "{quantile}: {told} is not {expected}");
            }
            let mean = exact.iter().sum::<f64>() / exact.len() as f64 / 1000.0;
            assert!((durations.mean().expect("samples") - mean).abs() <= 0.01 * mean);
        }
    }

    #[test]
    fn no_percentile_without_the_samples_for_it() {
        let mut durations = Durations::default();
        let told = |d: &Durations| [0.5, 0.99, 0.999].map(|q| d.quantile(q).is_some());
        let mut upto = |n: u64| {
            while durations.count() < n {
                durations.record(Duration::from_millis(1));
            }
            told(&durations)
        };
        assert_eq!(upto(19), [false, false, false]);
        assert_eq!(upto(20), [true, false, false]);
        assert_eq!(upto(999), [true, false, false]);
        assert_eq!(upto(1000), [true, true, false]);
        assert_eq!(upto(10_000), [true, true, true]);
    }

    #[test]
    fn recorders_merge_and_start_anew() {
        let mut collector = Collector::default();
        let workers: Vec<_> = (0..3).map(|_| collector.recorder()).collect();
        for worker in &workers {
            (0..10).for_each(|_| worker.record(Duration::from_micros(50)));
        }
        let mut window = Durations::default();
        collector.drain(&mut window);
        assert_eq!(window.count(), 30);
        collector.drain(&mut window);
        assert_eq!(window.count(), 30, "drained once only");
    }

    #[test]
    fn a_sliding_sum_forgets() {
        let mut rng = SmallRng::seed_from_u64(5);
        let mut sliding = Sliding::new(3);
        let mut all = Vec::new();
        for _ in 0..10 {
            let mut window = Durations::default();
            let values: Vec<_> = (0..50).map(|_| Duration::from_micros(rng.random_range(5..9000))).collect();
            for value in &values {
                window.record(*value);
            }
            all.push(values);
            sliding.push(window);
        }
        let mut last: Vec<_> = all[7..].concat();
        last.sort();
        assert_eq!(sliding.sum().count(), 150);
        let expected = last[74].as_secs_f64() * 1000.0;
        let told = sliding.sum().quantile(0.5).expect("enough");
        assert!((told - expected).abs() < 0.01 * expected, "{told} {expected}");
    }
}
