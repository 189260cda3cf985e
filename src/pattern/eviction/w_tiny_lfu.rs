//! W-TinyLFU: who comes in must have been asked for more often than who would go.

use super::{Eviction, list::List, sketch::Sketch};

/// A small LRU window (1 %) for the new, and a main LRU in two segments: probation, and protected (80 %) for what
/// was hit again. What leaves the window is compared with the oldest on probation by a sketch of how often each was
/// asked for lately, and the rarer one goes (Einziger, Friedman & Manes, ACM ToS 2017; Caffeine, which also adapts
/// the window's size: here it is fixed).
#[derive(Debug)]
pub struct WTinyLfu {
    window: List<()>,
    probation: List<()>,
    protected: List<()>,
    sketch: Sketch,
    window_capacity: usize,
    protected_capacity: usize,
    capacity: usize,
}

impl WTinyLfu {
    /// Room for `capacity` keys, at least two.
    pub fn new(capacity: usize) -> Self {
        Self::with_window(capacity, 0.01)
    }

    /// The same with another share for the window: larger suits recency, smaller frequency.
    pub fn with_window(capacity: usize, share: f64) -> Self {
        let capacity = capacity.max(2);
        let window_capacity = ((capacity as f64 * share.clamp(0.0, 1.0)) as usize).clamp(1, capacity - 1);
        let protected_capacity = (capacity - window_capacity) * 4 / 5;
        Self {
            window: List::new(),
            probation: List::new(),
            protected: List::new(),
            sketch: Sketch::new(capacity),
            window_capacity,
            protected_capacity,
            capacity,
        }
    }

    fn hit(&mut self, key: u64) -> bool {
        if self.window.touch(key) || self.protected.touch(key) {
            return true;
        }
        if self.probation.remove(key).is_none() {
            return false;
        }
        self.protected.push(key, ());
        if self.protected.len() > self.protected_capacity
            && let Some((key, ())) = self.protected.pop()
        {
            self.probation.push(key, ());
        }
        true
    }

    /// What left the window, against the oldest on probation. Equal: who is there stays, so that one-hit wonders
    /// do not push each other through.
    fn admit(&mut self, candidate: u64) {
        if self.probation.len() + self.protected.len() < self.capacity - self.window_capacity {
            self.probation.push(candidate, ());
            return;
        }
        let Some(victim) = self.probation.oldest().or(self.protected.oldest()) else { return };
        if self.sketch.frequency(candidate) > self.sketch.frequency(victim) {
            if self.probation.remove(victim).is_none() {
                self.protected.remove(victim);
            }
            self.probation.push(candidate, ());
        }
    }
}

impl Eviction for WTinyLfu {
    fn name(&self) -> &'static str {
        "W-TinyLFU"
    }

    fn request(&mut self, key: u64) -> bool {
        self.sketch.count(key);
        if self.hit(key) {
            return true;
        }
        self.window.push(key, ());
        if self.window.len() > self.window_capacity
            && let Some((candidate, ())) = self.window.pop()
        {
            self.admit(candidate);
        }
        false
    }

    fn len(&self) -> usize {
        self.window.len() + self.probation.len() + self.protected.len()
    }

    fn holds(&self, key: u64) -> bool {
        self.window.contains(key) || self.probation.contains(key) || self.protected.contains(key)
    }
}
