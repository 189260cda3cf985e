//! Water that comes in by request and leaks steadily.

use std::sync::LazyLock;

use redis::Script;

use super::{Rate, Rule};

/// The level is counted in the µs it takes to leak. A clock that steps back leaks nothing.
static POUR: LazyLock<Script> = LazyLock::new(|| {
    super::script(
        r"
local interval, burst = tonumber(ARGV[4]), tonumber(ARGV[5])
local size, pour = burst * interval, cost * interval
local state = redis.call('HMGET', key, 'level', 'at')
local level, at = 0, now
if state[1] then
  at = math.max(now, tonumber(state[2]))
  level = math.max(0, tonumber(state[1]) - (at - tonumber(state[2])))
end
if level + pour <= size then
  redis.call('HSET', key, 'level', int(level + pour), 'at', int(at))
  keep(level + pour)
  return {1, math.floor((size - level - pour) / interval), 0}
end
local retry = level + pour - size
if cost > burst then retry = NEVER end
return {0, math.floor((size - level) / interval), retry}
",
    )
});

/// A bucket as large as `burst` that leaks one request every interval; what would make it flow over is refused.
/// The leaky bucket as a meter (Turner, *New directions in communications*, 1986; ITU-T I.371), not as a queue: it
/// delays nothing.
///
/// Guarantees and does not: as [`TokenBucket`](super::TokenBucket), whose decisions it makes, seen from the other
/// side. A leaky bucket as a queue would let requests through at an even pace, at the price of their waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeakyBucket(pub Rate);

impl Rule for LeakyBucket {
    fn script(&self) -> &'static Script {
        &POUR
    }

    fn arguments(&self) -> Vec<u64> {
        self.0.arguments()
    }
}
