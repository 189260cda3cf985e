//! How often a key was asked for, about: a count-min sketch of 4-bit counters that ages.

/// Four rows of counters up to 15. When as many requests were counted as ten times the capacity, all are halved
/// (Einziger, Friedman & Manes, *TinyLFU*, ACM ToS 2017). Never says too little, but for the halving.
#[derive(Debug)]
pub(super) struct Sketch {
    rows: [Vec<u8>; 4],
    mask: u64,
    counted: u64,
    sample: u64,
}

const MOST: u8 = 15;

impl Sketch {
    pub(super) fn new(capacity: usize) -> Self {
        let width = capacity.max(16).next_power_of_two() * 2;
        let sample = 10 * capacity.max(1) as u64;
        Self { rows: std::array::from_fn(|_| vec![0; width]), mask: width as u64 - 1, counted: 0, sample }
    }

    /// Counts one request. Only the smallest of its counters rise (a conservative update): they are the ones
    /// that fewest others share.
    pub(super) fn count(&mut self, key: u64) {
        let (places, least) = (self.places(key), self.frequency(key));
        if least < MOST {
            for (row, place) in self.rows.iter_mut().zip(places) {
                row[place] = row[place].max(least + 1);
            }
        }
        self.counted += 1;
        if self.counted >= self.sample {
            self.counted /= 2;
            self.rows.iter_mut().flatten().for_each(|counter| *counter /= 2);
        }
    }

    pub(super) fn frequency(&self, key: u64) -> u8 {
        let places = self.places(key);
        self.rows.iter().zip(places).map(|(row, place)| row[place]).min().unwrap_or(0)
    }

    fn places(&self, key: u64) -> [usize; 4] {
        std::array::from_fn(|row| {
            (mix(key ^ (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)) & self.mask) as usize
        })
    }
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_under_and_halved_in_time() {
        let mut sketch = Sketch::new(1000);
        for key in 0..500 {
            for _ in 0..=key % 10 {
                sketch.count(key);
            }
        }
        assert!((0..500).all(|key| u64::from(sketch.frequency(key)) > key % 10));
        let exact = (0..500).filter(|key| u64::from(sketch.frequency(*key)) == key % 10 + 1).count();
        assert!(exact > 480, "{exact} of 500");
        for _ in 0..100 {
            sketch.count(7);
        }
        assert_eq!(sketch.frequency(7), 15);
        for key in 1000..9000 {
            sketch.count(key);
        }
        assert!(sketch.frequency(7) < 15, "faded");
    }
}
