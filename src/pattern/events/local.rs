//! The cache in the process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::Changed;
use crate::pattern::store::Versioned;

/// Values of this process, taken back by events. Clones share the same values.
///
/// Guarantees: a value that was loaded before an event about its key arrived is not stored after it; an event that
/// comes twice, or late, takes back nothing newer than itself; while the carrier of events is cut nothing is
/// answered; a bounded number of values; no value older than the TTL, which is the bound when an event never comes.
/// Does **not** guarantee: that what it answers is current: it is, up to the lag of the events.
#[derive(Debug, Clone)]
pub struct LocalCache {
    state: Arc<Mutex<State>>,
    capacity: usize,
    ttl: Duration,
}

#[derive(Debug, Default)]
struct State {
    values: HashMap<String, (Versioned, Instant)>,
    /// Loads under way: key to the number of the fill, and the version that an event has asked for meanwhile.
    fills: HashMap<String, (u64, u64)>,
    next: u64,
    live: bool,
}

/// Leave to store what is about to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    key: String,
    number: u64,
}

impl LocalCache {
    /// Empty, and silent until a carrier of events says that it is connected.
    pub fn new(capacity: usize, ttl: Duration) -> Self {
        Self { state: Arc::default(), capacity, ttl }
    }

    /// The value, if it may still be answered.
    pub fn get(&self, key: &str) -> Option<Versioned> {
        let state = self.state();
        let (value, stored) = state.values.get(key)?;
        (state.live && stored.elapsed() < self.ttl).then(|| value.clone())
    }

    /// To be called before a load.
    pub fn begin(&self, key: &str) -> Fill {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        let asked = state.fills.get(key).map_or(0, |(_, asked)| *asked);
        state.fills.insert(key.to_owned(), (number, asked));
        Fill { key: key.to_owned(), number }
    }

    /// Stores what was loaded, unless an event has come meanwhile that asks for a newer version, or the carrier was
    /// cut, or another load of the key began later. Says whether it did.
    pub fn fill(&self, fill: &Fill, value: Versioned) -> bool {
        let mut state = self.state();
        let Some((number, asked)) = state.fills.get(&fill.key).copied() else { return false };
        if number != fill.number {
            return false;
        }
        state.fills.remove(&fill.key);
        if !state.live || value.version < asked {
            return false;
        }
        self.make_room(&mut state);
        state.values.insert(fill.key.clone(), (value, Instant::now()));
        true
    }

    /// An event: takes back what is older.
    pub fn apply(&self, changed: &Changed) {
        let mut state = self.state();
        if state.values.get(&changed.key).is_some_and(|(value, _)| value.version < changed.version) {
            state.values.remove(&changed.key);
        }
        if let Some((_, asked)) = state.fills.get_mut(&changed.key) {
            *asked = changed.version.max(*asked);
        }
    }

    /// Events arrive from now on. What was there before may be old: it goes.
    pub fn connected(&self) {
        self.clear(true);
    }

    /// Events may be missed from now on: nothing is answered or stored.
    pub fn cut(&self) {
        self.clear(false);
    }

    /// Values held.
    pub fn len(&self) -> usize {
        self.state().values.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether events arrive.
    pub fn is_live(&self) -> bool {
        self.state().live
    }

    fn clear(&self, live: bool) {
        let mut state = self.state();
        state.values.clear();
        // Loads under way may have read before the gap.
        state.fills.clear();
        state.live = live;
    }

    /// What is over goes first, else anything: this is not about eviction.
    fn make_room(&self, state: &mut State) {
        if state.values.len() < self.capacity {
            return;
        }
        state.values.retain(|_, (_, stored)| stored.elapsed() < self.ttl);
        while state.values.len() >= self.capacity.max(1) {
            let Some(any) = state.values.keys().next().cloned() else { return };
            state.values.remove(&any);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half-changed by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(version: u64) -> Versioned {
        Versioned { version, value: bytes::Bytes::from_static(b"x") }
    }

    fn changed(version: u64) -> Changed {
        Changed { key: "k".to_owned(), version }
    }

    fn live() -> LocalCache {
        let cache = LocalCache::new(2, Duration::from_secs(60));
        cache.connected();
        cache
    }

    #[test]
    fn an_event_during_a_load_voids_it_unless_the_load_was_newer() {
        let cache = live();
        let fill = cache.begin("k");
        cache.apply(&changed(2));
        assert!(!cache.fill(&fill, value(1)), "read before the write");
        let fill = cache.begin("k");
        cache.apply(&changed(2));
        assert!(cache.fill(&fill, value(2)), "read after it");
    }

    #[test]
    fn doubled_and_late_events_do_no_harm() {
        let cache = live();
        let fill = cache.begin("k");
        assert!(cache.fill(&fill, value(5)));
        for version in [5, 3, 5] {
            cache.apply(&changed(version));
        }
        assert_eq!(cache.get("k"), Some(value(5)));
        cache.apply(&changed(6));
        assert_eq!(cache.get("k"), None);
    }

    #[test]
    fn nothing_is_answered_or_stored_across_a_cut() {
        let cache = live();
        let fill = cache.begin("k");
        assert!(cache.fill(&fill, value(1)));
        let fill = cache.begin("k");
        cache.cut();
        assert_eq!(cache.get("k"), None);
        cache.connected();
        assert!(!cache.fill(&fill, value(1)), "it may have read before the gap");
        assert_eq!((cache.get("k"), cache.is_live()), (None, true));
    }

    #[test]
    fn it_stays_within_its_capacity_and_ttl() {
        let cache = live();
        for key in ["a", "b", "c"] {
            let fill = cache.begin(key);
            assert!(cache.fill(&fill, value(1)));
        }
        assert_eq!(cache.len(), 2);
        let short = LocalCache::new(2, Duration::ZERO);
        short.connected();
        let fill = short.begin("k");
        short.fill(&fill, value(1));
        assert_eq!(short.get("k"), None);
    }
}
