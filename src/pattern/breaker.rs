//! A circuit breaker: calls that will most likely fail are refused at once, until one probe has succeeded.
//!
//! Source: M. Nygard, *Release It!* (2007); the default figures are Hystrix's.
//!
//! Guarantees: opens when at least `requests` calls in the window ended and `failures` of them failed; while open it
//! lets nothing through; half open it lets one probe through at a time, however many callers ask; results of calls
//! that began before the last change of state change nothing.
//! Does **not** guarantee: protection of the origin by the fleet: each process has its own breaker, learns by
//! itself and sends its own probe. A slow answer is no failure to it: set a timeout, and report that.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// When a [`Breaker`] opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// What counts as recent.
    pub window: Duration,
    /// Fewer recent calls than this prove nothing.
    pub requests: u32,
    /// Share of failures from which on it opens.
    pub failures: f64,
    /// How long it stays open before a probe.
    pub sleep: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { window: Duration::from_secs(10), requests: 20, failures: 0.5, sleep: Duration::from_secs(5) }
    }
}

/// What a breaker does just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Lets everything through and counts.
    Closed,
    /// Refuses everything.
    Open,
    /// Lets one probe through at a time.
    HalfOpen,
}

/// A circuit breaker. Clones share one state.
#[derive(Debug, Clone)]
pub struct Breaker {
    config: Config,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    condition: Condition,
    /// Raised with every change: results of an older epoch are ignored.
    epoch: u64,
    /// Since when it is open.
    opened: Option<Instant>,
    probing: bool,
    /// Slices of the window, oldest first: start, calls, failures.
    slices: VecDeque<(Instant, u32, u32)>,
}

/// Leave for one call. Say how it ended; dropped without a word (the call was cancelled) it counts as nothing,
/// and a probe's place is free again.
#[derive(Debug)]
#[must_use = "report how the call ended"]
pub struct Permit {
    state: Arc<Mutex<State>>,
    config: Config,
    epoch: u64,
    probe: bool,
}

const SLICES: u32 = 10;

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing in here is left half-changed by a panic.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Breaker {
    /// Closed.
    pub fn new(config: Config) -> Self {
        let state =
            State { condition: Condition::Closed, epoch: 0, opened: None, probing: false, slices: VecDeque::new() };
        Self { config, state: Arc::new(Mutex::new(state)) }
    }

    /// Asks to make a call. `None`: refused; answer with something else, now.
    pub fn enter(&self, now: Instant) -> Option<Permit> {
        let mut state = locked(&self.state);
        if state.condition == Condition::Open
            && state.opened.is_some_and(|opened| now.saturating_duration_since(opened) >= self.config.sleep)
        {
            state.change(Condition::HalfOpen);
        }
        let probe = match state.condition {
            Condition::Closed => false,
            Condition::HalfOpen if !state.probing => true,
            Condition::HalfOpen | Condition::Open => return None,
        };
        state.probing = probe;
        Some(Permit { state: Arc::clone(&self.state), config: self.config, epoch: state.epoch, probe })
    }

    /// What it does just now. Open turns to half open with the first call after the sleep.
    pub fn condition(&self) -> Condition {
        locked(&self.state).condition
    }
}

impl State {
    fn change(&mut self, condition: Condition) {
        self.condition = condition;
        self.epoch += 1;
        self.probing = false;
        self.slices.clear();
    }

    fn open(&mut self, now: Instant) {
        self.change(Condition::Open);
        self.opened = Some(now);
    }

    /// Counts one call; whether the recent ones are too bad.
    fn count(&mut self, config: &Config, failed: bool, now: Instant) -> bool {
        let slice = config.window / SLICES;
        if self.slices.back().is_none_or(|(start, ..)| now.saturating_duration_since(*start) >= slice) {
            self.slices.push_back((now, 0, 0));
        }
        while self.slices.front().is_some_and(|(start, ..)| now.saturating_duration_since(*start) >= config.window) {
            self.slices.pop_front();
        }
        if let Some((_, calls, failures)) = self.slices.back_mut() {
            *calls += 1;
            *failures += u32::from(failed);
        }
        let sum = |(calls, failures), slice: &(Instant, u32, u32)| (calls + slice.1, failures + slice.2);
        let (calls, failures) = self.slices.iter().fold((0, 0), sum);
        calls >= config.requests && f64::from(failures) >= f64::from(calls) * config.failures
    }
}

impl Permit {
    /// Whether this call decides if the breaker closes.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// The call succeeded, at `now`.
    pub fn succeeded(self, now: Instant) {
        self.report(false, now);
    }

    /// The call failed or took too long. What the callee can't help (not found, bad request) is no failure.
    pub fn failed(self, now: Instant) {
        self.report(true, now);
    }

    fn report(&self, failed: bool, now: Instant) {
        let mut state = locked(&self.state);
        if state.epoch != self.epoch {
            return;
        }
        match (state.condition, failed) {
            (Condition::Closed, _) => {
                if state.count(&self.config, failed, now) {
                    state.open(now);
                }
            }
            (_, false) => state.change(Condition::Closed),
            (_, true) => state.open(now),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = locked(&self.state);
        if self.probe && state.epoch == self.epoch {
            state.probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn call(breaker: &Breaker, ok: bool, now: Instant) {
        let permit = breaker.enter(now).expect("let through");
        if ok { permit.succeeded(now) } else { permit.failed(now) }
    }

    fn opened(start: Instant) -> Breaker {
        let breaker = Breaker::new(Config::default());
        for _ in 0..20 {
            call(&breaker, false, start);
        }
        assert_eq!(breaker.condition(), Condition::Open);
        breaker
    }

    #[test]
    fn opens_at_half_of_at_least_twenty_in_the_window() {
        let (start, breaker) = (Instant::now(), Breaker::new(Config::default()));
        for n in 0..19 {
            call(&breaker, n % 2 == 0, start);
        }
        assert_eq!(breaker.condition(), Condition::Closed, "nineteen prove nothing");
        // They are too old by now: the count begins anew.
        let later = start + Duration::from_secs(11);
        for _ in 0..11 {
            call(&breaker, true, later);
        }
        for _ in 0..10 {
            call(&breaker, false, later);
            assert_eq!(breaker.condition(), Condition::Closed);
        }
        call(&breaker, false, later);
        assert_eq!(breaker.condition(), Condition::Open, "11 of 22");
        assert!(breaker.enter(later).is_none());
    }

    #[test]
    fn half_open_lets_one_probe_through_whoever_asks() {
        let start = Instant::now();
        let breaker = opened(start);
        assert!(breaker.enter(start + 4999 * MS).is_none());
        let later = start + 5000 * MS;
        let entered: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| breaker.enter(later))).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(entered.len(), 1);
        assert!(entered[0].is_probe());
        for probe in entered {
            probe.failed(later);
        }
        assert_eq!(breaker.condition(), Condition::Open);
        assert!(breaker.enter(later + 4999 * MS).is_none(), "sleeps anew");
        breaker.enter(later + 5000 * MS).unwrap().succeeded(later + 5000 * MS);
        assert_eq!(breaker.condition(), Condition::Closed);
        call(&breaker, false, later + 5000 * MS);
        assert_eq!(breaker.condition(), Condition::Closed, "the old failures are forgotten");
    }

    #[test]
    fn a_cancelled_probe_frees_its_place_and_late_results_change_nothing() {
        let start = Instant::now();
        let breaker = Breaker::new(Config::default());
        let slow: Vec<_> = (0..3).map(|_| breaker.enter(start).unwrap()).collect();
        for _ in 0..20 {
            call(&breaker, false, start);
        }
        let later = start + 6000 * MS;
        drop(breaker.enter(later).unwrap());
        let probe = breaker.enter(later).expect("the first one was given up");
        for (permit, ok) in slow.into_iter().zip([true, false, true]) {
            if ok {
                permit.succeeded(later);
            } else {
                permit.failed(later);
            }
            assert_eq!(breaker.condition(), Condition::HalfOpen, "from before it opened");
        }
        assert!(breaker.enter(later).is_none());
        probe.succeeded(later);
        assert_eq!(breaker.condition(), Condition::Closed);
    }
}
