//! One timestamp instead of a bucket.

use std::sync::LazyLock;

use redis::Script;

use super::{Rate, Rule};

/// `tat` is the theoretical arrival time: when the next request would come if all came at the even pace. A
/// request may be early by what the burst allows. What is refused does not move it. A subject idle for long has no
/// credit beyond the burst: `tat` is never taken to lie in the past.
static ARRIVE: LazyLock<Script> = LazyLock::new(|| {
    super::script(
        r"
local interval, burst = tonumber(ARGV[4]), tonumber(ARGV[5])
local ahead = math.max(0, (tonumber(redis.call('GET', key)) or now) - now)
local full, wanted = burst * interval, ahead + cost * interval
if wanted <= full then
  if cost > 0 then
    redis.call('SET', key, int(now + wanted), 'PX', int(math.ceil(wanted / 1000) + 1 + slack))
  end
  return {1, math.floor((full - wanted) / interval), 0}
end
local retry = wanted - full
if cost > burst then retry = NEVER end
return {0, math.max(math.floor((full - ahead) / interval), 0), retry}
",
    )
});

/// The generic cell rate algorithm (ITU-T I.371, from ATM networks): the decisions of a token bucket from a single
/// number, which expires by itself when the subject is at rest.
///
/// Guarantees: over any time t at most burst + t / interval; the exact time to wait.
/// Does **not** guarantee: at most `limit` in a window, see [`TokenBucket`](super::TokenBucket).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gcra(pub Rate);

impl Rule for Gcra {
    fn script(&self) -> &'static Script {
        &ARRIVE
    }

    fn arguments(&self) -> Vec<u64> {
        self.0.arguments()
    }
}
