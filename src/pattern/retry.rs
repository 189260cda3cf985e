//! Retries that do not make things worse: full jitter between them, and a budget over all of them.
//!
//! Source: M. Brooker, *Exponential Backoff And Jitter* (AWS, 2015); retry budgets as in Finagle and in *Site
//! Reliability Engineering* (2016, chapter 21).
//!
//! Guarantees: retries are at most `ratio` of the calls (and a small reserve), so that three layers that try three
//! times do not turn one call into 27 when everything fails; rivals that failed together do not try again together.
//! Does **not** guarantee: that repeating is safe. Only what is idempotent may be retried.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{Rng, RngExt};

/// Pauses between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Bound of the first pause.
    pub base: Duration,
    /// No pause is longer.
    pub cap: Duration,
}

impl Backoff {
    /// Full jitter: anything between nothing and min(cap, base · 2^attempt), for the attempt counted from 0.
    pub fn full_jitter(self, attempt: u32, rng: &mut impl Rng) -> Duration {
        self.bound(attempt).mul_f64(rng.random_range(0.0..=1.0))
    }

    /// Equal jitter: half of that bound, and anything up to the other half.
    pub fn equal_jitter(self, attempt: u32, rng: &mut impl Rng) -> Duration {
        self.bound(attempt).mul_f64(rng.random_range(0.5..=1.0))
    }

    /// No jitter: the bound itself, at which all who failed together meet again.
    pub fn bound(self, attempt: u32) -> Duration {
        self.base.saturating_mul(1_u32.checked_shl(attempt.min(31)).unwrap_or(u32::MAX)).min(self.cap)
    }
}

/// What may be retried in all. Clones share one budget.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    /// In thousandths of a retry.
    balance: Arc<AtomicU64>,
    earned: u64,
    most: u64,
}

impl RetryBudget {
    /// Each call earns `ratio` of a retry, 0.1 for 10 %; up to `reserve` are kept, and at hand from the start.
    pub fn new(ratio: f64, reserve: u32) -> Self {
        let most = u64::from(reserve) * 1000;
        Self { balance: Arc::new(AtomicU64::new(most)), earned: (ratio.clamp(0.0, 1.0) * 1000.0).round() as u64, most }
    }

    /// A call, not a retry, is being made.
    pub fn call(&self) {
        let earn = |balance: u64| Some((balance + self.earned).min(self.most));
        // The closure always says Some.
        let _ = self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, earn);
    }

    /// Takes one retry, if there is one.
    pub fn retry(&self) -> bool {
        let spend = |balance: u64| balance.checked_sub(1000);
        self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }
}

/// Tries `call` up to `tries` times, as long as the budget allows.
///
/// # Errors
/// The last try's.
pub async fn retry<T, E, F: Future<Output = Result<T, E>>>(
    budget: &RetryBudget,
    backoff: Backoff,
    tries: u32,
    mut call: impl FnMut() -> F,
) -> Result<T, E> {
    budget.call();
    let mut attempt = 0;
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) if attempt + 1 >= tries || !budget.retry() => return Err(error),
            Err(_) => {
                let pause = backoff.full_jitter(attempt, &mut rand::rng());
                tokio::time::sleep(pause).await;
                attempt += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_micros(5), cap: Duration::from_micros(50) };

    #[tokio::test]
    async fn when_all_fails_calls_grow_by_the_ratio_and_not_by_the_tries() {
        let (budget, made) = (RetryBudget::new(0.1, 10), Cell::new(0_u32));
        for _ in 0..1000 {
            let failed = retry(&budget, BACKOFF, 3, || async {
                made.set(made.get() + 1);
                Err::<(), _>(())
            });
            assert!(failed.await.is_err());
        }
        let made = made.get();
        assert!((1100..=1111).contains(&made), "{made}");
    }

    #[tokio::test]
    async fn rare_failures_are_retried_until_they_succeed() {
        let (budget, made) = (RetryBudget::new(0.1, 10), Cell::new(0_u32));
        for n in 0..1000 {
            made.set(0);
            let answer = retry(&budget, BACKOFF, 3, || async {
                made.set(made.get() + 1);
                if n % 50 == 0 && made.get() < 3 { Err(()) } else { Ok(n) }
            });
            assert_eq!(answer.await, Ok(n));
        }
    }

    #[test]
    fn pauses_grow_to_the_cap_and_differ() {
        let mut rng = SmallRng::seed_from_u64(1);
        let backoff = Backoff { base: Duration::from_millis(5), cap: Duration::from_secs(2) };
        assert_eq!(backoff.bound(3), Duration::from_millis(40));
        assert_eq!(backoff.bound(u32::MAX), Duration::from_secs(2));
        let drawn: Vec<_> = (0..1000).map(|_| backoff.full_jitter(3, &mut rng).as_secs_f64()).collect();
        let mean = drawn.iter().sum::<f64>() / 1000.0;
        assert!((0.019..0.021).contains(&mean), "half of the bound: {mean}");
        let equal: Vec<_> = (0..100).map(|_| backoff.equal_jitter(3, &mut rng)).collect();
        assert!(equal.iter().all(|pause| *pause >= Duration::from_millis(20)));
    }
}
