//! Event-driven invalidation: cuts, gaps, duplicates, and writers that die between two steps.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use cachelab::{
    origin::OriginError,
    pattern::{
        events::{Broadcast, Changed, LocalCache, Outbox, OutboxSource, Recorded, Step, Tail, publish},
        store::Versioned,
    },
};
use futures_util::future::BoxFuture;

use super::{Live, bounded, ms};

fn changed(key: &str, version: u64) -> Changed {
    Changed { key: key.to_owned(), version }
}

fn put(cache: &LocalCache, key: &str, version: u64) -> bool {
    let fill = cache.begin(key);
    cache.fill(&fill, Versioned { version, value: Bytes::from_static(b"x") })
}

async fn until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..2000 {
        if done() {
            return;
        }
        tokio::time::sleep(ms(5)).await;
    }
    panic!("not within 10 s: {what}");
}

fn cache() -> LocalCache {
    LocalCache::new(100, Duration::from_secs(600))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pub_sub_takes_back_and_after_a_cut_begins_empty() {
    bounded(async {
        let mut live = Live::start().await;
        let cache = cache();
        assert!(!put(&cache, "k", 1), "not before it hears of changes");
        let listener = Broadcast::listen(live.server.endpoint().client().unwrap(), "changes", cache.clone());
        until("subscribed", || cache.is_live()).await;
        assert!(put(&cache, "k", 1) && put(&cache, "other", 1));
        assert_eq!(Broadcast::publish(&mut live.connection, "changes", &changed("k", 2)).await.unwrap(), 1);
        until("taken back", || cache.get("k").is_none()).await;
        assert!(cache.get("other").is_some(), "and nothing else");

        // Cut, and a change that is published to nobody.
        assert!(put(&cache, "k", 2));
        live.ask::<u32>("CLIENT KILL TYPE pubsub").await;
        let heard = Broadcast::publish(&mut live.connection, "changes", &changed("k", 3)).await.unwrap();
        assert_eq!(heard, 0, "the message is lost");
        until("the cut is noticed", || cache.get("k").is_none()).await;
        until("subscribed again", || cache.is_live()).await;
        assert_eq!((cache.get("k"), cache.get("other")), (None, None), "nobody knows what was missed");

        // A silent cut: the server does not answer, and the connection stands.
        assert!(put(&cache, "k", 3));
        live.server.control().pause().await.unwrap();
        until("the silence is noticed", || !cache.is_live()).await;
        live.server.control().resume().await.unwrap();
        until("back", || cache.is_live()).await;
        drop(listener);
    })
    .await;
}

#[tokio::test]
async fn a_stream_goes_on_where_it_stopped_and_notices_what_is_gone() {
    bounded(async {
        let mut live = Live::start().await;
        publish(&mut live.connection, "s", &changed("before", 9), 1000).await.unwrap();
        let cache = cache();
        let mut tail = Tail::begin(live.connection.clone(), "s", cache.clone()).await.unwrap();
        for key in ["a", "b", "c"] {
            assert!(put(&cache, key, 1));
        }
        // Away while these come; back over a new connection.
        for key in ["a", "b", "a"] {
            publish(&mut live.connection, "s", &changed(key, 2), 1000).await.unwrap();
        }
        tail.reconnect(live.connect().await);
        assert_eq!(tail.step(2).await.unwrap(), Step::Applied(2));
        assert_eq!(tail.step(100).await.unwrap(), Step::Applied(1));
        assert_eq!(tail.step(100).await.unwrap(), Step::Applied(0));
        assert_eq!((cache.get("a"), cache.get("b")), (None, None));
        assert!(cache.get("c").is_some(), "not touched by the cut");

        // Trimmed past it.
        for version in 3..8 {
            publish(&mut live.connection, "s", &changed("c", version), 1000).await.unwrap();
        }
        live.ask::<u32>("XTRIM s MAXLEN 2").await;
        assert_eq!(tail.step(100).await.unwrap(), Step::Gap);
        assert!(cache.is_empty());
        assert!(put(&cache, "c", 7));
        // Lost with the server's memory, and begun anew.
        live.ask::<()>("DEL s").await;
        publish(&mut live.connection, "s", &changed("c", 8), 1000).await.unwrap();
        assert_eq!(tail.step(100).await.unwrap(), Step::Gap);
        assert_eq!(cache.get("c"), None);
        publish(&mut live.connection, "s", &changed("c", 9), 1000).await.unwrap();
        assert_eq!(tail.step(100).await.unwrap(), Step::Applied(1));
    })
    .await;
}

/// A store that writes value and event together.
#[derive(Clone, Default)]
struct Database {
    outbox: Arc<Mutex<VecDeque<Recorded>>>,
    /// Dies instead of marking events as published.
    dies: Arc<Mutex<bool>>,
}

impl Database {
    fn commit(&self, number: u64, key: &str, version: u64) {
        self.outbox.lock().unwrap().push_back(Recorded { number, changed: changed(key, version) });
    }
}

impl OutboxSource for Database {
    fn pending(&self, most: usize) -> BoxFuture<'_, Result<Vec<Recorded>, OriginError>> {
        Box::pin(async move { Ok(self.outbox.lock().unwrap().iter().take(most).cloned().collect()) })
    }

    fn published(&self, up_to: u64) -> BoxFuture<'_, Result<(), OriginError>> {
        Box::pin(async move {
            if *self.dies.lock().unwrap() {
                return Err(OriginError::Failed);
            }
            self.outbox.lock().unwrap().retain(|recorded| recorded.number > up_to);
            Ok(())
        })
    }
}

#[tokio::test]
async fn the_outbox_loses_nothing_and_its_duplicates_do_no_harm() {
    bounded(async {
        let live = Live::start().await;
        let (database, cache) = (Database::default(), cache());
        let mut tail = Tail::begin(live.connection.clone(), "s", cache.clone()).await.unwrap();
        let mut outbox = Outbox::new(live.connection.clone(), database.clone(), "s", 1000);
        assert_eq!(outbox.step(10).await.unwrap(), 0);
        assert!(put(&cache, "a", 1) && put(&cache, "b", 1));
        database.commit(1, "a", 2);
        database.commit(2, "b", 2);
        *database.dies.lock().unwrap() = true;
        assert!(outbox.step(10).await.is_err(), "published, not marked");
        assert_eq!(tail.step(10).await.unwrap(), Step::Applied(2));
        assert!(put(&cache, "a", 2), "loaded anew");
        *database.dies.lock().unwrap() = false;
        let mut reborn = Outbox::new(live.connection.clone(), database.clone(), "s", 1000);
        assert_eq!(reborn.step(10).await.unwrap(), 2, "again");
        assert_eq!(tail.step(10).await.unwrap(), Step::Applied(2));
        assert!(cache.get("a").is_some(), "as new as the event: it stays");
        assert_eq!(cache.get("b"), None);
        assert_eq!(reborn.step(10).await.unwrap(), 0);
    })
    .await;
}
