//! Reading through, writing through, around and behind; every race with its steps in the order that hurts.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use cachelab::{
    origin::OriginError,
    pattern::{
        fetched::Source,
        read_through::ReadThrough,
        refresh_ahead::RefreshAhead,
        store::{Loaded, Store, Versioned},
        write_around::WriteAround,
        write_behind::{Accepted, Batch, Config, Merge, WriteBehind},
        write_order::{Order, OrderedWriter},
        write_through::WriteThrough,
    },
};
use futures_util::future::BoxFuture;

use super::{Live, bounded, ms};

/// A store in memory that counts, and fails when told to.
#[derive(Default)]
pub struct Shelf {
    values: Mutex<HashMap<String, Versioned>>,
    down: AtomicBool,
    loads: AtomicU32,
    bulk_loads: Mutex<Vec<Vec<String>>>,
}

impl Shelf {
    fn with(values: &[(&str, &str)]) -> Arc<Self> {
        let shelf = Self::default();
        for (key, value) in values {
            shelf.write(key, value.as_bytes()).unwrap();
        }
        Arc::new(shelf)
    }

    fn write(&self, key: &str, value: &[u8]) -> Result<u64, OriginError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(OriginError::Failed);
        }
        let mut values = self.values.lock().unwrap();
        let version = values.get(key).map_or(1, |held| held.version + 1);
        values.insert(key.to_owned(), Versioned { version, value: Bytes::copy_from_slice(value) });
        Ok(version)
    }

    fn read(&self, key: &str) -> Result<Option<Versioned>, OriginError> {
        if self.down.load(Ordering::SeqCst) || key == "broken" {
            return Err(OriginError::Failed);
        }
        Ok(self.values.lock().unwrap().get(key).cloned())
    }
}

impl Store for Shelf {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Versioned>, OriginError>> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            tokio::time::sleep(ms(20)).await;
            self.read(key)
        })
    }

    fn load_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Loaded, OriginError>> {
        self.bulk_loads.lock().unwrap().push(keys.to_vec());
        Box::pin(async move { Ok(keys.iter().map(|key| self.read(key)).collect()) })
    }

    fn save<'a>(&'a self, key: &'a str, value: Bytes) -> BoxFuture<'a, Result<u64, OriginError>> {
        Box::pin(async move { self.write(key, &value) })
    }
}

fn text(value: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(value.as_bytes()))
}

#[tokio::test]
async fn many_keys_are_one_bulk_load_in_the_order_asked_and_one_failure_stays_alone() {
    bounded(async {
        let (live, shelf) = (Live::start().await, Shelf::with(&[("a", "A"), ("b", "B"), ("c", "C")]));
        let cache = ReadThrough::new(live.connection.clone(), Arc::clone(&shelf), "r:", ms(60_000));
        assert_eq!(cache.get_many(&["b"]).await, [Ok(text("B"))]);
        let keys = ["c", "nothing", "b", "broken", "a", "c"];
        let expected = [Ok(text("C")), Ok(None), Ok(text("B")), Err(OriginError::Failed), Ok(text("A")), Ok(text("C"))];
        assert_eq!(cache.get_many(&keys).await, expected);
        assert_eq!(*shelf.bulk_loads.lock().unwrap(), [vec!["b"], vec!["c", "nothing", "broken", "a"]]);
        // Neither the failure nor the absence was kept; what is cached is not asked for.
        assert_eq!(cache.get_many(&keys).await, expected);
        assert_eq!(shelf.bulk_loads.lock().unwrap()[2], ["nothing", "broken"]);
        assert_eq!(cache.get_many(&["a", "b"]).await.len(), 2);
        assert_eq!(shelf.bulk_loads.lock().unwrap().len(), 3);
        assert_eq!(live.ask::<Vec<String>>("KEYS *").await.len(), 3);
        assert!(live.ask::<i64>("PTTL r:a").await > 0);
        live.server.control().kill().await.unwrap();
        assert_eq!(cache.get_many(&["a", "b"]).await, [Ok(text("A")), Ok(text("B"))], "without Redis");
    })
    .await;
}

#[tokio::test]
async fn one_key_asked_for_by_many_is_loaded_once() {
    bounded(async {
        let (live, shelf) = (Live::start().await, Shelf::with(&[("a", "A")]));
        let cache = ReadThrough::new(live.connection.clone(), Arc::clone(&shelf), "r:", ms(60_000));
        let answers = futures_util::future::join_all((0..30).map(|_| cache.get("a"))).await;
        assert!(answers.into_iter().all(|answer| answer == Ok(text("A"))));
        assert_eq!(shelf.loads.load(Ordering::SeqCst), 1);
        assert_eq!(cache.get("nothing").await, Ok(None));
        assert_eq!(cache.get("broken").await, Err(OriginError::Failed));
        assert_eq!(cache.get("a").await, Ok(text("A")));
        assert_eq!(shelf.loads.load(Ordering::SeqCst), 3);
    })
    .await;
}

#[tokio::test]
async fn refresh_ahead_never_makes_a_steady_reader_wait_nor_answers_past_the_ttl() {
    bounded(async {
        let live = Live::start().await;
        let loads = Arc::new(AtomicU32::new(0));
        let cache = RefreshAhead::new(live.connection.clone(), ms(2400), 0.4, ms(1200));
        let get = async || {
            let loads = Arc::clone(&loads);
            let load = move || async move {
                tokio::time::sleep(ms(100)).await;
                Ok::<_, ()>(loads.fetch_add(1, Ordering::SeqCst).to_string().into_bytes())
            };
            cache.get("k", load).await.unwrap().source
        };
        assert_eq!(get().await, Source::Loaded);
        let start = Instant::now();
        while start.elapsed() < ms(4500) {
            assert_eq!(get().await, Source::Hit, "nobody waits");
            tokio::time::sleep(ms(5)).await;
        }
        let loads = loads.load(Ordering::SeqCst);
        assert!((3..=6).contains(&loads), "one per 1060 ms: {loads}");
        // A refresh may still be under way.
        tokio::time::sleep(ms(2700)).await;
        assert_eq!(get().await, Source::Loaded, "nobody asked: not refreshed");
    })
    .await;
}

/// What the cache answers after the dust has settled, and what is true.
async fn settled(writer: &OrderedWriter<redis::aio::MultiplexedConnection, Shelf>, shelf: &Shelf) -> (Bytes, Bytes) {
    (writer.get("k").await.unwrap().unwrap(), shelf.read("k").unwrap().unwrap().value)
}

#[tokio::test]
async fn the_slow_reader_pins_the_old_value_in_every_order_but_with_versions() {
    bounded(async {
        let live = Live::start().await;
        for (order, stale) in
            [(Order::StoreThenDelete, true), (Order::StoreThenSet, true), (Order::StoreThenSetIfNewer, false)]
        {
            live.ask::<()>("FLUSHALL").await;
            let shelf = Shelf::with(&[("k", "old")]);
            let writer = OrderedWriter::new(live.connection.clone(), Arc::clone(&shelf), ms(60_000), order);
            // The reader misses and loads, a writer comes, the reader fills.
            let loaded = shelf.read("k").unwrap().unwrap();
            writer.put("k", Bytes::from_static(b"new")).await.unwrap();
            writer.fill("k", &loaded).await;
            let (cached, truth) = settled(&writer, &shelf).await;
            assert_eq!(cached != truth, stale, "{order:?}: {cached:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn two_writers_and_a_refusing_store() {
    bounded(async {
        let live = Live::start().await;
        // Both have stored; the one that stored first touches the cache last.
        for (order, stale) in [(Order::StoreThenSet, true), (Order::StoreThenSetIfNewer, false)] {
            live.ask::<()>("FLUSHALL").await;
            let shelf = Shelf::with(&[("k", "old")]);
            let writer = OrderedWriter::new(live.connection.clone(), Arc::clone(&shelf), ms(60_000), order);
            let first = Versioned { version: shelf.write("k", b"first").unwrap(), value: "first".into() };
            writer.put("k", "second".into()).await.unwrap();
            writer.fill("k", &first).await;
            let (cached, truth) = settled(&writer, &shelf).await;
            assert_eq!(cached != truth, stale, "{order:?}: {cached:?}");
        }
        for (order, wrong) in [(Order::SetThenStore, true), (Order::StoreThenSetIfNewer, false)] {
            live.ask::<()>("FLUSHALL").await;
            let shelf = Shelf::with(&[("k", "old")]);
            let writer = OrderedWriter::new(live.connection.clone(), Arc::clone(&shelf), ms(60_000), order);
            writer.get("k").await.unwrap();
            shelf.down.store(true, Ordering::SeqCst);
            assert!(writer.put("k", "never".into()).await.is_err());
            shelf.down.store(false, Ordering::SeqCst);
            let (cached, truth) = settled(&writer, &shelf).await;
            assert_eq!(cached != truth, wrong, "{order:?}: {cached:?}");
        }
        // Deleted first: a reader between the two steps brings the old value back.
        live.ask::<()>("FLUSHALL").await;
        let shelf = Shelf::with(&[("k", "old")]);
        let order = Order::DeleteThenStore;
        let writer = Arc::new(OrderedWriter::new(live.connection.clone(), Arc::clone(&shelf), ms(60_000), order));
        live.ask::<()>("DEL k").await;
        writer.get("k").await.unwrap();
        shelf.write("k", b"new").unwrap();
        let (cached, truth) = settled(&writer, &shelf).await;
        assert_ne!(cached, truth);
    })
    .await;
}

#[tokio::test]
async fn write_through_fills_write_around_empties_and_neither_loses_a_write_to_a_dead_cache() {
    bounded(async {
        let (live, shelf) = (Live::start().await, Shelf::with(&[("k", "old")]));
        let through = WriteThrough::new(live.connection.clone(), Arc::clone(&shelf), ms(60_000));
        assert_eq!(through.put("k", "one".into()).await, Ok(2));
        assert_eq!(through.get("k").await, Ok(text("one")));
        assert_eq!(shelf.loads.load(Ordering::SeqCst), 0, "from the cache");
        assert!(live.ask::<i64>("PTTL k").await > 0);
        let around = WriteAround::new(live.connection.clone(), Arc::clone(&shelf), ms(60_000));
        assert_eq!(around.put("k", "two".into()).await, Ok(3));
        assert_eq!(live.ask::<u32>("EXISTS k").await, 0);
        assert_eq!(around.get("k").await, Ok(text("two")));
        live.server.control().kill().await.unwrap();
        assert_eq!(through.put("k", "three".into()).await, Ok(4));
        assert_eq!(through.get("k").await, Ok(text("three")));
    })
    .await;
}

fn behind(live: &Live, config: Config) -> WriteBehind<redis::aio::MultiplexedConnection> {
    WriteBehind::new(live.connection.clone(), "{q}", config)
}

const QUEUE: Config = Config { merge: Merge::Replace, capacity: 1000, loan: ms(60_000), parallel: 4 };

/// A store that applies each number of a key once, in order, and adds up.
#[derive(Default, Clone)]
struct Ledger {
    applied: Arc<Mutex<HashMap<String, (u64, i64, Vec<String>)>>>,
}

impl Ledger {
    /// Whether the batch was new.
    fn apply(&self, batch: &Batch) -> bool {
        let mut applied = self.applied.lock().unwrap();
        let held = applied.entry(batch.key.clone()).or_default();
        if batch.number <= held.0 {
            return false;
        }
        let value = String::from_utf8(batch.value.clone()).unwrap();
        *held = (batch.number, held.1 + value.parse::<i64>().unwrap_or(0), [held.2.clone(), vec![value]].concat());
        true
    }

    fn sum(&self, key: &str) -> i64 {
        self.applied.lock().unwrap().get(key).map_or(0, |held| held.1)
    }

    fn values(&self, key: &str) -> Vec<String> {
        self.applied.lock().unwrap().get(key).map_or(Vec::new(), |held| held.2.clone())
    }
}

#[tokio::test]
async fn writes_of_one_key_become_one_and_the_last_counts() {
    bounded(async {
        let (live, ledger) = (Live::start().await, Ledger::default());
        let queue = behind(&live, QUEUE);
        for round in 0..50 {
            for key in ["a", "b"] {
                queue.put(key, format!("{key}{round}").as_bytes()).await.unwrap();
            }
        }
        assert_eq!(queue.depth().await.unwrap(), (2, 0));
        assert_eq!(queue.unwritten("a").await.unwrap(), (Some(b"a49".to_vec()), None), "read your writes");
        let flushed = queue.flush(10, |batch| {
            ledger.apply(&batch);
            std::future::ready(Ok::<_, ()>(()))
        });
        assert_eq!(flushed.await.unwrap().applied, 2);
        assert_eq!((ledger.values("a"), ledger.values("b")), (vec!["a49".to_owned()], vec!["b49".to_owned()]));
        assert_eq!(queue.unwritten("a").await.unwrap(), (None, None));
        assert_eq!(live.ask::<Vec<String>>("KEYS *").await, ["{q}:number"], "nothing left over");
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_dies_between_any_two_steps_loses_nothing_and_doubles_nothing() {
    bounded(async {
        let (live, ledger) = (Live::start().await, Ledger::default());
        let queue = behind(&live, Config { merge: Merge::Add, loan: ms(100), ..QUEUE });
        for dies_after_applying in [false, true] {
            let key = format!("views{dies_after_applying}");
            queue.put(&key, b"3").await.unwrap();
            queue.put(&key, b"4").await.unwrap();
            let taken = queue.take(10).await.unwrap();
            assert_eq!((taken.len(), taken[0].value.as_slice()), (1, b"7".as_slice()));
            if dies_after_applying {
                assert!(ledger.apply(&taken[0]));
            }
            // What comes while the batch is out is not mixed into it, nor lent to another beside it.
            queue.put(&key, b"10").await.unwrap();
            assert_eq!(queue.take(10).await.unwrap(), []);
            tokio::time::sleep(ms(130)).await;
            let again = queue.take(10).await.unwrap();
            assert_eq!(again, taken, "the same number, the same value");
            assert_eq!(ledger.apply(&again[0]), !dies_after_applying);
            assert!(queue.acknowledge(&again[0]).await.unwrap());
            assert!(!queue.acknowledge(&taken[0]).await.unwrap(), "ended already");
            let rest = queue.take(10).await.unwrap();
            assert!(rest[0].number > again[0].number && ledger.apply(&rest[0]));
            assert!(queue.acknowledge(&rest[0]).await.unwrap());
            assert_eq!(ledger.sum(&key), 17);
            assert_eq!(queue.depth().await.unwrap(), (0, 0));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_concurrent_writers_flushers_and_refusals_sums_are_exact() {
    bounded(async {
        let (live, ledger) = (Live::start().await, Ledger::default());
        let config = Config { merge: Merge::Add, loan: ms(40), ..QUEUE };
        let (mut writers, mut flushers) = (tokio::task::JoinSet::new(), tokio::task::JoinSet::new());
        for _ in 0..4 {
            let queue = WriteBehind::new(live.connect().await, "{q}", config);
            writers.spawn(async move {
                for n in 0..200 {
                    queue.put(["a", "b", "c"][n % 3], b"1").await.unwrap();
                }
            });
        }
        let applied = Arc::new(AtomicU32::new(0));
        for flusher in 0..3_u64 {
            let queue = WriteBehind::new(live.connect().await, "{q}", config);
            let (ledger, applied) = (ledger.clone(), Arc::clone(&applied));
            flushers.spawn(async move {
                loop {
                    let calls = queue.flush(5, |batch| {
                        let (ledger, applied) = (ledger.clone(), Arc::clone(&applied));
                        async move {
                            let call = applied.fetch_add(1, Ordering::SeqCst);
                            // Refuses, dawdles past the loan, says no although it was done: all that stores do.
                            match call % 7 {
                                0 => return Err(()),
                                1 => tokio::time::sleep(ms(60)).await,
                                _ => tokio::time::sleep(ms(flusher)).await,
                            }
                            ledger.apply(&batch);
                            if call % 7 == 3 { Err(()) } else { Ok(()) }
                        }
                    });
                    calls.await.unwrap();
                }
            });
        }
        writers.join_all().await;
        let queue = behind(&live, config);
        while queue.depth().await.unwrap() != (0, 0) {
            tokio::time::sleep(ms(5)).await;
        }
        flushers.shutdown().await;
        let sums = ["a", "b", "c"].map(|key| ledger.sum(key));
        assert_eq!(sums.iter().sum::<i64>(), 800, "{sums:?}");
        assert_eq!(sums, [268, 268, 264]);
        eprintln!("{} store calls for 800 writes", applied.load(Ordering::SeqCst));
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_says_so_and_a_drain_empties_it_or_says_that_it_could_not() {
    bounded(async {
        let (live, ledger) = (Live::start().await, Ledger::default());
        let queue = behind(&live, Config { capacity: 2, ..QUEUE });
        assert_eq!(queue.put("a", b"1").await.unwrap(), Accepted::Queued(1));
        assert_eq!(queue.put("b", b"1").await.unwrap(), Accepted::Queued(2));
        assert_eq!(queue.put("c", b"1").await.unwrap(), Accepted::Full);
        assert_eq!(queue.put("a", b"2").await.unwrap(), Accepted::Queued(2), "merged");
        let start = Instant::now();
        let down = queue.drain(start + ms(100), |_| std::future::ready(Err::<(), _>(()))).await.unwrap();
        assert!(!down && start.elapsed() < ms(1000));
        assert_eq!(queue.depth().await.unwrap().1, 2, "still there");
        let done = queue.drain(Instant::now() + ms(5000), |batch| {
            ledger.apply(&batch);
            std::future::ready(Ok::<_, ()>(()))
        });
        assert!(done.await.unwrap());
        assert_eq!(ledger.values("a"), ["2"]);
    })
    .await;
}
