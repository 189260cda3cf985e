//! The time of every admitted request.

use std::{sync::LazyLock, time::Duration};

use redis::Script;

use super::{Rule, microseconds};

/// Members are unlike each other (two requests may come in one µs); what was refused is not recorded, else a
/// client that keeps trying would lock itself out.
static RECORD: LazyLock<Script> = LazyLock::new(|| {
    super::script(
        r"
local limit, window = tonumber(ARGV[4]), tonumber(ARGV[5])
redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now - window))
local count = redis.call('ZCARD', key)
if count + cost <= limit then
  for i = 1, cost do redis.call('ZADD', key, int(now), nonce .. ':' .. i) end
  if cost > 0 then keep(window) end
  return {1, limit - count - cost, 0}
end
if cost > limit then return {0, limit - count, NEVER} end
-- The request waits for the oldest ones to leave, as many as it lacks room for.
local last = count + cost - limit - 1
local oldest = redis.call('ZRANGE', key, last, last, 'WITHSCORES')
return {0, limit - count, oldest[2] + window - now}
",
    )
});

/// A sorted set of times, trimmed to the window.
///
/// Guarantees: at most `limit` in any window whatever, and every request that this allows.
/// Does **not** guarantee: little memory. Each subject keeps up to `limit` entries, and a request of cost n
/// writes n of them: for limits in the hundreds, not in the millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlidingLog {
    /// Cost let through in a window.
    pub limit: u64,
    /// Its length.
    pub window: Duration,
}

impl Rule for SlidingLog {
    fn script(&self) -> &'static Script {
        &RECORD
    }

    fn arguments(&self) -> Vec<u64> {
        vec![self.limit, microseconds(self.window)]
    }
}
