//! The Bloom gate in Redis: no false negative, not even around a rebuild; a lost filter opens the gate.

use cachelab::pattern::bloom::{BloomGate, Size, Verdict};

use super::{Live, bounded};

fn name(id: u32) -> Vec<u8> {
    format!("item:{id}").into_bytes()
}

async fn build(gate: &BloomGate<redis::aio::MultiplexedConnection>, ids: std::ops::Range<u32>) {
    let rebuild = gate.rebuild().await.unwrap();
    let names: Vec<_> = ids.map(name).collect();
    for batch in names.chunks(500) {
        rebuild.add(batch.iter().map(Vec::as_slice)).await.unwrap();
    }
    assert!(rebuild.finish().await.unwrap());
}

#[tokio::test]
async fn turns_strangers_away_and_nobody_else() {
    bounded(async {
        let live = Live::start().await;
        let gate = BloomGate::new(live.connection.clone(), "ids", Size::of(2000, 0.01));
        gate.add(&name(0)).await.unwrap();
        assert_eq!(gate.check(&name(0)).await.unwrap(), Verdict::Unknown, "one item is not a filter");
        build(&gate, 0..2000).await;
        for id in (0..2000).step_by(7) {
            assert_eq!(gate.check(&name(id)).await.unwrap(), Verdict::Maybe, "{id}");
        }
        let mut strangers = 0;
        for id in 10_000..13_000 {
            strangers += u32::from(gate.check(&name(id)).await.unwrap() == Verdict::Maybe);
        }
        assert!((10..60).contains(&strangers), "{strangers} of 3000 at 1 %");
        live.ask::<()>("FLUSHALL").await;
        assert_eq!(gate.check(&name(99_999)).await.unwrap(), Verdict::Unknown, "a lost filter denies nobody");
    })
    .await;
}

#[tokio::test]
async fn what_is_added_during_a_rebuild_is_in_both_and_half_a_filter_never_takes_over() {
    bounded(async {
        let live = Live::start().await;
        let gate = BloomGate::new(live.connection.clone(), "ids", Size::of(1000, 0.001));
        build(&gate, 0..10).await;
        let rebuild = gate.rebuild().await.unwrap();
        // The list was read before this item was made.
        gate.add(&name(77)).await.unwrap();
        assert_eq!(gate.check(&name(77)).await.unwrap(), Verdict::Maybe, "at once");
        let old = name(3);
        rebuild.add([old.as_slice()]).await.unwrap();
        assert!(rebuild.finish().await.unwrap());
        assert_eq!(gate.check(&name(77)).await.unwrap(), Verdict::Maybe, "and afterwards");
        assert_eq!(gate.check(&name(4)).await.unwrap(), Verdict::Absent, "deleted meanwhile");

        let slow = gate.rebuild().await.unwrap();
        let other = gate.rebuild().await.unwrap();
        assert!(!slow.finish().await.unwrap(), "it would put the other's half in place");
        assert_eq!(gate.check(&name(77)).await.unwrap(), Verdict::Maybe);
        other.add([name(77).as_slice()]).await.unwrap();
        assert!(other.finish().await.unwrap());
        assert_eq!(live.ask::<Vec<String>>("KEYS *").await, ["ids"], "nothing left over");
    })
    .await;
}
