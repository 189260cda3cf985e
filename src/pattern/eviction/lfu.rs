//! Least frequently used, with or without ageing.

use std::collections::{BTreeMap, HashMap};

use super::{Eviction, list::List};

/// Evicts what was used least, of several the one not used for longest. Counts are of keys held; with ageing
/// all are halved every so many requests, so that yesterday's heroes fade.
///
/// O(1) by a list for each count (Shah, Mitra & Matani, 2010); the counts are few and sorted.
#[derive(Debug)]
pub struct Lfu {
    counts: HashMap<u64, u64>,
    lists: BTreeMap<u64, List<()>>,
    capacity: usize,
    age_every: Option<u64>,
    requests: u64,
}

impl Lfu {
    /// Room for `capacity` keys, at least one; counts never fade.
    pub fn new(capacity: usize) -> Self {
        Self { counts: HashMap::new(), lists: BTreeMap::new(), capacity: capacity.max(1), age_every: None, requests: 0 }
    }

    /// The same, with all counts halved every so many requests.
    pub fn ageing(capacity: usize, every: u64) -> Self {
        Self { age_every: Some(every.max(1)), ..Self::new(capacity) }
    }

    fn put(&mut self, key: u64, count: u64) {
        self.counts.insert(key, count);
        self.lists.entry(count).or_insert_with(List::new).push(key, ());
    }

    fn take(&mut self, key: u64, count: u64) {
        self.counts.remove(&key);
        if let Some(list) = self.lists.get_mut(&count) {
            list.remove(key);
            if list.len() == 0 {
                self.lists.remove(&count);
            }
        }
    }

    /// Amortised over the requests since the last time. The order within a count stays.
    fn age(&mut self) {
        for (count, mut list) in std::mem::take(&mut self.lists) {
            while let Some((key, ())) = list.pop() {
                self.put(key, count / 2);
            }
        }
    }
}

impl Eviction for Lfu {
    fn name(&self) -> &'static str {
        if self.age_every.is_some() { "LFU, ageing" } else { "LFU" }
    }

    fn request(&mut self, key: u64) -> bool {
        self.requests += 1;
        if self.age_every.is_some_and(|every| self.requests.is_multiple_of(every)) {
            self.age();
        }
        if let Some(count) = self.counts.get(&key).copied() {
            self.take(key, count);
            self.put(key, count + 1);
            return true;
        }
        if self.counts.len() == self.capacity {
            let least = self.lists.first_key_value().and_then(|(count, list)| Some((list.oldest()?, *count)));
            if let Some((victim, count)) = least {
                self.take(victim, count);
            }
        }
        self.put(key, 1);
        false
    }

    fn len(&self) -> usize {
        self.counts.len()
    }

    fn holds(&self, key: u64) -> bool {
        self.counts.contains_key(&key)
    }
}
