//! Request coalescing in one process: callers who ask for the same key at the same time share one load.
//!
//! Source: Go's `golang.org/x/sync/singleflight`; as *request coalescing* in HTTP caches (RFC 9111 §4 allows it).
//!
//! Guarantees: at most one load per key is under way in the process; every caller gets its result, errors
//! included; a load goes on as long as one of its callers still waits, whoever of them gives up (there is no leader
//! whose cancellation fails the others); a finished load is never joined: who asks later, loads again.
//! Does **not** guarantee: anything across processes, of which each has a load of its own ([`FleetFlight`](super::FleetFlight)
//! (super::FleetFlight) is for that). Nor that a caller reads its own write: it may join a load that had read before
//! the write. Call [`SingleFlight::forget`] after a write.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

/// Loads under way. The map holds them weakly: with the last waiting caller a load is dropped.
type Flights<K, V> = HashMap<K, (u64, WeakShared<BoxFuture<'static, V>>)>;

/// Shares loads among callers. Clones share the same loads.
pub struct SingleFlight<K, V> {
    state: Arc<State<K, V>>,
}

struct State<K, V> {
    flights: Mutex<Flights<K, V>>,
}

/// Whether a caller's own load ran, or another's that it joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flight {
    /// Its own.
    Led,
    /// Another's.
    Joined,
}

impl<K, V> State<K, V> {
    fn flights(&self) -> MutexGuard<'_, Flights<K, V>> {
        // No code of a caller's runs under this lock.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Nothing under way.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `load`, or waits for the one under way. A panic in a load reaches all who wait for it.
    pub async fn run<F>(&self, key: K, load: impl FnOnce() -> F) -> (V, Flight)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (shared, flight) = self.join(key, load);
        (shared.await, flight)
    }

    /// Who asks from now on does not join a load that is under way.
    pub fn forget(&self, key: &K) {
        self.state.flights().remove(key);
    }

    /// Loads under way.
    pub fn len(&self) -> usize {
        self.state.flights().values().filter(|(_, flight)| flight.upgrade().is_some()).count()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn join<F>(&self, key: K, load: impl FnOnce() -> F) -> (Shared<BoxFuture<'static, V>>, Flight)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut flights = self.state.flights();
        if let Some(shared) = flights.get(&key).and_then(|(_, flight)| flight.upgrade()) {
            return (shared, Flight::Joined);
        }
        let number = rand::random();
        let landing = Landing { state: Arc::clone(&self.state), key: key.clone(), number };
        let load = load();
        let shared = async move {
            let value = load.await;
            // Before anybody sees the value: who asks after that must not be given it.
            drop(landing);
            value
        }
        .boxed()
        .shared();
        if let Some(weak) = shared.downgrade() {
            flights.insert(key, (number, weak));
        }
        (shared, Flight::Led)
    }
}

/// Takes a load out of the map when it is over, also when it panicked or was given up.
struct Landing<K: Eq + Hash, V> {
    state: Arc<State<K, V>>,
    key: K,
    number: u64,
}

impl<K: Eq + Hash, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        let mut flights = self.state.flights();
        // After `forget`, or when all had given up, a newer load may stand there.
        if flights.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            flights.remove(&self.key);
        }
    }
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self { state: Arc::new(State { flights: Mutex::default() }) }
    }
}

impl<K, V> Clone for SingleFlight<K, V> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state) }
    }
}

impl<K, V> fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use tokio::{sync::Semaphore, time::timeout};

    use super::*;

    /// A load that counts itself and ends when told to.
    #[derive(Clone)]
    struct Load {
        calls: Arc<AtomicU32>,
        gate: Arc<Semaphore>,
    }

    impl Load {
        fn new() -> Self {
            Self { calls: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
        }

        async fn run(self) -> Result<u32, String> {
            let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            let pass = self.gate.acquire().await.map_err(|_| "closed".to_owned())?;
            pass.forget();
            if call == 99 { Err("never".to_owned()) } else { Ok(call) }
        }

        fn calls(&self) -> u32 {
            self.calls.load(Ordering::SeqCst)
        }
    }

    fn start(
        flights: &SingleFlight<&'static str, Result<u32, String>>,
        key: &'static str,
        load: &Load,
    ) -> tokio::task::JoinHandle<(Result<u32, String>, Flight)> {
        let (flights, load) = (flights.clone(), load.clone());
        tokio::spawn(async move { flights.run(key, || load.run()).await })
    }

    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_herd_makes_one_load_and_the_next_caller_another() {
        let (flights, load) = (SingleFlight::new(), Load::new());
        let herd: Vec<_> = (0..100).map(|_| start(&flights, "hot", &load)).collect();
        let other = start(&flights, "other", &load);
        settle().await;
        assert_eq!((load.calls(), flights.len()), (2, 2), "one a key, at the same time");
        load.gate.add_permits(2);
        let mut led = 0;
        for caller in herd {
            let (value, flight) = caller.await.unwrap();
            assert_eq!(value, Ok(1));
            led += u32::from(flight == Flight::Led);
        }
        assert_eq!(led, 1);
        assert_eq!(other.await.unwrap(), (Ok(2), Flight::Led));
        assert!(flights.is_empty());
        load.gate.add_permits(1);
        assert_eq!(start(&flights, "hot", &load).await.unwrap(), (Ok(3), Flight::Led), "not the old answer");
    }

    #[tokio::test]
    async fn the_leaders_cancellation_harms_nobody_and_the_last_ones_ends_the_load() {
        let (flights, load) = (SingleFlight::new(), Load::new());
        let leader = start(&flights, "hot", &load);
        settle().await;
        let followers: Vec<_> = (0..3).map(|_| start(&flights, "hot", &load)).collect();
        settle().await;
        leader.abort();
        settle().await;
        load.gate.add_permits(1);
        for follower in followers {
            assert_eq!(timeout(Duration::from_secs(5), follower).await.unwrap().unwrap(), (Ok(1), Flight::Joined));
        }
        assert_eq!(load.calls(), 1);

        let only = start(&flights, "hot", &load);
        settle().await;
        only.abort();
        let _ = only.await;
        assert!(flights.is_empty(), "given up by all");
        load.gate.add_permits(1);
        assert_eq!(start(&flights, "hot", &load).await.unwrap(), (Ok(3), Flight::Led), "a new load, not the old half");
    }

    #[tokio::test]
    async fn after_forget_nobody_joins_a_load_that_began_before_the_write() {
        let (flights, load) = (SingleFlight::new(), Load::new());
        let before = start(&flights, "hot", &load);
        settle().await;
        flights.forget(&"hot");
        let after = start(&flights, "hot", &load);
        settle().await;
        assert_eq!(load.calls(), 2);
        load.gate.add_permits(1);
        assert_eq!(before.await.unwrap().0, Ok(1));
        assert_eq!(flights.len(), 1, "the older one's end does not remove the newer one");
        load.gate.add_permits(1);
        assert_eq!(after.await.unwrap(), (Ok(2), Flight::Led));
    }

    #[tokio::test]
    async fn errors_are_shared_and_not_kept() {
        let (flights, load) = (SingleFlight::new(), Load::new());
        let (one, two) = (start(&flights, "hot", &load), start(&flights, "hot", &load));
        settle().await;
        load.gate.close();
        assert!(one.await.unwrap().0.is_err() && two.await.unwrap().0.is_err());
        assert_eq!(load.calls(), 1);
        assert!(start(&flights, "hot", &load).await.unwrap().0.is_err());
        assert_eq!(load.calls(), 2);
    }
}
