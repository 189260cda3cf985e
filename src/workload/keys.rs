//! How popular each id is. Ids are their own rank: 1 is asked for most.

use rand::{RngExt, rngs::SmallRng};
use rand_distr::{Distribution, Zipf};

/// A popularity law over ids.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Popularity {
    /// All alike.
    Uniform,
    /// Weight `1 / rank^exponent` (Zipf 1949; for web requests Breslau et al., INFOCOM 1999).
    Zipf(f64),
    /// A small hot set and the rest, each uniform.
    Hotspot {
        /// Share of ids that are hot.
        keys: f64,
        /// Share of requests that go to them.
        requests: f64,
    },
}

/// A sampler of ids `1..=count`.
#[derive(Debug, Clone)]
pub struct Keys {
    count: u64,
    popularity: Popularity,
    zipf: Option<Zipf<f64>>,
}

impl Keys {
    /// Ids `1..=count`; a count of 0 is taken as 1.
    pub fn new(count: u64, popularity: Popularity) -> Self {
        let count = count.max(1);
        let zipf = match popularity {
            Popularity::Zipf(exponent) => Zipf::new(count as f64, exponent.max(0.0)).ok(),
            _ => None,
        };
        Self { count, popularity, zipf }
    }

    /// The next id.
    pub fn sample(&self, rng: &mut SmallRng) -> u64 {
        if let Some(zipf) = &self.zipf {
            return (zipf.sample(rng) as u64).clamp(1, self.count);
        }
        if let Popularity::Hotspot { requests, .. } = self.popularity {
            let hot = self.hot();
            let in_hot = hot == self.count || rng.random_bool(requests.clamp(0.0, 1.0));
            return if in_hot { rng.random_range(1..=hot) } else { rng.random_range(hot + 1..=self.count) };
        }
        rng.random_range(1..=self.count)
    }

    /// The probability of each id, the most popular first.
    pub fn probabilities(&self) -> Vec<f64> {
        let count = self.count as f64;
        match self.popularity {
            Popularity::Uniform => vec![1.0 / count; self.count as usize],
            Popularity::Zipf(exponent) => {
                let weights: Vec<f64> = (1..=self.count).map(|rank| (rank as f64).powf(-exponent.max(0.0))).collect();
                let sum: f64 = weights.iter().sum();
                weights.into_iter().map(|weight| weight / sum).collect()
            }
            Popularity::Hotspot { requests, .. } => {
                let hot = self.hot();
                let cold = self.count - hot;
                let share = if cold == 0 { 1.0 } else { requests.clamp(0.0, 1.0) };
                let of = |id: u64| if id <= hot { share / hot as f64 } else { (1.0 - share) / cold as f64 };
                (1..=self.count).map(of).collect()
            }
        }
    }

    /// Size of the hot set.
    fn hot(&self) -> u64 {
        match self.popularity {
            Popularity::Hotspot { keys, .. } => ((self.count as f64 * keys).ceil() as u64).clamp(1, self.count),
            _ => self.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// Sampled shares of the first ids against their probabilities, within five standard errors.
    fn agrees(count: u64, popularity: Popularity) {
        const SAMPLES: usize = 400_000;
        let keys = Keys::new(count, popularity);
        let mut rng = SmallRng::seed_from_u64(11);
        let mut seen = vec![0_u32; count as usize + 1];
        (0..SAMPLES).for_each(|_| seen[keys.sample(&mut rng) as usize] += 1);
        assert_eq!(seen[0], 0);
        let probabilities = keys.probabilities();
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        for (id, p) in probabilities.iter().enumerate().take(20) {
            let share = f64::from(seen[id + 1]) / SAMPLES as f64;
            let error = (p * (1.0 - p) / SAMPLES as f64).sqrt();
            assert!((share - p).abs() < 5.0 * error + 1e-9, "{popularity:?} id {}: {share} is not {p}", id + 1);
        }
    }

    #[test]
    fn samples_follow_their_law() {
        for popularity in [
            Popularity::Uniform,
            Popularity::Zipf(0.0),
            Popularity::Zipf(0.9),
            Popularity::Zipf(1.0),
            Popularity::Zipf(1.4),
            Popularity::Hotspot { keys: 0.05, requests: 0.8 },
        ] {
            agrees(500, popularity);
        }
    }

    #[test]
    fn rank_one_of_zipf_has_its_share() {
        // 1/H(n, s) for n = 100,000, s = 0.99: 7.8 % (LAB-ENGINE, three samplers agreed).
        let first = Keys::new(100_000, Popularity::Zipf(0.99)).probabilities()[0];
        assert!((first - 0.0783).abs() < 0.0002, "{first}");
        let keys = Keys::new(100_000, Popularity::Zipf(0.99));
        let mut rng = SmallRng::seed_from_u64(3);
        let hits = (0..1_000_000).filter(|_| keys.sample(&mut rng) == 1).count() as f64 / 1e6;
        assert!((hits - first).abs() < 0.01 * first * 1.5, "{hits} is not {first}");
    }

    #[test]
    fn one_id_is_enough() {
        let mut rng = SmallRng::seed_from_u64(1);
        for popularity in [Popularity::Uniform, Popularity::Zipf(1.0), Popularity::Hotspot { keys: 0.5, requests: 0.1 }]
        {
            assert_eq!(Keys::new(1, popularity).sample(&mut rng), 1);
        }
    }
}
