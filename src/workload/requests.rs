//! The sequence of requests: ids, reads and writes.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{Keys, Popularity};

/// Read or write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Asks for an item.
    Read,
    /// Changes an item.
    Write,
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The item.
    pub id: u64,
    /// Read or write.
    pub kind: Kind,
}

/// An endless sequence; the same seed gives the same one.
#[derive(Debug, Clone)]
pub struct Requests {
    keys: Keys,
    count: u64,
    writes: f64,
    rng: SmallRng,
}

impl Requests {
    /// Over ids `1..=count`; `writes` is the share of writes; `stream` sets apart the clients of one seed.
    pub fn new(count: u64, popularity: Popularity, writes: f64, seed: u64, stream: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream);
        Self { keys: Keys::new(count, popularity), count, writes: writes.clamp(0.0, 1.0), rng }
    }

    /// From now on this share writes.
    pub fn set_writes(&mut self, share: f64) {
        self.writes = share.clamp(0.0, 1.0);
    }

    /// From now on ids are this popular.
    pub fn set_popularity(&mut self, popularity: Popularity) {
        self.keys = Keys::new(self.count, popularity);
    }

    /// The next request. Always draws the same number of random values, so that turning the share of writes
    /// does not change the ids.
    pub fn next_request(&mut self) -> Request {
        let kind = if self.rng.random::<f64>() < self.writes { Kind::Write } else { Kind::Read };
        Request { id: self.keys.sample(&mut self.rng), kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_requests_and_streams_differ() {
        let sequence = |seed, stream, writes| {
            let mut requests = Requests::new(1000, Popularity::Zipf(0.9), writes, seed, stream);
            (0..200).map(|_| requests.next_request()).collect::<Vec<_>>()
        };
        assert_eq!(sequence(1, 0, 0.1), sequence(1, 0, 0.1));
        assert_ne!(sequence(1, 0, 0.1), sequence(1, 1, 0.1));
        assert_ne!(sequence(1, 0, 0.1), sequence(2, 0, 0.1));
        let ids = |requests: Vec<Request>| requests.into_iter().map(|r| r.id).collect::<Vec<_>>();
        assert_eq!(ids(sequence(1, 0, 0.0)), ids(sequence(1, 0, 0.5)), "the mix leaves the ids alone");
    }

    #[test]
    fn the_mix_is_as_asked() {
        let mut requests = Requests::new(10, Popularity::Uniform, 0.2, 1, 0);
        let writes = (0..50_000).filter(|_| requests.next_request().kind == Kind::Write).count();
        assert!((9_600..10_400).contains(&writes), "{writes}");
    }
}
