//! Bélády's MIN: what the best possible cache would have done.

use std::collections::{BTreeSet, HashMap};

/// Hits of a cache that always evicts what is needed again latest (Bélády, 1966; optimal by
/// Mattson et al., 1970). It must know the whole trace, so it is no policy but the bound for all. O(n log capacity).
pub fn optimal(trace: &[u64], capacity: usize) -> usize {
    let next = next_uses(trace);
    // Keys held, by their next use; the last is needed latest.
    let mut held: BTreeSet<(usize, u64)> = BTreeSet::new();
    let mut hits = 0;
    for (now, (key, next)) in trace.iter().zip(next).enumerate() {
        if held.remove(&(now, *key)) {
            hits += 1;
        } else if held.len() >= capacity.max(1) {
            held.pop_last();
        }
        held.insert((next, *key));
    }
    hits
}

/// For each request, when its key is asked for next.
fn next_uses(trace: &[u64]) -> Vec<usize> {
    let (mut next, mut seen) = (vec![usize::MAX; trace.len()], HashMap::new());
    for (now, key) in trace.iter().enumerate().rev() {
        if let Some(later) = seen.insert(*key, now) {
            next[now] = later;
        }
    }
    next
}
