//! Redlock over live primaries, some of them stopped.

use std::time::Instant;

use cachelab::pattern::redlock::{Config, Redlock};
use redis::aio::MultiplexedConnection;

use super::{Live, bounded, ms};

const KEY: &str = "lock";

async fn nodes(count: usize) -> Vec<Live> {
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(Live::start().await);
    }
    nodes
}

fn config() -> Config {
    Config { node_timeout: ms(250), tries: 1, ..Config::default() }
}

fn lock(nodes: &[Live], config: Config) -> Redlock<MultiplexedConnection> {
    Redlock::new(nodes.iter().map(|node| node.connection.clone()).collect(), KEY, config)
}

async fn holders(nodes: &[Live]) -> usize {
    let mut count = 0;
    for node in nodes {
        count += node.ask::<usize>("EXISTS lock").await;
    }
    count
}

#[tokio::test]
async fn a_majority_suffices_and_a_minority_leaves_nothing_behind() {
    bounded(async {
        let nodes = nodes(5).await;
        let lock = lock(&nodes, config());
        for node in &nodes[3..] {
            node.server.control().pause().await.unwrap();
        }
        let start = Instant::now();
        let grant = lock.acquire(ms(5000)).await.expect("three of five");
        assert_eq!(grant.nodes, 3);
        assert!(start.elapsed() < ms(480), "two stopped nodes cost one timeout, not two: {:?}", start.elapsed());
        let validity = grant.validity();
        assert!(validity <= ms(5000 - 52 - 249), "TTL less drift, less the wait for the slowest: {validity:?}");
        assert!(lock.try_acquire(ms(5000)).await.is_none(), "one holder");
        assert_eq!(lock.release(&grant).await, 3);

        nodes[2].server.control().pause().await.unwrap();
        let start = Instant::now();
        assert!(lock.acquire(ms(5000)).await.is_none(), "two of five");
        assert!(start.elapsed() < ms(980), "two timeouts, of the try and of the release: {:?}", start.elapsed());
        // The stopped nodes have the lock's SET in their sockets: once they go on, they carry it out, and then
        // the release that was sent after it.
        for node in &nodes[2..] {
            node.server.control().resume().await.unwrap();
        }
        tokio::time::sleep(ms(100)).await;
        assert_eq!(holders(&nodes).await, 0, "nothing waits for its TTL");
        assert_eq!(lock.acquire(ms(1000)).await.expect("free").nodes, 5);
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_took_its_whole_validity_to_get_is_none() {
    bounded(async {
        let nodes = nodes(3).await;
        let patient = lock(&nodes, Config { node_timeout: ms(600), ..config() });
        nodes[2].server.control().pause().await.unwrap();
        // Two of three say yes at once, but waiting for the third takes longer than the TTL.
        assert!(patient.acquire(ms(300)).await.is_none());
        nodes[2].server.control().resume().await.unwrap();
        tokio::time::sleep(ms(50)).await;
        assert_eq!(holders(&nodes).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rivals_on_three_nodes_are_never_inside_together() {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };
    bounded(async {
        let nodes = nodes(3).await;
        let (inside, entered) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let mut rivals = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let mut own = Vec::new();
            for node in &nodes {
                own.push(node.connect().await);
            }
            let lock = Redlock::new(own, KEY, Config { tries: 20, pause: ms(20), ..config() });
            let (inside, entered) = (Arc::clone(&inside), Arc::clone(&entered));
            rivals.spawn(async move {
                for _ in 0..3 {
                    let Some(grant) = lock.acquire(ms(5000)).await else { continue };
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "alone inside");
                    tokio::time::sleep(ms(3)).await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    entered.fetch_add(1, Ordering::SeqCst);
                    assert!(lock.release(&grant).await >= 2);
                }
            });
        }
        rivals.join_all().await;
        assert!(entered.load(Ordering::SeqCst) >= 6, "{entered:?}");
    })
    .await;
}

#[tokio::test]
async fn only_the_holder_extends_and_releases() {
    bounded(async {
        let nodes = nodes(3).await;
        let lock = lock(&nodes, config());
        let mut late = lock.acquire(ms(400)).await.unwrap();
        assert!(lock.extend(&mut late, ms(600)).await);
        assert!(late.validity() > ms(400), "{:?}", late.validity());
        tokio::time::sleep(ms(650)).await;
        let mut next = lock.acquire(ms(5000)).await.expect("expired");
        assert_eq!(lock.release(&late).await, 0, "another's now");
        assert!(!lock.extend(&mut late, ms(5000)).await);
        assert_eq!(holders(&nodes).await, 3);
        // A restarted node has forgotten; the majority has not. Two of them are too many.
        nodes[0].ask::<()>("FLUSHALL").await;
        assert!(lock.extend(&mut next, ms(5000)).await);
        nodes[1].ask::<()>("FLUSHALL").await;
        assert!(!lock.extend(&mut next, ms(5000)).await);
    })
    .await;
}
