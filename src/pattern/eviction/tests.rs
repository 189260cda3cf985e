//! Each policy against a slow and plain form of itself, and against the figures of the literature.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::SliceRandom};
use rand_distr::{Distribution, Zipf};

use super::*;

fn all(capacity: usize) -> Vec<Box<dyn Eviction>> {
    vec![
        Box::new(Fifo::new(capacity)),
        Box::new(Clock::new(capacity)),
        Box::new(Lru::new(capacity)),
        Box::new(Lfu::new(capacity)),
        Box::new(Lfu::ageing(capacity, 10 * capacity as u64)),
        Box::new(TwoQ::new(capacity)),
        Box::new(Arc::new(capacity)),
        Box::new(S3Fifo::new(capacity)),
        Box::new(Sieve::new(capacity)),
        Box::new(WTinyLfu::new(capacity)),
    ]
}

fn zipf(keys: u32, exponent: f64, length: usize, seed: u64) -> Vec<u64> {
    let (mut rng, law) = (SmallRng::seed_from_u64(seed), Zipf::new(f64::from(keys), exponent).unwrap());
    (0..length).map(|_| law.sample(&mut rng) as u64).collect()
}

fn probabilities(keys: u32, exponent: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=keys).map(|rank| f64::from(rank).powf(-exponent)).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn ratio(policy: &mut dyn Eviction, trace: &[u64], warm: usize) -> f64 {
    hits(policy, &trace[..warm]);
    hits(policy, &trace[warm..]) as f64 / (trace.len() - warm) as f64
}

fn belady() -> Vec<u64> {
    vec![1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]
}

#[test]
fn more_room_may_hurt_fifo_and_never_lru() {
    let faults = |hits: usize| belady().len() - hits;
    assert_eq!(faults(hits(&mut Fifo::new(3), &belady())), 9);
    assert_eq!(faults(hits(&mut Fifo::new(4), &belady())), 10);
    assert_eq!(faults(hits(&mut Lru::new(3), &belady())), 10);
    assert_eq!(faults(hits(&mut Lru::new(4), &belady())), 8);
    assert_eq!(faults(optimal(&belady(), 3)), 7);
    // The stack property: what the smaller one holds, the larger one holds, at every moment.
    let trace = zipf(300, 0.7, 4000, 1);
    let (mut small, mut large) = (Lru::new(20), Lru::new(33));
    for key in trace {
        assert!(!small.request(key) | large.request(key));
        assert!((1..=300).all(|key| !small.holds(key) || large.holds(key)));
    }
}

#[test]
fn lru_under_zipf_is_ches_approximation_within_a_hundredth() {
    for (exponent, capacity, canon) in [(0.8, 1000, 0.4367), (1.0, 1000, 0.6756), (1.2, 100, 0.6563)] {
        let expected = che(&probabilities(10_000, exponent), capacity);
        assert!((expected - canon).abs() < 0.0005, "α {exponent}: {expected}");
        let trace = zipf(10_000, exponent, 250_000, 42);
        let seen = ratio(&mut Lru::new(capacity), &trace, 50_000);
        assert!((seen - expected).abs() < 0.01, "α {exponent}: {seen}, Che {expected}");
    }
    assert!((che(&[0.5, 0.5], 2) - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_loop_larger_than_the_cache_leaves_lru_nothing() {
    let trace: Vec<u64> = (0..20_000).map(|n| n % 1000).collect();
    let best = optimal(&trace, 500) as f64 / trace.len() as f64;
    for mut policy in all(500) {
        let seen = hits(policy.as_mut(), &trace) as f64 / trace.len() as f64;
        eprintln!("loop of 1000 in 500: {:12} {seen:.3} (best {best:.3})", policy.name());
        match policy.name() {
            "LRU" | "FIFO" | "CLOCK" | "SIEVE" => assert!(seen.abs() < f64::EPSILON, "{}: {seen}", policy.name()),
            "W-TinyLFU" | "S3-FIFO" => assert!(seen > 0.3, "{}: {seen}", policy.name()),
            _ => {}
        }
    }
}

#[test]
fn nobody_beats_the_future_and_nobody_holds_more_than_it_may() {
    let mut trace = zipf(2000, 0.9, 20_000, 3);
    trace.extend(10_000..14_000);
    trace.extend(zipf(2000, 0.9, 10_000, 4).iter().map(|key| 2001 - key));
    for capacity in [1, 2, 3, 10, 100, 700] {
        let best = optimal(&trace, capacity);
        for mut policy in all(capacity) {
            let room = capacity.max(2);
            let mut hits = 0;
            for key in &trace {
                let held = policy.holds(*key);
                let hit = policy.request(*key);
                assert_eq!(held, hit, "{} says what it does", policy.name());
                assert!(policy.len() <= room, "{}: {} of {capacity}", policy.name(), policy.len());
                hits += usize::from(hit);
            }
            assert!(capacity < 2 || hits <= best, "{}: {hits}, best {best}", policy.name());
            let counted = (0..14_000).filter(|key| policy.holds(*key)).count();
            assert_eq!(counted, policy.len(), "{}: ghosts are not held", policy.name());
        }
    }
}

/// A policy in a vector, as the text of the paper reads.
fn slow(name: &str, capacity: usize, trace: &[u64]) -> usize {
    let (mut held, mut hits): (Vec<(u64, u64)>, usize) = (Vec::new(), 0);
    let mut hand = 0;
    for key in trace {
        let found = held.iter().position(|(held, _)| held == key);
        if let Some(at) = found {
            hits += 1;
            held[at].1 += 1;
            if name == "LRU" || name == "LFU" {
                let entry = held.remove(at);
                held.push(entry);
            }
            continue;
        }
        if held.len() == capacity {
            match name {
                "LFU" => {
                    let least = held.iter().map(|(_, uses)| *uses).min().unwrap();
                    held.remove(held.iter().position(|(_, uses)| *uses == least).unwrap());
                }
                "CLOCK" => {
                    while held[0].1 > 0 {
                        let (key, _) = held.remove(0);
                        held.push((key, 0));
                    }
                    held.remove(0);
                }
                "SIEVE" => {
                    while held[hand].1 > 0 {
                        held[hand].1 = 0;
                        hand = (hand + 1) % held.len();
                    }
                    held.remove(hand);
                    // Past the newest it begins at the oldest, before the new key comes.
                    hand = if hand == held.len() { 0 } else { hand };
                }
                _ => drop(held.remove(0)),
            }
        }
        held.push((*key, 0));
    }
    hits
}

#[test]
fn fast_and_plain_forms_agree() {
    let mut rng = SmallRng::seed_from_u64(8);
    for round in 0..60 {
        let capacity = rng.random_range(1..40);
        let trace = zipf(100, 0.6, 1500, round);
        let fast: [Box<dyn Eviction>; 5] = [
            Box::new(Fifo::new(capacity)),
            Box::new(Clock::new(capacity)),
            Box::new(Lru::new(capacity)),
            Box::new(Lfu::new(capacity)),
            Box::new(Sieve::new(capacity)),
        ];
        for mut policy in fast {
            let expected = slow(policy.name(), capacity, &trace);
            assert_eq!(hits(policy.as_mut(), &trace), expected, "{} of {capacity}", policy.name());
        }
    }
}

#[test]
fn the_best_possible_is_what_trying_everything_finds() {
    fn best(trace: &[u64], held: &[u64], capacity: usize) -> usize {
        let Some((key, rest)) = trace.split_first() else { return 0 };
        if held.contains(key) {
            return 1 + best(rest, held, capacity);
        }
        let mut with: Vec<u64> = held.to_vec();
        with.push(*key);
        if with.len() <= capacity {
            return best(rest, &with, capacity);
        }
        let without = |victim: &u64| with.iter().copied().filter(|held| held != victim).collect::<Vec<_>>();
        held.iter().map(|victim| best(rest, &without(victim), capacity)).max().unwrap_or(0)
    }
    let mut rng = SmallRng::seed_from_u64(2);
    for _ in 0..150 {
        let trace: Vec<u64> = (0..13).map(|_| rng.random_range(0..6)).collect();
        for capacity in 1..4 {
            assert_eq!(optimal(&trace, capacity), best(&trace, &[], capacity), "{trace:?} in {capacity}");
        }
    }
}

#[test]
fn arcs_lists_keep_the_papers_invariants() {
    let mut trace = zipf(500, 0.8, 20_000, 9);
    trace.shuffle(&mut SmallRng::seed_from_u64(1));
    trace.extend((0..3000).map(|n| n % 150));
    let mut arc = Arc::new(100);
    let mut most = 0;
    for key in trace {
        arc.request(key);
        assert!(arc.len() + arc.ghosts() <= 200);
        most = most.max(arc.ghosts());
    }
    assert_eq!((arc.len(), most), (100, 100), "as many ghosts as values, and no more");
}

#[test]
fn a_scan_costs_lru_its_working_set_and_the_guarded_ones_little() {
    // One request in two belongs to a pass over keys that never come back.
    let mut scan = 1_000_000;
    let trace: Vec<u64> = zipf(20_000, 1.0, 200_000, 6)
        .into_iter()
        .enumerate()
        .map(|(n, key)| {
            scan += 1;
            if n % 2 == 0 { key } else { scan }
        })
        .collect();
    let mut seen = HashMap::new();
    for mut policy in all(500) {
        let name = policy.name();
        seen.insert(name, ratio(policy.as_mut(), &trace, 20_000));
        eprintln!("scan: {name:12} {:.3}", seen[name]);
    }
    for guarded in ["LFU, ageing", "2Q", "ARC", "S3-FIFO", "W-TinyLFU"] {
        assert!(seen[guarded] > seen["LRU"] + 0.03, "{guarded}: {} and LRU {}", seen[guarded], seen["LRU"]);
    }
}

#[test]
fn yesterdays_heroes_stay_without_ageing() {
    // The popular half changes to keys never seen before.
    let mut trace = zipf(1000, 1.0, 40_000, 5);
    trace.extend(zipf(1000, 1.0, 20_000, 6).iter().map(|key| key + 5000));
    let after = |policy: &mut dyn Eviction| ratio(policy, &trace, 40_000);
    let (lfu, ageing, lru) = (after(&mut Lfu::new(100)), after(&mut Lfu::ageing(100, 1000)), after(&mut Lru::new(100)));
    assert!(ageing > lfu + 0.2 && lru > lfu + 0.2, "LFU {lfu}, ageing {ageing}, LRU {lru}");
}
