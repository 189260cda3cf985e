//! S3-FIFO: three queues, no promotion on a hit.

use super::{Eviction, list::List};

/// New keys enter a small FIFO (a tenth); who was used there more than once goes on to the main FIFO, the others
/// leave a ghost; a key whose ghost is there enters the main one at once. There a used key goes round again (Yang
/// et al., *FIFO queues are all you need for cache eviction*, SOSP 2023). A hit counts up to 3 and moves nothing.
#[derive(Debug)]
pub struct S3Fifo {
    small: List<u8>,
    main: List<u8>,
    ghosts: List<()>,
    small_capacity: usize,
    capacity: usize,
    /// Whether it has ever been full.
    evicted: bool,
}

impl S3Fifo {
    /// Room for `capacity` keys, at least two.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(2);
        let small_capacity = (capacity / 10).max(1);
        Self { small: List::new(), main: List::new(), ghosts: List::new(), small_capacity, capacity, evicted: false }
    }

    fn evict(&mut self) {
        if self.small.len() >= self.small_capacity || self.main.len() == 0 {
            self.evict_small();
        } else {
            self.evict_main();
        }
    }

    fn evict_small(&mut self) {
        let Some((key, used)) = self.small.pop() else { return };
        if used > 1 {
            self.main.push(key, 0);
            if self.main.len() > self.capacity - self.small_capacity {
                self.evict_main();
            }
            return;
        }
        self.ghosts.push(key, ());
        if self.ghosts.len() > self.capacity - self.small_capacity {
            self.ghosts.pop();
        }
    }

    /// Each turn takes one from a count that a hit has raised: O(1) on average.
    fn evict_main(&mut self) {
        while let Some((key, used)) = self.main.pop() {
            if used == 0 {
                return;
            }
            self.main.push(key, used - 1);
        }
    }
}

impl Eviction for S3Fifo {
    fn name(&self) -> &'static str {
        "S3-FIFO"
    }

    fn request(&mut self, key: u64) -> bool {
        if let Some(used) = self.small.mark(key).or(self.main.mark(key)) {
            *used = (*used + 1).min(3);
            return true;
        }
        while self.len() >= self.capacity {
            self.evicted = true;
            self.evict();
        }
        // The first fill: what the small queue has no room for goes into the main one. Left in the small one, all
        // would leave it again in the order they came, and a loop would find the main queue empty for ever.
        let filling = !self.evicted && self.small.len() >= self.small_capacity;
        if self.ghosts.remove(key).is_some() || filling {
            self.main.push(key, 0);
        } else {
            self.small.push(key, 0);
        }
        false
    }

    fn len(&self) -> usize {
        self.small.len() + self.main.len()
    }

    fn holds(&self, key: u64) -> bool {
        self.small.contains(key) || self.main.contains(key)
    }
}
