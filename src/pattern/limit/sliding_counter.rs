//! Two counters and the assumption that the last window was even.

use std::{sync::LazyLock, time::Duration};

use redis::Script;

use super::{Rule, microseconds};

/// The last window weighs as much as of it still lies in the sliding one. All in whole numbers: both sides of
/// the comparison are multiplied by the window.
static COUNT: LazyLock<Script> = LazyLock::new(|| {
    super::script(
        r"
local limit, window = tonumber(ARGV[4]), tonumber(ARGV[5])
local index, elapsed = math.floor(now / window), now % window
local state = redis.call('HMGET', key, 'window', 'count', 'before')
local count, before = 0, 0
if tonumber(state[1]) == index then
  count, before = tonumber(state[2]), tonumber(state[3])
elseif tonumber(state[1]) == index - 1 then
  before = tonumber(state[2])
end
local used = before * (window - elapsed) + count * window
local room = limit * window - used
if cost * window <= room then
  redis.call('HSET', key, 'window', int(index), 'count', int(count + cost), 'before', int(before))
  keep(2 * window)
  return {1, math.floor(room / window) - cost, 0}
end
local remaining = math.max(math.floor(room / window), 0)
if cost > limit then return {0, remaining, NEVER} end
local retry
if count + cost <= limit then
  retry = math.ceil(window - (limit - count - cost) * window / before) - elapsed
else
  -- Not before the next window, in which this one is the last.
  retry = window - elapsed + math.max(math.ceil(window - (limit - cost) * window / count), 0)
end
return {0, remaining, retry}
",
    )
});

/// The counter of the present window and a share of the last one's. As described by Cloudflare (*How we built rate
/// limiting capable of scaling to millions of domains*, 2017).
///
/// Guarantees: constant memory, and no double burst across a boundary.
/// Does **not** guarantee: at most `limit` in any window. It takes the last window's requests to have been spread
/// evenly: in even traffic it is a few per cent off, and with every source near its limit some 1–4 % of decisions
/// differ from a log's. After a burst at the very end of a window it lets a full limit trickle through beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlidingCounter {
    /// Cost let through in a window.
    pub limit: u64,
    /// Its length.
    pub window: Duration,
}

impl Rule for SlidingCounter {
    fn script(&self) -> &'static Script {
        &COUNT
    }

    fn arguments(&self) -> Vec<u64> {
        vec![self.limit, microseconds(self.window)]
    }
}
