//! CLOCK, or second chance.

use super::{Eviction, list::List};

/// A FIFO whose head, when it was used since the hand last passed, goes round once more (Corbató, 1968): LRU's
/// company at the price of one bit. A hit sets the bit and moves nothing.
#[derive(Debug)]
pub struct Clock {
    list: List<bool>,
    capacity: usize,
}

impl Clock {
    /// Room for `capacity` keys, at least one.
    pub fn new(capacity: usize) -> Self {
        Self { list: List::new(), capacity: capacity.max(1) }
    }
}

impl Eviction for Clock {
    fn name(&self) -> &'static str {
        "CLOCK"
    }

    fn request(&mut self, key: u64) -> bool {
        if let Some(used) = self.list.mark(key) {
            *used = true;
            return true;
        }
        // Each turn clears a bit that a hit has set: O(1) on average.
        while self.list.len() == self.capacity {
            if let Some((old, true)) = self.list.pop() {
                self.list.push(old, false);
            }
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
