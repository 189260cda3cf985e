//! What the patterns guarantee, and that what they do not guarantee really can happen.

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use cachelab::{
    clock::Timer,
    origin::{Latency, OriginError, Simulated, SimulatedSpec},
    pattern::{
        CacheAside,
        cache_aside::{Config, Lookup, key},
        lock::{ExpiringLock, FencedLock, Held, NaiveLock, TokenLock},
    },
};
use redis::{AsyncCommands, aio::ConnectionManager};

use super::{connection, server};

const TTL: Duration = Duration::from_secs(20);

fn timer() -> Timer {
    Timer::start().expect("a thread")
}

#[tokio::test]
async fn a_token_release_leaves_a_successors_lock_alone_and_a_plain_one_does_not() {
    let server = server().await;
    let mut redis = connection(server.endpoint()).await;
    let mut first = TokenLock::new(redis.clone(), "lock");
    let mut second = first.clone();
    let late = first.try_acquire(TTL).await.expect("redis").expect("free");
    assert_eq!(second.try_acquire(TTL).await.expect("redis"), None, "held");
    // The lease runs out here; the time of it is ours to choose.
    let () = redis.del("lock").await.expect("DEL");
    let held = second.try_acquire(TTL).await.expect("redis").expect("free again");
    assert!(!first.extend(&late, TTL).await.expect("redis"), "nobody extends another's lock");
    assert!(!first.release(&late).await.expect("redis"), "nor releases it");
    assert!(redis.exists::<_, bool>("lock").await.expect("EXISTS"));
    assert!(second.release(&held).await.expect("redis"));
    assert!(!redis.exists::<_, bool>("lock").await.expect("EXISTS"));

    let mut first = ExpiringLock::new(redis.clone(), "lock");
    let mut second = first.clone();
    assert!(first.try_acquire(TTL).await.expect("redis"));
    let () = redis.del("lock").await.expect("DEL");
    assert!(second.try_acquire(TTL).await.expect("redis"));
    assert!(first.release().await.expect("redis"), "this is what is wrong with it");
    assert!(!redis.exists::<_, bool>("lock").await.expect("EXISTS"));
    server.stop().await;
}

#[tokio::test]
async fn only_the_naive_lock_has_no_expiry() {
    let server = server().await;
    let mut redis = connection(server.endpoint()).await;
    let ttl = async |redis: &mut redis::aio::MultiplexedConnection, key: &str| -> i64 {
        redis.pttl(key).await.expect("PTTL")
    };
    assert!(NaiveLock::new(redis.clone(), "naive").try_acquire().await.expect("redis"));
    assert_eq!(ttl(&mut redis, "naive").await, -1);
    assert!(ExpiringLock::new(redis.clone(), "expiring").try_acquire(TTL).await.expect("redis"));
    TokenLock::new(redis.clone(), "token").try_acquire(TTL).await.expect("redis").expect("free");
    FencedLock::new(redis.clone(), "fenced").try_acquire(TTL).await.expect("redis").expect("free");
    for name in ["expiring", "token", "fenced"] {
        let left = ttl(&mut redis, name).await;
        assert!((1..=20_000).contains(&left), "{name}: {left}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_watchdog_keeps_a_slow_holders_lock_and_sees_when_it_is_lost() {
    let server = server().await;
    let mut redis = connection(server.endpoint()).await;
    let (timer, ttl) = (timer(), Duration::from_millis(300));
    let mut lock = TokenLock::new(redis.clone(), "lock");
    let lease = lock.try_acquire(ttl).await.expect("redis").expect("free");
    let work = async {
        timer.sleep(ttl * 3).await;
        redis.clone().exists::<_, bool>("lock").await.expect("EXISTS")
    };
    assert_eq!(lock.hold(&lease, ttl, &timer, work).await, Held::Done(true), "held three times its TTL");
    let stolen = async {
        let () = redis.set("lock", "another's").await.expect("SET");
        std::future::pending::<()>().await;
    };
    assert_eq!(lock.hold(&lease, ttl, &timer, stolen).await, Held::Lost);
    let kept: String = connection(server.endpoint()).await.get("lock").await.expect("GET");
    assert_eq!(kept, "another's");
    server.stop().await;
}

#[tokio::test]
async fn fencing_tokens_rise_with_every_lease_whoever_takes_it() {
    let server = server().await;
    let redis = connection(server.endpoint()).await;
    let taken = Arc::new(tokio::sync::Mutex::new(Vec::new()));
    let clients: Vec<_> = (0..6)
        .map(|n| {
            let (mut lock, taken) = (FencedLock::new(redis.clone(), "lock"), Arc::clone(&taken));
            let mut redis = redis.clone();
            tokio::spawn(async move {
                let mut mine = 0;
                while mine < 20 {
                    let Some(fenced) = lock.try_acquire(TTL).await.expect("redis") else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    taken.lock().await.push(fenced.fencing_token);
                    mine += 1;
                    // Some leases end by themselves instead of being released.
                    if (mine + n) % 3 == 0 {
                        let () = redis.del("lock").await.expect("DEL");
                    } else {
                        assert!(lock.release(&fenced).await.expect("redis"));
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("no panic");
    }
    let taken = taken.lock().await;
    assert_eq!(taken.len(), 120);
    assert!(taken.is_sorted_by(|a, b| a < b), "{taken:?}");
    server.stop().await;
}

/// A cache in front of an origin of 1 ms.
struct Shop {
    origin: Arc<Simulated>,
    cache: CacheAside<ConnectionManager, Simulated>,
    schema: Arc<AtomicU32>,
}

async fn shop(endpoint: &cachelab::server::Endpoint, change: impl Fn(&mut Config)) -> Shop {
    let latency = Latency::Fixed(Duration::from_millis(1));
    let spec = SimulatedSpec { latency, capacity: None, failures: 0.0, absent: 0.5, payload: 300, seed: 1 };
    let origin = Arc::new(Simulated::new(spec, timer()));
    let mut config = Config {
        prefix: "shop:".to_owned(),
        ttl: TTL,
        negative_ttl: None,
        compress: false,
        invalidate: true,
        timeout: Duration::from_millis(500),
    };
    change(&mut config);
    let manager = redis::aio::ConnectionManagerConfig::new().set_number_of_retries(0);
    let manager = ConnectionManager::new_with_config(endpoint.client().expect("a client"), manager);
    let schema = Arc::new(AtomicU32::new(1));
    let cache = CacheAside::new(manager.await.expect("a connection"), Arc::clone(&origin), config, Arc::clone(&schema));
    Shop { origin, cache, schema }
}

/// Exists; its neighbour 2 does not.
const SHOE: u64 = 1;

#[tokio::test]
async fn the_second_read_is_a_hit_until_the_value_changes() {
    let server = server().await;
    for compress in [false, true] {
        let shop = shop(server.endpoint(), |config| {
            config.compress = compress;
            config.prefix = format!("shop-{compress}:");
        });
        let shop = shop.await;
        let first = shop.cache.get(SHOE).await.expect("works");
        assert_eq!(first.lookup, Lookup::Miss);
        let second = shop.cache.get(SHOE).await.expect("works");
        assert_eq!((second.lookup, &second.item), (Lookup::Hit, &first.item));
        assert_eq!(shop.origin.calls_for(SHOE), 1);
        let left: i64 =
            connection(server.endpoint()).await.pttl(key(&format!("shop-{compress}:"), 1, SHOE)).await.expect("PTTL");
        assert!((1..=20_000).contains(&left), "every value has a TTL: {left}");
        shop.cache.put(SHOE).await.expect("works");
        let third = shop.cache.get(SHOE).await.expect("works");
        assert_eq!((third.lookup, third.item.expect("exists").version), (Lookup::Miss, 2));
        shop.schema.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(shop.cache.get(SHOE).await.expect("works").lookup, Lookup::Miss, "another schema");
    }
    server.stop().await;
}

#[tokio::test]
async fn errors_are_never_stored_and_absence_only_if_asked_for() {
    let server = server().await;
    let plain = shop(server.endpoint(), |_| {}).await;
    plain.origin.set_failures(1.0);
    let failure = plain.cache.get(SHOE).await.expect_err("the origin failed");
    assert_eq!((failure.error, failure.lookup), (OriginError::Failed, Lookup::Miss));
    plain.origin.set_failures(0.0);
    assert!(plain.cache.get(SHOE).await.expect("works").item.is_some(), "the failure was not remembered");
    for _ in 0..2 {
        let answer = plain.cache.get(2).await.expect("works");
        assert_eq!((answer.lookup, answer.item), (Lookup::Miss, None));
    }
    let negative = shop(server.endpoint(), |config| config.negative_ttl = Some(TTL)).await;
    assert_eq!(negative.cache.get(2).await.expect("works").lookup, Lookup::Miss);
    assert_eq!(negative.cache.get(2).await.expect("works").lookup, Lookup::NegativeHit);
    assert_eq!(negative.origin.calls_for(2), 1);
    server.stop().await;
}

#[tokio::test]
async fn redis_gone_or_hanging_costs_time_and_no_answer() {
    let server = server().await;
    let shop = shop(server.endpoint(), |config| config.timeout = Duration::from_millis(60)).await;
    shop.cache.get(SHOE).await.expect("works");
    server.control().pause().await.expect("ours");
    let answer = shop.cache.get(SHOE).await.expect("answered while Redis hangs");
    assert_eq!((answer.lookup, answer.item.is_some(), answer.redis_errors), (Lookup::Fallback, true, 1));
    server.control().resume().await.expect("ours");
    server.control().kill().await.expect("ours");
    for _ in 0..3 {
        let answer = shop.cache.get(SHOE).await.expect("answered while Redis is gone");
        assert_eq!((answer.lookup, answer.item.is_some()), (Lookup::Fallback, true));
    }
    assert_eq!(shop.cache.put(SHOE).await, Ok(2), "writes go on");
    server.control().restart().await.expect("ours");
    let back = async {
        while shop.cache.get(SHOE).await.expect("works").lookup != Lookup::Hit {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), back).await.expect("the cache is used again");
    server.stop().await;
}
