//! SIEVE: a queue that nobody moves in.

use super::{Eviction, list::List};

/// One FIFO, a bit for each key, and a hand that goes from old to new: it clears bits that are set and evicts the
/// first key whose bit is not, and stays there. Unlike CLOCK, what survives keeps its place, so that new keys are
/// sifted quickly (Zhang et al., *SIEVE is simpler than LRU*, NSDI 2024).
#[derive(Debug)]
pub struct Sieve {
    list: List<bool>,
    /// The key to look at next; `None`: the oldest.
    hand: Option<u64>,
    capacity: usize,
}

impl Sieve {
    /// Room for `capacity` keys, at least one.
    pub fn new(capacity: usize) -> Self {
        Self { list: List::new(), hand: None, capacity: capacity.max(1) }
    }

    fn evict(&mut self) {
        let mut hand = self.hand.or(self.list.oldest());
        while let Some(key) = hand {
            let next = self.list.newer_than(key);
            match self.list.mark(key) {
                Some(visited) if *visited => *visited = false,
                _ => {
                    self.list.remove(key);
                    self.hand = next;
                    return;
                }
            }
            hand = next.or(self.list.oldest());
        }
    }
}

impl Eviction for Sieve {
    fn name(&self) -> &'static str {
        "SIEVE"
    }

    fn request(&mut self, key: u64) -> bool {
        if let Some(visited) = self.list.mark(key) {
            *visited = true;
            return true;
        }
        if self.list.len() == self.capacity {
            self.evict();
        }
        self.list.push(key, false);
        false
    }

    fn len(&self) -> usize {
        self.list.len()
    }

    fn holds(&self, key: u64) -> bool {
        self.list.contains(key)
    }
}
