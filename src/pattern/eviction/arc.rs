//! ARC: recency and frequency, and a border between them that moves.

use super::{Eviction, list::List};

/// Adaptive Replacement Cache (Megiddo & Modha, FAST 2003). T1 holds keys seen once lately, T2 those seen more
/// often; B1 and B2 are ghosts of what left them, keys without values. A hit in a ghost list says which of the two
/// should have been larger, and moves the target size of T1.
#[derive(Debug)]
pub struct Arc {
    once: List<()>,
    often: List<()>,
    once_ghosts: List<()>,
    often_ghosts: List<()>,
    /// Target size of `once`; the paper's p.
    target: usize,
    capacity: usize,
}

impl Arc {
    /// Room for `capacity` keys, at least one.
    pub fn new(capacity: usize) -> Self {
        let list = List::new;
        Self {
            once: list(),
            often: list(),
            once_ghosts: list(),
            often_ghosts: list(),
            target: 0,
            capacity: capacity.max(1),
        }
    }

    /// Ghosts, of which only the key is known.
    pub fn ghosts(&self) -> usize {
        self.once_ghosts.len() + self.often_ghosts.len()
    }

    /// The paper's REPLACE: one value goes, its key stays as a ghost.
    fn replace(&mut self, ghost_of_often: bool) {
        let once = self.once.len();
        if once > 0 && (once > self.target || (ghost_of_often && once == self.target)) {
            if let Some((key, ())) = self.once.pop() {
                self.once_ghosts.push(key, ());
            }
        } else if let Some((key, ())) = self.often.pop() {
            self.often_ghosts.push(key, ());
        }
    }

    /// The paper's case IV: the key is nowhere known.
    fn admit(&mut self, key: u64) {
        let recent = self.once.len() + self.once_ghosts.len();
        if recent == self.capacity {
            if self.once.len() < self.capacity {
                self.once_ghosts.pop();
                self.replace(false);
            } else {
                self.once.pop();
            }
        } else {
            let all = recent + self.often.len() + self.often_ghosts.len();
            if all >= self.capacity {
                if all == 2 * self.capacity {
                    self.often_ghosts.pop();
                }
                self.replace(false);
            }
        }
        self.once.push(key, ());
    }
}

impl Eviction for Arc {
    fn name(&self) -> &'static str {
        "ARC"
    }

    fn request(&mut self, key: u64) -> bool {
        if self.often.touch(key) {
            return true;
        }
        if self.once.remove(key).is_some() {
            self.often.push(key, ());
            return true;
        }
        let (once, often) = (self.once_ghosts.len(), self.often_ghosts.len());
        if self.once_ghosts.contains(key) {
            self.target = (self.target + (often / once).max(1)).min(self.capacity);
            self.replace(false);
            self.once_ghosts.remove(key);
            self.often.push(key, ());
        } else if self.often_ghosts.contains(key) {
            self.target = self.target.saturating_sub((once / often).max(1));
            self.replace(true);
            self.often_ghosts.remove(key);
            self.often.push(key, ());
        } else {
            self.admit(key);
        }
        false
    }

    fn len(&self) -> usize {
        self.once.len() + self.often.len()
    }

    fn holds(&self, key: u64) -> bool {
        self.once.contains(key) || self.often.contains(key)
    }
}
