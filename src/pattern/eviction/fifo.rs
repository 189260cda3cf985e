//! First in, first out.

use super::{Eviction, list::List};

/// Evicts what came first, used or not. A hit changes nothing, hence no lock on reads. Not a stack algorithm: more
/// room may mean more misses (Bélády, Nelson & Shedler, 1969).
#[derive(Debug)]
pub struct Fifo {
    list: List<()>,
    capacity: usize,
}

impl Fifo {
    /// Room for `capacity` keys, at least one.
    pub fn new(capacity: usize) -> Self {
        Self { list: List::new(), capacity: capacity.max(1) }
    }
}

impl Eviction for Fifo {
    fn name(&self) -> &'static str {
        "FIFO"
    }

    fn request(&mut self, key: u64) -> bool {
        if self.list.contains(key) {
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
