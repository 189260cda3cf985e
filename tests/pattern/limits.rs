//! Rate limits: on virtual time against a model of each rule, and on the server's clock under concurrency.

use std::{collections::VecDeque, time::Duration};

use cachelab::pattern::limit::{
    Align, Decision, FixedWindow, Gcra, LeakyBucket, Limiter, Rate, Rule, SlidingCounter, SlidingLog, TokenBucket,
    TwoStepWindow,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{Live, bounded, ms};

const WINDOW: Duration = Duration::from_secs(60);

/// Times since an epoch as large as the real one: what loses digits loses them here.
const EPOCH: Duration = Duration::from_secs(1_800_000_000);

/// Arrivals with idle spans and bursts.
fn arrivals(count: usize, mean_us: f64, seed: u64) -> Vec<Duration> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut now = EPOCH;
    (0..count)
        .map(|index| {
            let gap = match index % 50 {
                0 => mean_us * 60.0,
                1..20 => 0.0,
                _ => -mean_us * f64::ln(1.0 - rng.random::<f64>()),
            };
            now += Duration::from_micros(gap as u64);
            now
        })
        .collect()
}

/// Most admissions in any half-open window.
fn most_in_a_window(admitted: &[Duration], window: Duration) -> usize {
    let mut recent = VecDeque::new();
    admitted.iter().fold(0, |most, &now| {
        recent.push_back(now);
        while recent.front().is_some_and(|&first| first + window <= now) {
            recent.pop_front();
        }
        most.max(recent.len())
    })
}

type Rules = Limiter<redis::aio::MultiplexedConnection, Box<dyn Rule>>;

async fn admitted(limiter: &Rules, subject: &str, arrivals: &[Duration]) -> Vec<Duration> {
    let mut admitted = Vec::new();
    for &now in arrivals {
        if limiter.acquire_at(subject, 1, now).await.unwrap().allowed {
            admitted.push(now);
        }
    }
    admitted
}

/// 100 at the end of one window and 100 at the start of the next, and again.
fn straddle() -> Vec<Duration> {
    let start = EPOCH + WINDOW - ms(10);
    (0..4_u32).flat_map(|round| (0..200_u32).map(move |i| start + WINDOW * round * 3 + ms(20) * i / 200)).collect()
}

/// All at the end of one window, then evenly through the next: what a sliding counter does not foresee.
fn late_burst() -> Vec<Duration> {
    let end = (EPOCH.as_secs() / 60 + 1) as u32 * WINDOW;
    let burst = (0..100_u32).map(|i| end - ms(10) + ms(10) * i / 100);
    burst.chain((0..400_u32).map(|i| end + ms(150) * i)).collect()
}

#[tokio::test]
async fn each_rule_admits_in_any_window_what_it_says() {
    bounded(async {
        let live = Live::start().await;
        let poisson: Vec<_> = {
            let (mut rng, mut now) = (SmallRng::seed_from_u64(1), EPOCH);
            (0..3000)
                .map(|_| {
                    now += WINDOW.mul_f64(-f64::ln(1.0 - rng.random::<f64>()) / 200.0);
                    now
                })
                .collect()
        };
        let (limit, window) = (100, WINDOW);
        // Most in a window: adversary at the boundary, Poisson at twice the limit, burst at a window's end.
        let cases: [(&str, Box<dyn Rule>, [std::ops::RangeInclusive<usize>; 3]); 4] = [
            ("log", Box::new(SlidingLog { limit, window }), [100..=100, 100..=100, 100..=100]),
            ("counter", Box::new(SlidingCounter { limit, window }), [100..=106, 101..=110, 190..=200]),
            ("bucket", Box::new(TokenBucket(Rate::new(limit, window, limit))), [100..=110, 150..=200, 195..=200]),
            ("small", Box::new(TokenBucket(Rate::new(limit, window, limit / 5))), [20..=30, 100..=120, 115..=120]),
        ];
        for (name, rule, expected) in cases {
            let limiter = Limiter::new(live.connection.clone(), name, rule);
            for (traffic, expected) in [straddle(), poisson.clone(), late_burst()].iter().zip(expected) {
                let most = most_in_a_window(&admitted(&limiter, &traffic.len().to_string(), traffic).await, window);
                eprintln!("{name}: {most}");
                assert!(expected.contains(&most), "{name}: {most} not in {expected:?}");
            }
        }
    })
    .await;
}

/// GCRA in the textbook's terms.
struct Model {
    interval: u64,
    burst: u64,
    tat: u64,
}

impl Model {
    fn decide(&mut self, now: u64, cost: u64) -> Decision {
        let wanted = self.tat.max(now) + cost * self.interval;
        let full = self.burst * self.interval;
        let allowed = wanted - now <= full;
        if allowed {
            self.tat = wanted;
        }
        let remaining = (full - (self.tat.max(now) - now)) / self.interval;
        let retry_after = match (allowed, cost > self.burst) {
            (true, _) => Duration::ZERO,
            (_, true) => Duration::MAX,
            _ => Duration::from_micros(wanted - now - full),
        };
        Decision { allowed, remaining, retry_after }
    }
}

#[tokio::test]
async fn token_bucket_leaky_bucket_and_gcra_decide_alike_on_ten_thousand_requests() {
    bounded(async {
        let live = Live::start().await;
        let mut rng = SmallRng::seed_from_u64(7);
        // An interval that is no whole number of milliseconds.
        let rate = Rate::new(7, Duration::from_secs(1), 10);
        let (mut model, mut allowed) = (Model { interval: 142_858, burst: 10, tat: 0 }, 0);
        let connection = || live.connection.clone();
        let bucket = Limiter::new(connection(), "bucket:", TokenBucket(rate));
        let leaky = Limiter::new(connection(), "leaky:", LeakyBucket(rate));
        let gcra = Limiter::new(connection(), "gcra:", Gcra(rate));
        for now in arrivals(10_000, 200_000.0, 2) {
            let cost = if rng.random_bool(0.1) { rng.random_range(0..12) } else { 1 };
            let expected = model.decide(now.as_micros() as u64, cost);
            let (bucket, leaky, gcra) = tokio::join!(
                bucket.acquire_at("s", cost, now),
                leaky.acquire_at("s", cost, now),
                gcra.acquire_at("s", cost, now)
            );
            assert_eq!([bucket.unwrap(), leaky.unwrap(), gcra.unwrap()], [expected; 3], "at {now:?}, cost {cost}");
            allowed += u32::from(expected.allowed);
        }
        assert!((1000..9000).contains(&allowed), "both answers must occur: {allowed}");
    })
    .await;
}

#[tokio::test]
async fn the_sliding_counter_weighs_the_last_window() {
    bounded(async {
        let live = Live::start().await;
        let limiter = Limiter::new(live.connection.clone(), "", SlidingCounter { limit: 50, window: WINDOW });
        // 42 in the last window, 18 in this one, 15 s into it: 42 · 45/60 + 18 = 49.5.
        limiter.acquire_at("s", 42, EPOCH + ms(100)).await.unwrap();
        let now = EPOCH + WINDOW + Duration::from_secs(15);
        assert!(limiter.acquire_at("s", 18, now).await.unwrap().allowed);
        let refused = limiter.acquire_at("s", 1, now).await.unwrap();
        assert_eq!((refused.allowed, refused.remaining), (false, 0));
        // Room for one more when the old weigh 31: after 1 − 31/42 of the window.
        let later = now + refused.retry_after;
        assert!(!limiter.acquire_at("s", 1, later - Duration::from_micros(2)).await.unwrap().allowed);
        assert!(limiter.acquire_at("s", 1, later).await.unwrap().allowed);
        // This window full: the wait reaches into the next.
        let full = limiter.acquire_at("s", 40, later).await.unwrap();
        assert!(!limiter.acquire_at("s", 40, later + full.retry_after - ms(1)).await.unwrap().allowed);
        assert!(limiter.acquire_at("s", 40, later + full.retry_after).await.unwrap().allowed);
    })
    .await;
}

#[tokio::test]
async fn every_retry_after_is_exact_and_impossible_costs_say_never() {
    bounded(async {
        let live = Live::start().await;
        let (limit, window) = (10, WINDOW);
        let rules: [(&str, Box<dyn Rule>); 5] = [
            ("log", Box::new(SlidingLog { limit, window })),
            ("counter", Box::new(SlidingCounter { limit, window })),
            ("bucket", Box::new(TokenBucket(Rate::new(limit, window, limit)))),
            ("leaky", Box::new(LeakyBucket(Rate::new(limit, window, limit)))),
            ("gcra", Box::new(Gcra(Rate::new(limit, window, limit)))),
        ];
        for (name, rule) in rules {
            let limiter = Limiter::new(live.connection.clone(), name, rule);
            for cost in [4, 6] {
                let now = EPOCH + ms(cost * 1000);
                assert!(limiter.acquire_at("s", cost, now).await.unwrap().allowed, "{name}");
            }
            let now = EPOCH + ms(7000);
            let never = limiter.acquire_at("s", 11, now).await.unwrap();
            assert_eq!((never.allowed, never.retry_after), (false, Duration::MAX), "{name}");
            let refused = limiter.acquire_at("s", 5, now).await.unwrap();
            let early = now + refused.retry_after - Duration::from_micros(1);
            assert!(!limiter.acquire_at("s", 5, early).await.unwrap().allowed, "{name}");
            assert!(limiter.acquire_at("s", 5, now + refused.retry_after).await.unwrap().allowed, "{name}");
            assert!(live.ask::<i64>(&format!("PTTL {name}s")).await > 0, "{name} expires");
        }
    })
    .await;
}

#[tokio::test]
async fn requests_of_the_same_microsecond_all_count() {
    bounded(async {
        let live = Live::start().await;
        let (limit, window) = (10, WINDOW);
        let rules: [(&str, Box<dyn Rule>); 5] = [
            ("log", Box::new(SlidingLog { limit, window })),
            ("counter", Box::new(SlidingCounter { limit, window })),
            ("bucket", Box::new(TokenBucket(Rate::new(limit, window, limit)))),
            ("leaky", Box::new(LeakyBucket(Rate::new(limit, window, limit)))),
            ("gcra", Box::new(Gcra(Rate::new(limit, window, limit)))),
        ];
        for (name, rule) in rules {
            let limiter = Limiter::new(live.connection.clone(), name, rule);
            assert_eq!(admitted(&limiter, "s", &[EPOCH; 30]).await.len(), 10, "{name}");
        }
    })
    .await;
}

/// Admissions of eight clients that ask as fast as they can.
async fn hammer<R: Rule + Clone + 'static>(live: &Live, rule: R, tries: usize) -> u64 {
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let limiter = Limiter::new(live.connect().await, "hammer:", rule.clone());
        clients.spawn(async move {
            let mut admitted = 0;
            for _ in 0..tries {
                admitted += u64::from(limiter.acquire("s", 1).await.unwrap().allowed);
            }
            admitted
        });
    }
    let admitted = clients.join_all().await.into_iter().sum();
    live.ask::<()>("DEL hammer:s").await;
    admitted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_get_exactly_the_limit_between_them() {
    bounded(async {
        let live = Live::start().await;
        let (limit, window) = (100, Duration::from_secs(600));
        assert_eq!(hammer(&live, FixedWindow { limit, window, align: Align::FirstHit }, 50).await, 100);
        assert_eq!(hammer(&live, SlidingLog { limit, window }, 50).await, 100);
        assert_eq!(hammer(&live, SlidingCounter { limit, window }, 50).await, 100);
        let rate = Rate::new(limit, window, limit);
        assert_eq!(hammer(&live, TokenBucket(rate), 50).await, 100);
        assert_eq!(hammer(&live, LeakyBucket(rate), 50).await, 100);
        assert_eq!(hammer(&live, Gcra(rate), 50).await, 100);
    })
    .await;
}

#[tokio::test]
async fn fixed_windows_end_although_hits_go_on_and_let_twice_the_limit_through_at_the_boundary() {
    bounded(async {
        let live = Live::start().await;
        let rule = FixedWindow { limit: 20, window: ms(400), align: Align::Clock };
        let limiter = Limiter::new(live.connection.clone(), "f:", rule);
        let clock = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let mut worst = 0;
        // A busy machine may sleep through a boundary: what can happen must be seen once in some tries.
        for _ in 0..8 {
            // Fill one window just before its end and the next one just after.
            let mut admitted = Vec::new();
            let to_boundary = 400 - clock().as_millis() as u64 % 400;
            tokio::time::sleep(ms(to_boundary + 300)).await;
            let start = clock();
            while clock() - start < ms(250) {
                let decision = limiter.acquire("s", 1).await.unwrap();
                if decision.allowed {
                    admitted.push(clock());
                } else {
                    assert!(decision.retry_after <= ms(401), "{decision:?}");
                }
            }
            worst = worst.max(most_in_a_window(&admitted, ms(400)));
            if worst > 30 {
                break;
            }
        }
        assert!(worst > 30 && worst <= 40, "{worst} of 20 in 400 ms");
        assert!(live.ask::<i64>("PTTL f:s").await <= 400);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_dies_between_incr_and_expire_locks_its_subject_out_for_ever() {
    bounded(async {
        let live = Live::start().await;
        let naive = TwoStepWindow::new(live.connection.clone(), "n:", 3, ms(50));
        assert_eq!(naive.count("s").await.unwrap(), 1); // and dies here
        for _ in 0..5 {
            naive.acquire("s").await.unwrap();
        }
        tokio::time::sleep(ms(80)).await;
        assert!(!naive.acquire("s").await.unwrap());
        assert_eq!(live.ask::<i64>("PTTL n:s").await, -1, "immortal");
        // The script heals what it finds.
        let rule = FixedWindow { limit: 3, window: ms(50), align: Align::FirstHit };
        let limiter = Limiter::new(live.connection.clone(), "n:", rule);
        assert!(!limiter.acquire("s", 1).await.unwrap().allowed);
        tokio::time::sleep(ms(80)).await;
        assert!(limiter.acquire("s", 1).await.unwrap().allowed);
    })
    .await;
}

#[tokio::test]
async fn clients_with_clocks_apart_share_a_limit_only_on_the_servers_clock() {
    bounded(async {
        let live = Live::start().await;
        let limiter = Limiter::new(live.connection.clone(), "c:", SlidingLog { limit: 10, window: WINDOW });
        let mut by_own_clock = 0;
        for round in 0..30 {
            // One client is two windows ahead: what it sees is old, and it sweeps away what the other wrote.
            let now = EPOCH + ms(round) + WINDOW * 2 * (round as u32 % 2);
            by_own_clock += u32::from(limiter.acquire_at("skewed", 1, now).await.unwrap().allowed);
        }
        let mut by_server = 0;
        for _ in 0..30 {
            by_server += u32::from(limiter.acquire("shared", 1).await.unwrap().allowed);
        }
        assert!(by_own_clock > 10, "{by_own_clock}");
        assert_eq!(by_server, 10);
    })
    .await;
}
