//! Rate limits: six rules, each one script, one key a subject, on the server's clock.
//!
//! A rule is data and a Lua script; [`Limiter`] runs it. Look, decision and count are one step on the server,
//! so any number of services share a limit without a lock. What each rule lets through at most, of a limit of
//! L in a window W:
//!
//! | rule | most in any window W | state of a subject |
//! |---|---|---|
//! | [`FixedWindow`] | 2 L, across a boundary | a counter |
//! | [`SlidingLog`] | L | every admitted request |
//! | [`SlidingCounter`] | L and a few in even traffic, 2 L after a burst at a window's end | two counters |
//! | [`TokenBucket`], [`LeakyBucket`], [`Gcra`] | burst + L | two numbers, two numbers, one |
//!
//! The last three decide alike, to the request. None of them is fair between the callers of one subject, and
//! none says what to do when Redis is away: let through or refuse is the caller's choice, made beforehand.

mod fixed_window;
mod gcra;
mod leaky_bucket;
mod local_gate;
mod sliding_counter;
mod sliding_log;
mod token_bucket;

use std::time::Duration;

use redis::{RedisResult, Script, aio::ConnectionLike};

pub use fixed_window::{Align, FixedWindow, TwoStepWindow};
pub use gcra::Gcra;
pub use leaky_bucket::LeakyBucket;
pub use local_gate::LocalGate;
pub use sliding_counter::SlidingCounter;
pub use sliding_log::SlidingLog;
pub use token_bucket::TokenBucket;

/// What a script gets before its own arguments: `now` in µs, `cost`, a number unlike any other, and by how
/// much a key must outlive its use. A clock that the caller gives does not run with the server's expiry, so
/// keys are then kept for a minute more. Lua prints large numbers with 14 digits: `int` keeps them whole.
const PRELUDE: &str = r"
local key, cost, nonce = KEYS[1], tonumber(ARGV[2]), ARGV[3]
local now, slack
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now, slack = time[1] * 1000000 + time[2], 0
else
  now, slack = tonumber(ARGV[1]), 60000
end
local function int(number) return string.format('%.0f', number) end
local function keep(microseconds) redis.call('PEXPIRE', key, int(math.ceil(microseconds / 1000) + 1 + slack)) end
local NEVER = -1
";

/// A rule's script, with [`PRELUDE`] before it. It answers allowed (0 or 1), what remains, and after how many µs
/// to try again (−1: never).
fn script(body: &str) -> Script {
    Script::new(&format!("{PRELUDE}{body}"))
}

/// A way to decide, as data.
pub trait Rule: Send + Sync {
    /// What runs on the server.
    fn script(&self) -> &'static Script;

    /// The script's own arguments, from `ARGV[4]`.
    fn arguments(&self) -> Vec<u64>;
}

impl Rule for Box<dyn Rule> {
    fn script(&self) -> &'static Script {
        self.as_ref().script()
    }

    fn arguments(&self) -> Vec<u64> {
        self.as_ref().arguments()
    }
}

/// An answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Let it through.
    pub allowed: bool,
    /// Requests of cost 1 that would be let through now.
    pub remaining: u64,
    /// For `Retry-After`: a request of the same cost can't be let through earlier. Zero when allowed,
    /// [`Duration::MAX`] when the cost is more than the rule ever lets through.
    pub retry_after: Duration,
}

/// A rule and the Redis that keeps its state.
#[derive(Debug, Clone)]
pub struct Limiter<C, R> {
    connection: C,
    prefix: String,
    rule: R,
}

impl<C: ConnectionLike + Clone + Send + Sync, R: Rule> Limiter<C, R> {
    /// A limiter whose keys are `prefix` and the subject.
    pub fn new(connection: C, prefix: impl Into<String>, rule: R) -> Self {
        Self { connection, prefix: prefix.into(), rule }
    }

    /// Counts a request of `cost` against `subject` (a user, an address, an endpoint) if it may pass. Time is the
    /// server's.
    pub async fn acquire(&self, subject: &str, cost: u64) -> RedisResult<Decision> {
        self.decide(subject, cost, None).await
    }

    /// The same with `now` (since any fixed moment) given by the caller. For simulations, and to see what clocks
    /// that disagree do to a limit: services should not use it. [`FixedWindow`] has no clock but the expiry of its
    /// key, and ignores it.
    pub async fn acquire_at(&self, subject: &str, cost: u64, now: Duration) -> RedisResult<Decision> {
        self.decide(subject, cost, Some(now)).await
    }

    async fn decide(&self, subject: &str, cost: u64, now: Option<Duration>) -> RedisResult<Decision> {
        let mut call = self.rule.script().key(format!("{}{subject}", self.prefix));
        call.arg(now.map_or(String::new(), |now| now.as_micros().to_string()));
        call.arg(cost).arg(format!("{:x}", rand::random::<u64>())).arg(self.rule.arguments());
        let (allowed, remaining, retry): (u8, i64, i64) = call.invoke_async(&mut self.connection.clone()).await?;
        let retry_after = u64::try_from(retry).map_or(Duration::MAX, Duration::from_micros);
        Ok(Decision { allowed: allowed == 1, remaining: u64::try_from(remaining).unwrap_or(0), retry_after })
    }
}

/// Whole µs, at least one: a rule never divides by zero.
fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).clamp(1, LONGEST)
}

/// The largest number that Lua counts to without a gap is 2^53; products of a burst and an interval stay below.
const LONGEST: u64 = 1 << 52;

/// A steady rate with room for a burst; what [`TokenBucket`], [`LeakyBucket`] and [`Gcra`] have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Time that one request of cost 1 takes out of the rate.
    interval: Duration,
    /// Requests that may come at once after an idle time.
    burst: u64,
}

impl Rate {
    /// `limit` requests in every `window` on average, up to `burst` of them at once. The interval is rounded up to
    /// a whole µs: never more than asked for. Zeros are taken as one.
    pub fn new(limit: u64, window: Duration, burst: u64) -> Self {
        let interval = microseconds(window).div_ceil(limit.max(1)).max(1);
        Self { interval: Duration::from_micros(interval), burst: burst.clamp(1, LONGEST / interval) }
    }

    fn arguments(self) -> Vec<u64> {
        vec![microseconds(self.interval), self.burst]
    }
}
