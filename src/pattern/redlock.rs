//! One lock on several independent Redis primaries: whoever has the majority in time has the lock.
//!
//! Source: the Redis documentation's page on distributed locks (Redlock); M. Kleppmann, *How to do distributed
//! locking* (2016), for what it does not do, and the reply *Is Redlock safe?* (antirez, 2016).
//!
//! Guarantees: no two holders while each works within its validity, as long as clocks run at about the same pace
//! and a node that lost its memory stays away for longer than the longest TTL; the lock can be had while a majority
//! of the nodes answers; a dead or slow node costs at most one node timeout, for all are asked at once.
//! Does **not** guarantee: that a holder that is stopped past its validity writes nothing. It has no fencing token, for
//! its nodes do not agree on a number: what must not happen twice needs a resource that checks one. Replicas do not
//! count as nodes.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rand::RngExt;
use redis::{Cmd, RedisResult, aio::ConnectionLike};
use tokio::time::timeout;

/// What a node is asked. Sent whole instead of by its hash: a first answer "no such script" would need a second
/// question, and to a node that is slow we have no time to ask twice.
const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";
const EXTEND: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0";

/// How a [`Redlock`] behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// How long one node may take. Much less than a TTL: 5–50 ms for one of 10 s.
    pub node_timeout: Duration,
    /// Share of the TTL by which clocks may drift apart. 2 ms for the coarseness of expiries are added to it.
    pub drift: f64,
    /// Tries before giving up.
    pub tries: u32,
    /// Longest pause between two tries; each lasts a random part of it, so that rivals that split the
    /// nodes among them do not do so again.
    pub pause: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let (node_timeout, pause) = (Duration::from_millis(50), Duration::from_millis(200));
        Self { node_timeout, drift: 0.01, tries: 3, pause }
    }
}

/// A lock over several nodes.
#[derive(Debug, Clone)]
pub struct Redlock<C> {
    nodes: Vec<C>,
    key: String,
    config: Config,
}

/// The right to the lock, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    token: String,
    /// Work must be over by then: TTL, less the time it took to acquire, less the drift.
    pub valid_until: Instant,
    /// Nodes that agreed.
    pub nodes: usize,
}

impl Grant {
    /// What is left of it.
    pub fn validity(&self) -> Duration {
        self.valid_until.saturating_duration_since(Instant::now())
    }
}

impl<C: ConnectionLike + Clone + Send> Redlock<C> {
    /// A lock of that name over connections to independent primaries, an odd number of them. Connections should
    /// reconnect by themselves: a node that comes back is needed again.
    pub fn new(nodes: Vec<C>, key: impl Into<String>, config: Config) -> Self {
        Self { nodes, key: key.into(), config }
    }

    /// Takes the lock for `ttl`, trying as often as configured. `None`: another has it, or too few nodes
    /// answered in time.
    pub async fn acquire(&self, ttl: Duration) -> Option<Grant> {
        for attempt in 0..self.config.tries.max(1) {
            if attempt > 0 {
                let pause = self.config.pause.mul_f64(rand::rng().random_range(0.0..1.0));
                tokio::time::sleep(pause).await;
            }
            if let Some(grant) = self.try_acquire(ttl).await {
                return Some(grant);
            }
        }
        None
    }

    /// One try.
    pub async fn try_acquire(&self, ttl: Duration) -> Option<Grant> {
        let token = format!("{:032x}", rand::random::<u128>());
        let started = Instant::now();
        let mut set = redis::cmd("SET");
        set.arg(&self.key).arg(&token).arg("NX").arg("PX").arg(milliseconds(ttl));
        let nodes = self.on_all(&set, |reply: Option<String>| reply.is_some()).await;
        let grant = Grant { token, valid_until: self.valid_until(started, ttl), nodes };
        if self.holds(&grant) {
            return Some(grant);
        }
        self.release(&grant).await;
        None
    }

    /// A new TTL for a lock that is still held by a majority. `false`: it is lost; stop what it protects.
    pub async fn extend(&self, grant: &mut Grant, ttl: Duration) -> bool {
        let started = Instant::now();
        let command = self.script(EXTEND, grant, &milliseconds(ttl).to_string());
        let nodes = self.on_all(&command, |extended: u8| extended == 1).await;
        let extended = Grant { token: grant.token.clone(), valid_until: self.valid_until(started, ttl), nodes };
        let held = self.holds(&extended);
        if held {
            *grant = extended;
        }
        held
    }

    /// Frees the lock on every node, also on those that never said yes: a `SET` whose answer came too late or
    /// never has been carried out all the same. Says on how many it was still there.
    pub async fn release(&self, grant: &Grant) -> usize {
        let command = self.script(RELEASE, grant, "");
        self.on_all(&command, |deleted: u8| deleted == 1).await
    }

    /// Nodes that must agree.
    pub fn quorum(&self) -> usize {
        self.nodes.len() / 2 + 1
    }

    fn holds(&self, grant: &Grant) -> bool {
        grant.nodes >= self.quorum() && !grant.validity().is_zero()
    }

    fn valid_until(&self, started: Instant, ttl: Duration) -> Instant {
        let drift = ttl.mul_f64(self.config.drift.clamp(0.0, 1.0)) + Duration::from_millis(2);
        started + ttl.saturating_sub(drift)
    }

    fn script(&self, code: &str, grant: &Grant, argument: &str) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(code).arg(1).arg(&self.key).arg(&grant.token).arg(argument);
        command
    }

    /// Asks all nodes at once; counts those that said yes within the node timeout. An error is a no.
    async fn on_all<T: redis::FromRedisValue>(&self, command: &Cmd, yes: impl Fn(T) -> bool) -> usize {
        let asked = self.nodes.iter().map(|node| {
            let mut node = node.clone();
            async move { within(self.config.node_timeout, command.query_async::<T>(&mut node)).await }
        });
        join_all(asked).await.into_iter().flatten().map(yes).filter(|said| *said).count()
    }
}

async fn within<T>(limit: Duration, reply: impl Future<Output = RedisResult<T>>) -> Option<T> {
    timeout(limit, reply).await.ok()?.ok()
}

fn milliseconds(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}
