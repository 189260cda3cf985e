//! Eviction policies in memory, to be compared on one trace: what each keeps, and what it can't.
//!
//! Every policy is an [`Eviction`]: one request, hit or miss, O(1) (but for [`optimal`], which sees the future).
//! There are no values and no clock; time is the number of requests. Sizes are counted in entries, all alike.
//!
//! | policy | remembers | weak at |
//! |---|---|---|
//! | [`Fifo`] | order of arrival | everything popular; may get worse with more room (Bélády's anomaly) |
//! | [`Clock`] | one bit a key | much as LRU |
//! | [`Lru`] | order of use | scans; loops larger than itself: no hit at all |
//! | [`Lfu`] | counts | yesterday's heroes, unless it ages |
//! | [`TwoQ`], [`Arc`] | once or oftener, and ghosts | – |
//! | [`S3Fifo`] | two bits a key, ghosts | keys that come back just after they left the small queue |
//! | [`Sieve`] | one bit a key | scans |
//! | [`WTinyLfu`] | counts of what was and was not kept | sudden changes, recency |
//! | [`optimal`] | the future | can't be built: the bound for all |

mod arc;
mod clock;
mod fifo;
mod lfu;
mod list;
mod lru;
mod opt;
mod s3_fifo;
mod sieve;
mod sketch;
mod two_q;
mod w_tiny_lfu;

pub use arc::Arc;
pub use clock::Clock;
pub use fifo::Fifo;
pub use lfu::Lfu;
pub use lru::Lru;
pub use opt::optimal;
pub use s3_fifo::S3Fifo;
pub use sieve::Sieve;
pub use two_q::TwoQ;
pub use w_tiny_lfu::WTinyLfu;

/// A cache of keys, as far as deciding what to keep is concerned.
pub trait Eviction {
    /// The policy's name, as papers have it.
    fn name(&self) -> &'static str;

    /// One request. `true`: a hit. After a miss the key is in, unless the policy did not admit it, and another is
    /// out if there was no room.
    fn request(&mut self, key: u64) -> bool;

    /// Keys whose values are held. Never above the capacity. Ghosts, of which only the key is known, are not among
    /// them.
    fn len(&self) -> usize;

    /// Whether nothing is held.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the key's value is held. Changes nothing.
    fn holds(&self, key: u64) -> bool;
}

/// Hits of a trace, from an empty cache.
pub fn hits(policy: &mut dyn Eviction, trace: &[u64]) -> usize {
    trace.iter().filter(|key| policy.request(**key)).count()
}

/// Che's approximation of LRU's hit ratio under independent requests (Che, Tung & Wang, 2002; Fricker, Robert &
/// Roberts, 2012): with T such that Σ (1 − e^(−pᵢ T)) = C, key i is hit with probability 1 − e^(−pᵢ T).
pub fn che(probabilities: &[f64], capacity: usize) -> f64 {
    if capacity >= probabilities.len() {
        return 1.0;
    }
    let filled = |time: f64| -> f64 { probabilities.iter().map(|p| 1.0 - (-p * time).exp()).sum() };
    let (mut low, mut high) = (0.0, 1.0);
    while filled(high) < capacity as f64 && high < 1e18 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if filled(middle) < capacity as f64 { low = middle } else { high = middle }
    }
    probabilities.iter().map(|p| p * (1.0 - (-p * high).exp())).sum()
}

#[cfg(test)]
mod tests;
