//! Times to live that do not end together.
//!
//! Source: practice; its effect is plain to see in Twitter's production traces (Yang et al., OSDI 2020).
//!
//! Guarantees: N keys stored together expire spread evenly over the jittered span: N / (2jT) of them a second at
//! ±j, instead of all N in one.
//! Does **not** guarantee: anything for one hot key, whose expiry is always "together" for all who ask for it.

use std::time::Duration;

use rand::{Rng, RngExt};

/// How a TTL is spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Jitter {
    /// Not at all.
    None,
    /// Evenly over T (1 − j) … T (1 + j): the mean stays.
    Around(f64),
    /// Evenly over T (1 − j) … T: T stays the bound on age.
    Below(f64),
}

impl Jitter {
    /// A TTL for one key. Draw anew for each: a jitter drawn once per process spreads nothing.
    pub fn apply(self, ttl: Duration, rng: &mut impl Rng) -> Duration {
        let (low, high) = match self {
            Self::None => return ttl,
            Self::Around(share) => (1.0 - share.clamp(0.0, 1.0), 1.0 + share.clamp(0.0, 1.0)),
            Self::Below(share) => (1.0 - share.clamp(0.0, 1.0), 1.0),
        };
        ttl.mul_f64(rng.random_range(low..=high))
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    /// Keys of 10,000 that expire in the busiest second.
    fn busiest(jitter: Jitter) -> u32 {
        let (mut rng, mut seconds) = (SmallRng::seed_from_u64(3), vec![0_u32; 700]);
        for _ in 0..10_000 {
            seconds[jitter.apply(Duration::from_secs(300), &mut rng).as_secs() as usize] += 1;
        }
        seconds.into_iter().max().unwrap()
    }

    #[test]
    fn the_peak_follows_n_over_2jt() {
        assert_eq!(busiest(Jitter::None), 10_000);
        for (share, mean) in [(0.05, 333.0), (0.1, 167.0), (0.2, 83.0), (0.5, 33.0)] {
            let peak = f64::from(busiest(Jitter::Around(share)));
            // The busiest of that many seconds lies some standard deviations above the mean one.
            assert!(peak >= mean && peak < mean + 4.5 * f64::sqrt(mean), "±{share}: {peak}, mean {mean}");
        }
    }

    #[test]
    fn below_never_exceeds_the_ttl() {
        let (mut rng, ttl) = (SmallRng::seed_from_u64(3), Duration::from_secs(100));
        let drawn: Vec<_> = (0..1000).map(|_| Jitter::Below(0.2).apply(ttl, &mut rng)).collect();
        assert!(drawn.iter().all(|drawn| *drawn <= ttl && *drawn >= ttl.mul_f64(0.8)));
        assert!(drawn.iter().max().unwrap().saturating_sub(*drawn.iter().min().unwrap()) > ttl.mul_f64(0.19));
    }
}
