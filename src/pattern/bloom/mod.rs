//! A Bloom filter as a gate: ids that were never added are turned away before cache and origin.
//!
//! Source: B. Bloom, *Space/time trade-offs in hash coding with allowable errors* (CACM 1970); Kirsch & Mitzenmacher,
//! *Less hashing, same performance* (ESA 2006): two hashes make all k.
//!
//! Guarantees: no false negative: what was added is never called absent. Memory that does not grow with an attack.
//! Does **not** guarantee: that "maybe" means yes. The share of false positives is the designed one at the designed
//! number of items, and rises fast beyond it (1 % becomes 15.7 % at twice the number). Nothing can be deleted:
//! build anew from time to time.

mod gate;

use sha2::{Digest, Sha256};

pub use gate::{BloomGate, Rebuild, Verdict};

/// How large a filter is. The same for all who share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Bits.
    pub bits: u64,
    /// Bits set by one item.
    pub hashes: u32,
}

/// The most bits that a Redis string has.
const MOST_BITS: u64 = 1 << 32;

impl Size {
    /// For `items` items and that share of false positives: m = −n ln p / (ln 2)², k = m/n · ln 2.
    pub fn of(items: u64, false_positives: f64) -> Self {
        let (items, share) = (items.max(1) as f64, false_positives.clamp(1e-9, 0.5));
        let ln2 = std::f64::consts::LN_2;
        let bits = (-items * share.ln() / (ln2 * ln2)).ceil().min((MOST_BITS - 1) as f64);
        Self { bits: bits as u64, hashes: ((bits / items * ln2).round() as u32).clamp(1, 30) }
    }

    /// The share of false positives when so many items are in: (1 − e^(−kn/m))^k.
    pub fn false_positives(&self, items: u64) -> f64 {
        let k = f64::from(self.hashes);
        (1.0 - (-k * items as f64 / self.bits as f64).exp()).powf(k)
    }

    /// The item's bits. The hash must be the same in every process and version that shares the filter, and not to
    /// be steered by who chooses ids: SHA-256 is both.
    pub fn positions(&self, item: &[u8]) -> impl Iterator<Item = u64> + use<> {
        let digest = Sha256::digest(item);
        let half = |from: usize| {
            digest.as_slice()[from..from + 8].iter().fold(0_u64, |half, byte| half << 8 | u64::from(*byte))
        };
        // Odd, so that it is never a multiple of an even size: then all k would fall on few bits.
        let (first, second, bits) = (half(0), half(8) | 1, self.bits.max(1));
        (0..u64::from(self.hashes)).map(move |i| first.wrapping_add(i.wrapping_mul(second)) % bits)
    }
}

/// A filter in this process.
#[derive(Debug, Clone)]
pub struct Bloom {
    size: Size,
    words: Vec<u64>,
}

impl Bloom {
    /// Empty.
    pub fn new(size: Size) -> Self {
        Self { size, words: vec![0; size.bits.div_ceil(64) as usize] }
    }

    /// Adds an item.
    pub fn add(&mut self, item: &[u8]) {
        for bit in self.size.positions(item) {
            self.words[(bit / 64) as usize] |= 1 << (bit % 64);
        }
    }

    /// `false`: certainly never added.
    pub fn may_contain(&self, item: &[u8]) -> bool {
        self.size.positions(item).all(|bit| self.words[(bit / 64) as usize] >> (bit % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(size: Size, items: u64) -> f64 {
        let mut bloom = Bloom::new(size);
        for id in 0..items {
            bloom.add(format!("item:{id}").as_bytes());
        }
        assert!((0..items).all(|id| bloom.may_contain(format!("item:{id}").as_bytes())), "no false negative");
        let strangers = 50_000;
        let yes = (0..strangers).filter(|id| bloom.may_contain(format!("stranger:{id}").as_bytes())).count();
        yes as f64 / f64::from(strangers)
    }

    #[test]
    fn sizes_and_false_positives_are_the_formulas() {
        let items = 10_000;
        let one_percent = Size::of(items, 0.01);
        assert_eq!((one_percent.bits, one_percent.hashes), (95_851, 7));
        let per_mille = Size::of(items, 0.001);
        assert_eq!((per_mille.bits, per_mille.hashes), (143_776, 10));
        let eight_bits = Size { bits: 8 * items, hashes: 6 };
        for (size, filled, expected, slack) in [
            (one_percent, items, 0.01, 0.002),
            (per_mille, items, 0.001, 0.0006),
            (eight_bits, items, 0.0216, 0.003),
            (one_percent, 2 * items, 0.157, 0.01),
        ] {
            let seen = measured(size, filled);
            assert!((seen - expected).abs() < slack, "{size:?} with {filled}: {seen}, expected {expected}");
            assert!((size.false_positives(filled) - expected).abs() < expected / 50.0);
        }
    }

    #[test]
    fn odd_sizes_hold() {
        assert_eq!(Size::of(0, 0.0).hashes, 30);
        assert!(Size::of(u64::MAX, 0.01).bits < MOST_BITS);
        let mut tiny = Bloom::new(Size { bits: 1, hashes: 3 });
        assert!(!tiny.may_contain(b"a"));
        tiny.add(b"a");
        assert!(tiny.may_contain(b"a"));
    }
}
