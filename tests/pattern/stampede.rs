//! Against stampedes: who loads, how often, and what when that one fails, dies or is slow.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use cachelab::pattern::{
    early_expiry::EarlyExpiry,
    fetched::Source,
    fleet_flight::{self, FleetFlight},
    stale_while_revalidate::{self, StaleWhileRevalidate},
};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{Live, bounded, ms};

/// An origin that counts loads and answers when a permit is there.
#[derive(Clone)]
struct Slow {
    calls: Arc<AtomicU32>,
    gate: Arc<Semaphore>,
}

impl Slow {
    fn new() -> Self {
        Self { calls: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }

    async fn load(self) -> Result<Vec<u8>, &'static str> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        self.gate.acquire().await.map_err(|_| "origin down")?.forget();
        Ok(format!("value {call}").into_bytes())
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    async fn called(&self, times: u32) {
        while self.calls() < times {
            tokio::time::sleep(ms(1)).await;
        }
    }
}

const FLEET: fleet_flight::Config =
    fleet_flight::Config { ttl: ms(5000), lease: ms(2000), pause: ms(10), patience: ms(10_000) };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_misses_on_eight_connections_make_one_load() {
    bounded(async {
        let (live, origin) = (Live::start().await, Slow::new());
        let mut callers = JoinSet::new();
        for _ in 0..8 {
            let cache = FleetFlight::new(live.connect().await, FLEET);
            for _ in 0..5 {
                let (cache, origin) = (cache.clone(), origin.clone());
                callers.spawn(async move { cache.get("hot", || origin.load()).await.unwrap() });
            }
        }
        origin.called(1).await;
        let other = FleetFlight::new(live.connect().await, FLEET);
        origin.gate.add_permits(1);
        let answers = callers.join_all().await;
        assert!(answers.iter().all(|answer| answer.value == "value 1"));
        assert_eq!(answers.iter().filter(|answer| answer.source == Source::Loaded).count(), 1);
        assert_eq!(origin.calls(), 1);
        assert_eq!(other.get("hot", || origin.clone().load()).await.unwrap().source, Source::Hit);
        assert_eq!(live.ask::<Vec<String>>("KEYS *").await, ["hot"], "the lease is given back");
        assert!(live.ask::<i64>("PTTL hot").await > 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loader_that_fails_or_dies_makes_room_for_the_next() {
    bounded(async {
        let (live, origin) = (Live::start().await, Slow::new());
        let config = fleet_flight::Config { lease: ms(300), ..FLEET };
        let cache = FleetFlight::new(live.connection.clone(), config);
        // Fails: the next one tries at once, and the error is nowhere kept.
        assert_eq!(cache.get("a", || async { Err::<Vec<u8>, _>("down") }).await.unwrap_err(), "down");
        origin.gate.add_permits(1);
        let start = Instant::now();
        assert_eq!(cache.get("a", || origin.clone().load()).await.unwrap().source, Source::Loaded);
        assert!(start.elapsed() < ms(200), "{:?}", start.elapsed());

        // Dies in the middle: the lease ends.
        let doomed = {
            let (cache, origin) = (cache.clone(), origin.clone());
            tokio::spawn(async move { cache.get("b", || origin.load()).await.unwrap() })
        };
        origin.called(2).await;
        doomed.abort();
        origin.gate.add_permits(1);
        let start = Instant::now();
        let answer = cache.get("b", || origin.clone().load()).await.unwrap();
        assert_eq!((answer.source, origin.calls()), (Source::Loaded, 3));
        assert!(start.elapsed() < ms(600), "{:?}", start.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_slower_than_its_lease_does_not_overwrite_its_successors() {
    bounded(async {
        let (live, old, new) = (Live::start().await, Slow::new(), Slow::new());
        let config = fleet_flight::Config { lease: ms(700), ..FLEET };
        let cache = FleetFlight::new(live.connection.clone(), config);
        let slow = {
            let (cache, old) = (cache.clone(), old.clone());
            tokio::spawn(async move { cache.get("k", || old.load()).await.unwrap() })
        };
        old.called(1).await;
        new.calls.store(10, Ordering::SeqCst);
        new.gate.add_permits(1);
        assert_eq!(cache.get("k", || new.clone().load()).await.unwrap().value, "value 11");
        old.gate.add_permits(1);
        assert_eq!(slow.await.unwrap().value, "value 1", "its own caller gets what it read");
        assert_eq!(live.ask::<String>("GET k").await, "value 11");
    })
    .await;
}

#[tokio::test]
async fn without_redis_everybody_loads() {
    bounded(async {
        let (live, origin) = (Live::start().await, Slow::new());
        let fleet = FleetFlight::new(live.connection.clone(), FLEET);
        let early = EarlyExpiry::new(live.connection.clone(), ms(1000), 1.0);
        let config = stale_while_revalidate::Config { soft: ms(100), hard: ms(1000), retry: ms(100) };
        let stale = StaleWhileRevalidate::new(live.connection.clone(), config);
        live.server.control().kill().await.unwrap();
        origin.gate.add_permits(3);
        let start = Instant::now();
        assert_eq!(fleet.get("k", || origin.clone().load()).await.unwrap().source, Source::Fallback);
        assert_eq!(early.get("k", || origin.clone().load()).await.unwrap().source, Source::Fallback);
        assert_eq!(stale.get("k", || origin.clone().load()).await.unwrap().source, Source::Fallback);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    })
    .await;
}

#[tokio::test]
async fn early_expiry_reloads_before_the_end_and_keeps_the_value_when_that_fails() {
    bounded(async {
        let live = Live::start().await;
        let cache = EarlyExpiry::new(live.connection.clone(), ms(3000), 3.0);
        let load = |value: &'static str| async move {
            tokio::time::sleep(ms(100)).await;
            Ok::<_, &str>(value.as_bytes().to_vec())
        };
        assert_eq!(cache.get("k", || load("one")).await.unwrap().source, Source::Loaded);
        let start = Instant::now();
        // β = 3, δ = 100 ms, 3 s left: e^-10 that one of the first asks for a new one.
        assert_eq!(cache.get("k", || load("two")).await.unwrap().value, "one");
        let mut reloaded = None;
        while start.elapsed() < ms(2900) && reloaded.is_none() {
            let failed = cache.get("k", || async { Err::<Vec<u8>, _>("down") }).await.unwrap();
            assert_eq!((failed.value.as_ref(), failed.source), (b"one".as_slice(), Source::Hit));
            if start.elapsed() > ms(1500) {
                let answer = cache.get("k", || load("two")).await.unwrap();
                reloaded = (answer.source == Source::Loaded).then(|| start.elapsed());
            }
            tokio::time::sleep(ms(1)).await;
        }
        let reloaded = reloaded.expect("before it expired");
        assert_eq!(cache.get("k", || load("three")).await.unwrap().value, "two");
        eprintln!("reloaded after {reloaded:?} of 3 s");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_values_are_answered_at_once_while_one_caller_of_the_fleet_refreshes() {
    bounded(async {
        let (live, origin) = (Live::start().await, Slow::new());
        let config = stale_while_revalidate::Config { soft: ms(150), hard: ms(60_000), retry: ms(5000) };
        origin.gate.add_permits(1);
        let cache = StaleWhileRevalidate::new(live.connection.clone(), config);
        assert_eq!(cache.get("k", || origin.clone().load()).await.unwrap().source, Source::Loaded);
        assert_eq!(cache.get("k", || origin.clone().load()).await.unwrap().source, Source::Hit);
        tokio::time::sleep(ms(170)).await;
        let mut callers = JoinSet::new();
        for _ in 0..8 {
            let (cache, origin) = (StaleWhileRevalidate::new(live.connect().await, config), origin.clone());
            callers.spawn(async move {
                for _ in 0..5 {
                    // The origin does not answer: whoever waited for it would wait for ever.
                    let answer = cache.get("k", || origin.clone().load()).await.unwrap();
                    assert_eq!((answer.value.as_ref(), answer.source), (b"value 1".as_slice(), Source::Stale));
                }
            });
        }
        callers.join_all().await;
        origin.called(2).await;
        assert_eq!(origin.calls(), 2, "one refresh");
        // From here on the origin answers (a busy machine may need it more than once).
        origin.gate.add_permits(1000);
        while cache.get("k", || origin.clone().load()).await.unwrap().value == "value 1" {
            tokio::time::sleep(ms(1)).await;
        }
        // The claim is given back, and does not just run out after 5 s.
        let start = Instant::now();
        while live.ask::<i64>("PTTL k:refresh").await >= 0 {
            assert!(start.elapsed() < ms(2500));
            tokio::time::sleep(ms(1)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_saw_the_old_value_does_not_refresh_the_new_one() {
    bounded(async {
        let live = Live::start().await;
        let config = stale_while_revalidate::Config { soft: ms(100), hard: ms(60_000), retry: ms(20_000) };
        let loads: Arc<Mutex<Vec<(Instant, Instant)>>> = Arc::default();
        let start = Instant::now();
        let mut callers = JoinSet::new();
        let first = StaleWhileRevalidate::new(live.connect().await, config);
        first.get("k", || async { Ok::<_, ()>(b"v".to_vec()) }).await.unwrap();
        for _ in 0..6 {
            let (cache, loads) = (StaleWhileRevalidate::new(live.connect().await, config), Arc::clone(&loads));
            callers.spawn(async move {
                while start.elapsed() < ms(3000) {
                    let loads = Arc::clone(&loads);
                    let load = || async move {
                        let began = Instant::now();
                        tokio::time::sleep(ms(3)).await;
                        loads.lock().unwrap().push((began, Instant::now()));
                        Ok::<_, ()>(b"v".to_vec())
                    };
                    cache.get("k", load).await.unwrap();
                }
            });
        }
        callers.join_all().await;
        let loads = loads.lock().unwrap();
        assert!(loads.len() > 5, "{}", loads.len());
        for pair in loads.windows(2) {
            let fresh = pair[1].0.saturating_duration_since(pair[0].1);
            assert!(fresh >= ms(98), "a value {fresh:?} old was refreshed");
        }
    })
    .await;
}

#[tokio::test]
async fn a_failing_refresh_keeps_the_old_value_and_is_tried_once_per_retry_until_the_hard_end() {
    bounded(async {
        let (live, origin) = (Live::start().await, Slow::new());
        let config = stale_while_revalidate::Config { soft: ms(50), hard: ms(900), retry: ms(250) };
        let cache = StaleWhileRevalidate::new(live.connection.clone(), config);
        origin.gate.add_permits(1);
        cache.get("k", || origin.clone().load()).await.unwrap();
        let start = Instant::now();
        origin.gate.close();
        tokio::time::sleep(ms(60)).await;
        let mut stale = 0;
        let error = loop {
            match cache.get("k", || origin.clone().load()).await {
                Ok(answer) => {
                    assert_eq!((answer.value.as_ref(), answer.source), (b"value 1".as_slice(), Source::Stale));
                    stale += 1;
                }
                Err(error) => break error,
            }
            tokio::time::sleep(ms(5)).await;
        };
        assert_eq!(error, "origin down");
        assert!(stale > 20, "{stale}");
        assert!(start.elapsed() >= ms(890), "the hard end, not sooner: {:?}", start.elapsed());
        // The first load, at most four tries in 850 ms, and the one that said so.
        assert!((4..=6).contains(&origin.calls()), "{}", origin.calls());
    })
    .await;
}
