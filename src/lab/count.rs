//! What a run counts, as cheap as a counter can be.

use std::sync::atomic::{AtomicU64, Ordering};

/// One counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Count {
    Operations,
    Errors,
    Late,
    Hits,
    Misses,
    Stale,
    NegativeHits,
    RedisErrors,
    StoredBytes,
    Stores,
    Acquisitions,
    Overlaps,
    EarlyOverlaps,
    ForeignReleases,
    SlowLosses,
    Pauses,
    Kills,
    // Kept by the origin or the warehouse and read when a window ends.
    OriginCalls,
    OriginFailures,
    AbsentCalls,
    StaleWrites,
    RejectedWrites,
}

/// Number of counters.
pub(super) const COUNTS: usize = Count::RejectedWrites as usize + 1;

/// A reading of all counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reading(pub [u64; COUNTS]);

impl Reading {
    pub fn of(&self, count: Count) -> u64 {
        self.0[count as usize]
    }

    pub fn set(&mut self, count: Count, value: u64) {
        self.0[count as usize] = value;
    }

    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a += b);
    }

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut delta = *self;
        delta.0.iter_mut().zip(earlier.0).for_each(|(a, b)| *a = a.saturating_sub(b));
        delta
    }
}

/// The counters of one variant, shared by its workers.
#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; COUNTS]);

impl Counters {
    pub fn add(&self, count: Count, by: u64) {
        self.0[count as usize].fetch_add(by, Ordering::Relaxed);
    }

    pub fn one(&self, count: Count) {
        self.add(count, 1);
    }

    pub fn read(&self) -> Reading {
        let mut reading = Reading::default();
        reading.0.iter_mut().zip(&self.0).for_each(|(to, from)| *to = from.load(Ordering::Relaxed));
        reading
    }
}
