//! Taking back what is cached: each way against the slow reader who stores an old value.

use bytes::Bytes;
use cachelab::pattern::{
    fetched::Source,
    invalidation::{DoubleDelete, Found, Leases, Read, TagCache, VersionedCache, delete_matching, escape_glob},
    query_cache::{Query, QueryCache},
    store::Versioned,
};

use super::{Live, bounded, ms};

fn versioned(version: u64) -> Versioned {
    Versioned { version, value: Bytes::from(format!("v{version}")) }
}

#[tokio::test]
async fn versions_only_rise_and_are_compared_as_numbers() {
    bounded(async {
        let live = Live::start().await;
        let cache = VersionedCache::new(live.connection.clone(), ms(60_000));
        assert!(cache.set_if_newer("k", &versioned(9)).await.unwrap());
        assert!(cache.set_if_newer("k", &versioned(10)).await.unwrap(), "as text 10 is before 9");
        for old in [9, 10, 2] {
            assert!(!cache.set_if_newer("k", &versioned(old)).await.unwrap());
        }
        assert_eq!(cache.get("k").await.unwrap(), Some(versioned(10)));
        // Two neighbours that are the same to a 64-bit float.
        let large = (1 << 53) + 2;
        assert!(cache.set_if_newer("n", &versioned(large)).await.unwrap());
        assert!(cache.set_if_newer("n", &versioned(large + 1)).await.unwrap());
        assert!(!cache.set_if_newer("n", &versioned(large)).await.unwrap());
        assert!(cache.set_if_newer("n", &versioned(u64::MAX)).await.unwrap());
        assert!(live.ask::<i64>("PTTL n").await > 0);
        // A writer who knows only the version: the old value is gone and can't come back.
        assert!(cache.forget("k", 11).await.unwrap());
        assert_eq!(cache.get("k").await.unwrap(), None);
        assert!(!cache.set_if_newer("k", &versioned(10)).await.unwrap());
        assert!(cache.set_if_newer("k", &versioned(11)).await.unwrap());
        assert!(live.ask::<i64>("PTTL k").await > 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_thirty_two_clients_the_newest_version_stays() {
    bounded(async {
        let live = Live::start().await;
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..32_u64 {
            let cache = VersionedCache::new(live.connect().await, ms(60_000));
            clients.spawn(async move {
                let mut last = 0;
                for step in 0..20 {
                    cache.set_if_newer("k", &versioned(step * 32 + client)).await.unwrap();
                    let seen = cache.get("k").await.unwrap().unwrap();
                    assert!(seen.version >= last, "never back");
                    assert_eq!(seen, versioned(seen.version), "value and version belong together");
                    last = seen.version;
                }
            });
        }
        clients.join_all().await;
        let cache = VersionedCache::new(live.connection.clone(), ms(60_000));
        assert_eq!(cache.get("k").await.unwrap(), Some(versioned(639)));
    })
    .await;
}

async fn miss(
    cache: &TagCache<redis::aio::MultiplexedConnection>,
    key: &str,
    tags: &[&str],
) -> cachelab::pattern::invalidation::Ticket {
    match cache.get(key, tags).await.unwrap() {
        Found::Miss(ticket) => ticket,
        Found::Hit(value) => panic!("{key}: hit {value:?}"),
    }
}

async fn hit(cache: &TagCache<redis::aio::MultiplexedConnection>, key: &str, tags: &[&str]) -> bool {
    matches!(cache.get(key, tags).await.unwrap(), Found::Hit(value) if value == key)
}

#[tokio::test]
async fn a_tag_hides_all_its_members_in_one_command_and_nothing_else() {
    bounded(async {
        let live = Live::start().await;
        let cache = TagCache::new(live.connection.clone(), "t:", ms(60_000));
        for n in 0..200 {
            let (key, tag) = (format!("k{n}"), if n % 2 == 0 { "even" } else { "odd" });
            let ticket = miss(&cache, &key, &[tag, "all"]).await;
            cache.fill(&ticket, key.as_bytes()).await.unwrap();
        }
        let commands = |info: String| -> u64 {
            let count = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
            count.unwrap().parse().unwrap()
        };
        let before = commands(live.ask("INFO stats").await);
        cache.invalidate("even").await.unwrap();
        assert_eq!(commands(live.ask("INFO stats").await) - before, 2, "one, and the INFO");
        for n in 0..200 {
            let tag = if n % 2 == 0 { "even" } else { "odd" };
            assert_eq!(hit(&cache, &format!("k{n}"), &[tag, "all"]).await, n % 2 == 1, "k{n}");
        }
        let keys: Vec<String> = live.ask("KEYS *").await;
        for key in keys {
            assert!(live.ask::<i64>(&format!("PTTL {key}")).await > 0, "{key}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_load_under_way_is_hidden_too_and_a_lost_generation_brings_nothing_back() {
    bounded(async {
        let live = Live::start().await;
        let cache = TagCache::new(live.connection.clone(), "t:", ms(60_000));
        let ticket = miss(&cache, "k", &["tag"]).await;
        cache.invalidate("tag").await.unwrap();
        cache.fill(&ticket, b"k").await.unwrap();
        assert!(!hit(&cache, "k", &["tag"]).await, "loaded before the write");
        let ticket = miss(&cache, "k", &["tag"]).await;
        cache.fill(&ticket, b"k").await.unwrap();
        assert!(hit(&cache, "k", &["tag"]).await);
        cache.invalidate("tag").await.unwrap();
        // Evicted: a counter would begin again at the number that the old value bears.
        live.ask::<()>("DEL t:tag:tag").await;
        assert!(!hit(&cache, "k", &["tag"]).await);
        let ticket = miss(&cache, "other", &["tag"]).await;
        cache.fill(&ticket, b"other").await.unwrap();
        assert!(!hit(&cache, "k", &["tag"]).await);
    })
    .await;
}

#[tokio::test]
async fn a_lease_voided_by_a_delete_stores_nothing_and_one_is_given_per_interval() {
    bounded(async {
        let live = Live::start().await;
        let leases = Leases::new(live.connection.clone(), ms(60_000), ms(300));
        let Read::Load(token) = leases.read("k").await.unwrap() else { panic!("first") };
        assert_eq!(leases.read("k").await.unwrap(), Read::Wait, "another is loading");
        leases.delete("k").await.unwrap();
        assert!(!leases.fill("k", &token, b"old").await.unwrap(), "the stale set");
        assert_eq!(leases.read("k").await.unwrap(), Read::Wait, "one load per interval");
        tokio::time::sleep(ms(320)).await;
        let Read::Load(token) = leases.read("k").await.unwrap() else { panic!("next interval") };
        assert!(leases.fill("k", &token, b"new").await.unwrap());
        assert!(!leases.fill("k", &token, b"twice").await.unwrap());
        assert_eq!(leases.read("k").await.unwrap(), Read::Hit("new".into()));
        assert!(live.ask::<i64>("PTTL k").await > 0);
        // Written all the time: readers get the last value, and the store one load per interval.
        let (mut loads, mut last, start) = (0, 0, std::time::Instant::now());
        while start.elapsed() < ms(1000) {
            leases.delete("k").await.unwrap();
            match leases.read("k").await.unwrap() {
                Read::Load(token) => {
                    loads += 1;
                    assert!(leases.fill("k", &token, b"newer").await.unwrap());
                }
                Read::Last(_) => last += 1,
                Read::Hit(_) | Read::Wait => {}
            }
        }
        assert!((2..=4).contains(&loads), "{loads} loads");
        assert!(last > 20, "{last} answered with the last value");
    })
    .await;
}

#[tokio::test]
async fn the_second_delete_catches_a_reader_slower_than_the_first_but_not_than_the_delay() {
    bounded(async {
        let live = Live::start().await;
        let deleter = DoubleDelete::new(live.connection.clone(), ms(100));
        let second = deleter.delete("k").await.unwrap();
        live.ask::<()>("SET k old").await;
        second.await.unwrap().unwrap();
        assert_eq!(live.ask::<u32>("EXISTS k").await, 0);
        live.ask::<()>("SET k old").await;
        tokio::time::sleep(ms(150)).await;
        assert_eq!(live.ask::<u32>("EXISTS k").await, 1, "no proof");
    })
    .await;
}

#[tokio::test]
async fn a_pattern_delete_finds_all_and_only_what_matches_without_long_commands() {
    bounded(async {
        let mut live = Live::start().await;
        let mut pipe = redis::pipe();
        for n in 0..3000 {
            pipe.cmd("SET").arg(format!("user:{n}:cart")).arg(n).ignore();
            pipe.cmd("SET").arg(format!("user:{n}:name")).arg(n).ignore();
        }
        pipe.cmd("SET").arg("user:*:cart").arg("a name with a star").ignore();
        pipe.query_async::<()>(&mut live.connection).await.unwrap();
        let only = format!("user:{}:cart", escape_glob("*"));
        assert_eq!(delete_matching(&mut live.connection, &only, 100).await.unwrap().keys, 1);
        let deleted = delete_matching(&mut live.connection, "user:*:cart", 100).await.unwrap();
        assert_eq!(deleted.keys, 3000);
        assert!(deleted.scans > 20, "{} rounds", deleted.scans);
        assert_eq!(live.ask::<u32>("DBSIZE").await, 3000);
        let calls: String = live.ask("INFO commandstats").await;
        assert!(!calls.contains("cmdstat_keys:") && !calls.contains("cmdstat_del:"), "{calls}");
    })
    .await;
}

#[tokio::test]
async fn moving_a_product_fixes_both_categories_and_leaves_the_third_alone() {
    bounded(async {
        let live = Live::start().await;
        let cache = QueryCache::new(live.connection.clone(), "q:", ms(60_000));
        let get = async |category: &str, page: u32| {
            let query = Query::new("select * from products where category = :c", 1).with("c", category);
            let tag = format!("category:{category}");
            let load = || async { Ok::<_, ()>(b"rows".to_vec()) };
            cache.get(&query.with("page", page), &[&tag], load).await.unwrap().source
        };
        for category in ["shoes", "hats", "socks"] {
            for page in 0..3 {
                assert_eq!(get(category, page).await, Source::Loaded);
                assert_eq!(get(category, page).await, Source::Hit);
            }
        }
        cache.changed(&["category:shoes", "category:hats"]).await.unwrap();
        for page in 0..3 {
            assert_eq!(get("socks", page).await, Source::Hit);
            assert_eq!(get("shoes", page).await, Source::Loaded);
            assert_eq!(get("hats", page).await, Source::Loaded);
        }
        // A write that commits while a list is being loaded.
        let query = Query::new("slow", 1);
        let load = || async {
            cache.changed(&["category:shoes"]).await.unwrap();
            Ok::<_, ()>(b"read before the commit".to_vec())
        };
        cache.get(&query, &["category:shoes"], load).await.unwrap();
        let again = cache.get(&query, &["category:shoes"], || async { Ok::<_, ()>(b"new".to_vec()) }).await.unwrap();
        assert_eq!((again.value.as_ref(), again.source), (b"new".as_slice(), Source::Loaded));
        live.server.control().kill().await.unwrap();
        let away = cache.get(&query, &[], || async { Ok::<_, ()>(b"x".to_vec()) }).await.unwrap();
        assert_eq!(away.source, Source::Fallback);
    })
    .await;
}
