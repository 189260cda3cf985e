//! Blocking waits that end within some 20 µs of their time.

use std::{
    sync::{Condvar, MutexGuard},
    time::{Duration, Instant},
};

/// The kernel wakes a sleeper late by its timer slack (50 µs on Linux) and the way back to a core. A
/// waiter learns that lateness, sleeps that much less, and waits out what is left awake. On a machine
/// that is so busy that wake-ups come milliseconds late nothing is gained by being awake earlier, so the
/// correction is bounded.
#[derive(Debug)]
pub struct Waiter {
    /// Moving average of how late a sleep ended.
    lateness: Duration,
}

const LONGEST_CORRECTION: Duration = Duration::from_micros(120);

impl Default for Waiter {
    fn default() -> Self {
        Self { lateness: Duration::from_micros(60) }
    }
}

impl Waiter {
    /// Blocks this thread until `due`; returns at once when that has passed.
    pub fn until(&mut self, due: Instant) {
        if let Some(asleep) = self.asleep(due) {
            let wake = Instant::now() + asleep;
            std::thread::sleep(asleep);
            self.learn(wake);
        }
        awake_until(due);
    }

    /// Blocks on `condvar` until `due` or until notified, whichever comes first. The lock is free while
    /// the rest is waited out awake.
    pub fn until_notified<T>(&mut self, condvar: &Condvar, guard: MutexGuard<'_, T>, due: Instant) {
        let Some(asleep) = self.asleep(due) else {
            drop(guard);
            return awake_until(due);
        };
        let wake = Instant::now() + asleep;
        // A poisoned lock means that another thread panicked while holding it; the queue itself is sound.
        let (_guard, result) = condvar.wait_timeout(guard, asleep).unwrap_or_else(std::sync::PoisonError::into_inner);
        if result.timed_out() {
            self.learn(wake);
        }
    }

    /// How long to sleep before `due`; `None` when what is left is waited out awake.
    fn asleep(&self, due: Instant) -> Option<Duration> {
        let left = due.saturating_duration_since(Instant::now());
        left.checked_sub(self.lateness).filter(|asleep| !asleep.is_zero())
    }

    fn learn(&mut self, wake: Instant) {
        let late = Instant::now().saturating_duration_since(wake).min(LONGEST_CORRECTION);
        self.lateness = (self.lateness * 7 + late) / 8;
    }
}

fn awake_until(due: Instant) {
    while Instant::now() < due {
        std::hint::spin_loop();
    }
}
