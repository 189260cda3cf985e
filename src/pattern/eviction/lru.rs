//! Least recently used.

use super::{Eviction, list::List};

/// Evicts what was not used for longest. A stack algorithm (Mattson et al., 1970): what fits into a smaller cache
/// fits into a larger one, so more room never hurts.
#[derive(Debug)]
pub struct Lru {
    list: List<()>,
    capacity: usize,
}

impl Lru {
    /// Room for `capacity` keys, at least one.
    pub fn new(capacity: usize) -> Self {
        Self { list: List::new(), capacity: capacity.max(1) }
    }
}

impl Eviction for Lru {
    fn name(&self) -> &'static str {
        "LRU"
    }

    fn request(&mut self, key: u64) -> bool {
        if self.list.touch(key) {
            return true;
        }
        if self.list.len() == self.capacity {
            self.list.pop();
        }
        self.list.push(key, ());
        false
    }

    fn len(&self) -> usize {
        self.list.len()
    }

    fn holds(&self, key: u64) -> bool {
        self.list.contains(key)
    }
}
