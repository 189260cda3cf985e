//! A counter that starts again with each window.

use std::{sync::LazyLock, time::Duration};

use redis::{RedisResult, Script, aio::ConnectionLike};

use super::{Rule, microseconds};

/// Counter and expiry in one step. The key's expiry is the end of the window: there is no second clock. It
/// starts only with the first hit (a refreshed one would never end under load), and a counter found without
/// expiry, left by some two-step writer, gets one.
static HIT: LazyLock<Script> = LazyLock::new(|| {
    super::script(
        r"
local limit, window, aligned = tonumber(ARGV[4]), math.ceil(tonumber(ARGV[5]) / 1000), ARGV[6] == '1'
local count = redis.call('INCRBY', key, cost)
local left = redis.call('PTTL', key)
if left < 0 then
  left = window
  if aligned then
    local time = redis.call('TIME')
    -- A key is still there in the millisecond it expires in; one that expires now is deleted at once.
    left = math.max(window - (time[1] * 1000 + math.floor(time[2] / 1000)) % window - 1, 1)
  end
  redis.call('PEXPIRE', key, int(left))
end
if count <= limit then return {1, limit - count, 0} end
-- What was refused takes no room.
count = redis.call('DECRBY', key, cost)
local retry = left * 1000
if cost > limit then retry = NEVER end
return {0, math.max(limit - count, 0), retry}
",
    )
});

/// Where windows begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// With a subject's first request.
    #[default]
    FirstHit,
    /// At multiples of the window on the server's clock, for all subjects alike: easy to explain ("per minute"), and
    /// everybody's limit is fresh in the same instant.
    Clock,
}

/// `INCR` and `PEXPIRE` in one script. The pattern of the Redis documentation's `INCR` page, made atomic.
///
/// Guarantees: at most `limit` in each window, however many clients; a counter always has an expiry.
/// Does **not** guarantee: at most `limit` in *any* span that long: the end of one window and the start of the
/// next together let through up to twice as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedWindow {
    /// Cost let through in a window.
    pub limit: u64,
    /// Its length, in whole milliseconds.
    pub window: Duration,
    /// Where it begins.
    pub align: Align,
}

impl Rule for FixedWindow {
    fn script(&self) -> &'static Script {
        &HIT
    }

    fn arguments(&self) -> Vec<u64> {
        vec![self.limit, microseconds(self.window), u64::from(self.align == Align::Clock)]
    }
}

/// The limiter of many a tutorial, for comparison: `INCR`, and `PEXPIRE` as a second command.
///
/// Guarantees: at most `limit` in a window.
/// Does **not** guarantee: that a window ends. A client that dies between the two commands leaves a counter
/// without expiry, which refuses its subject for ever.
#[derive(Debug, Clone)]
pub struct TwoStepWindow<C> {
    connection: C,
    prefix: String,
    limit: u64,
    window: Duration,
}

impl<C: ConnectionLike + Clone> TwoStepWindow<C> {
    /// A limiter whose keys are `prefix` and the subject.
    pub fn new(connection: C, prefix: impl Into<String>, limit: u64, window: Duration) -> Self {
        Self { connection, prefix: prefix.into(), limit, window }
    }

    /// First step: counts. Says how many requests there were in this window.
    pub async fn count(&self, subject: &str) -> RedisResult<u64> {
        redis::cmd("INCR").arg(format!("{}{subject}", self.prefix)).query_async(&mut self.connection.clone()).await
    }

    /// Second step, after a count of 1: the window's end.
    pub async fn expire(&self, subject: &str) -> RedisResult<()> {
        let milliseconds = microseconds(self.window).div_ceil(1000);
        let mut command = redis::cmd("PEXPIRE");
        command.arg(format!("{}{subject}", self.prefix)).arg(milliseconds);
        command.query_async(&mut self.connection.clone()).await
    }

    /// Both. Says whether the request may pass.
    pub async fn acquire(&self, subject: &str) -> RedisResult<bool> {
        let count = self.count(subject).await?;
        if count == 1 {
            self.expire(subject).await?;
        }
        Ok(count <= self.limit)
    }
}
