//! Tokens that come in steadily and go out by request.

use std::sync::LazyLock;

use redis::Script;

use super::{Rate, Rule};

/// Tokens are counted in the µs that earn them: nothing is lost to rounding, however often it is asked. A clock
/// that steps back earns nothing.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    super::script(
        r"
local interval, burst = tonumber(ARGV[4]), tonumber(ARGV[5])
local full, price = burst * interval, cost * interval
local state = redis.call('HMGET', key, 'earned', 'at')
local earned, at = full, now
if state[1] then
  at = math.max(now, tonumber(state[2]))
  earned = math.min(full, tonumber(state[1]) + at - tonumber(state[2]))
end
if price <= earned then
  redis.call('HSET', key, 'earned', int(earned - price), 'at', int(at))
  keep(full - earned + price)
  return {1, math.floor((earned - price) / interval), 0}
end
local retry = price - earned
if cost > burst then retry = NEVER end
return {0, math.floor(earned / interval), retry}
",
    )
});

/// A bucket that holds `burst` tokens and gains one every interval; a request takes its cost or is refused.
///
/// Guarantees: over any time t at most burst + t / interval.
/// Does **not** guarantee: at most `limit` in a window: with a burst as large as the limit nearly twice the limit
/// passes in one, as with a fixed window. Choose a smaller burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBucket(pub Rate);

impl Rule for TokenBucket {
    fn script(&self) -> &'static Script {
        &TAKE
    }

    fn arguments(&self) -> Vec<u64> {
        self.0.arguments()
    }
}
