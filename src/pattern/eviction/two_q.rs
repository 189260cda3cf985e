//! 2Q: on probation first.

use super::{Eviction, list::List};

/// New keys enter a FIFO of a quarter of the room; who leaves it leaves a ghost, and who comes back while its ghost
/// is there enters the LRU of the rest (Johnson & Shasha, VLDB 1994, the full version, Kin 25 %, Kout 50 %).
#[derive(Debug)]
pub struct TwoQ {
    probation: List<()>,
    main: List<()>,
    ghosts: List<()>,
    capacity: usize,
}

impl TwoQ {
    /// Room for `capacity` keys, at least two.
    pub fn new(capacity: usize) -> Self {
        Self { probation: List::new(), main: List::new(), ghosts: List::new(), capacity: capacity.max(2) }
    }

    fn make_room(&mut self) {
        if self.len() < self.capacity {
            return;
        }
        let on_probation = (self.capacity / 4).max(1);
        if self.probation.len() > on_probation || self.main.len() == 0 {
            if let Some((key, ())) = self.probation.pop() {
                self.ghosts.push(key, ());
            }
            if self.ghosts.len() > self.capacity / 2 {
                self.ghosts.pop();
            }
        } else {
            self.main.pop();
        }
    }
}

impl Eviction for TwoQ {
    fn name(&self) -> &'static str {
        "2Q"
    }

    fn request(&mut self, key: u64) -> bool {
        // A second use soon after the first proves nothing: on probation the order stays.
        if self.main.touch(key) || self.probation.contains(key) {
            return true;
        }
        let known = self.ghosts.remove(key).is_some();
        self.make_room();
        if known {
            self.main.push(key, ());
        } else {
            self.probation.push(key, ());
        }
        false
    }

    fn len(&self) -> usize {
        self.probation.len() + self.main.len()
    }

    fn holds(&self, key: u64) -> bool {
        self.probation.contains(key) || self.main.contains(key)
    }
}
