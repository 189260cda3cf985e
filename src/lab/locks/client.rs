//! One client: takes the lock, reads, works, writes, gives the lock back, and again.

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{LockTraffic, Strike, Waiting};
use crate::{
    clock::Timer,
    course::lab::LockKind,
    lab::{
        cache::milliseconds,
        count::Count,
        freeze::Freezer,
        link::Link,
        traffic::{Gate, SharedRequests},
    },
    origin::StockError,
    pattern::lock::{ExpiringLock, Fenced, FencedLock, Held, Lease, NaiveLock, TokenLock},
    stats::Recorder,
};

/// What one client is made of.
#[derive(Clone)]
pub(in crate::lab) struct ClientParts {
    pub link: Link,
    pub requests: SharedRequests,
    pub gate: Gate,
    pub response: Recorder,
    pub service: Recorder,
    pub wait: Recorder,
}

/// Redis counts a TTL in whole milliseconds of a cached clock: a key may be gone so much early.
const CLOCK_STEP: Duration = Duration::from_millis(2);

/// One of the six locks, on one client's connection.
enum Lock {
    None,
    Naive(NaiveLock<Link>),
    Expiring(ExpiringLock<Link>),
    Token(TokenLock<Link>),
    Renewed(TokenLock<Link>),
    Fenced(FencedLock<Link>),
}

/// What taking it gave.
enum Taken {
    Plain,
    Lease(Lease),
    Fenced(Fenced),
}

impl Lock {
    fn new(kind: LockKind, link: Link, key: String) -> Self {
        match kind {
            LockKind::None => Self::None,
            LockKind::Setnx => Self::Naive(NaiveLock::new(link, key)),
            LockKind::NxPxDel => Self::Expiring(ExpiringLock::new(link, key)),
            LockKind::TokenRelease => Self::Token(TokenLock::new(link, key)),
            LockKind::Renewal => Self::Renewed(TokenLock::new(link, key)),
            LockKind::Fencing => Self::Fenced(FencedLock::new(link, key)),
        }
    }

    async fn try_acquire(&mut self, ttl: Duration) -> redis::RedisResult<Option<Taken>> {
        Ok(match self {
            Self::None => Some(Taken::Plain),
            Self::Naive(lock) => lock.try_acquire().await?.then_some(Taken::Plain),
            Self::Expiring(lock) => lock.try_acquire(ttl).await?.then_some(Taken::Plain),
            Self::Token(lock) | Self::Renewed(lock) => lock.try_acquire(ttl).await?.map(Taken::Lease),
            Self::Fenced(lock) => lock.try_acquire(ttl).await?.map(Taken::Fenced),
        })
    }

    /// Says whether a lock was removed.
    async fn release(&mut self, taken: &Taken) -> redis::RedisResult<bool> {
        match (self, taken) {
            (Self::Naive(lock), _) => lock.release().await,
            (Self::Expiring(lock), _) => lock.release().await,
            (Self::Token(lock) | Self::Renewed(lock), Taken::Lease(lease)) => lock.release(lease).await,
            (Self::Fenced(lock), Taken::Fenced(fenced)) => lock.release(fenced).await,
            _ => Ok(false),
        }
    }

    /// Does the work, renewing where this lock renews.
    async fn hold<T>(&self, taken: &Taken, ttl: Duration, timer: &Timer, work: impl Future<Output = T>) -> Held<T> {
        match (self, taken) {
            (Self::Renewed(lock), Taken::Lease(lease)) => lock.hold(lease, ttl, timer, work).await,
            (Self::Fenced(lock), Taken::Fenced(fenced)) => lock.hold(fenced, ttl, timer, work).await,
            _ => Held::Done(work.await),
        }
    }
}

pub(super) struct Client {
    traffic: Arc<LockTraffic>,
    id: usize,
    /// Which of the clients it is, also after its predecessor died.
    place: usize,
    parts: ClientParts,
    freezer: Freezer,
    rng: SmallRng,
}

impl Client {
    pub fn new(traffic: Arc<LockTraffic>, (id, place): (usize, usize), parts: ClientParts, freezer: Freezer) -> Self {
        Self { traffic, id, place, parts, freezer, rng: SmallRng::seed_from_u64(id as u64) }
    }

    pub async fn live(mut self) {
        loop {
            self.parts.gate.open().await;
            if self.place as u64 >= self.traffic.settings.clients.load(Ordering::Relaxed) {
                self.traffic.timer.sleep(Duration::from_millis(20)).await;
                continue;
            }
            let begun = Instant::now();
            if self.turn(begun).await.is_err() {
                self.traffic.counters.one(Count::RedisErrors);
                self.traffic.counters.one(Count::Errors);
                self.traffic.timer.sleep(Duration::from_millis(10)).await;
            }
            self.parts.response.record(begun.elapsed());
            self.traffic.counters.one(Count::Operations);
        }
    }

    /// Lock, read, work, write, unlock.
    async fn turn(&mut self, begun: Instant) -> redis::RedisResult<()> {
        let resource = self.parts.requests.next_request().id;
        let key = self.traffic.key(resource);
        let mut lock = Lock::new(self.traffic.kind, self.parts.link.clone(), key);
        let (taken, asked) = self.acquire(&mut lock, resource).await?;
        self.parts.wait.record(begun.elapsed());
        let inside = Instant::now();
        let ttl = self.traffic.ttl();
        let fence = match &taken {
            Taken::Fenced(fenced) => Some(fenced.fencing_token),
            Taken::Plain | Taken::Lease(_) => None,
        };
        lock.hold(
            &taken,
            ttl,
            &self.traffic.timer,
            self.section(resource, fence, asked + ttl.saturating_sub(CLOCK_STEP)),
        )
        .await;
        self.parts.service.record(inside.elapsed());
        // Asked before the release is sent: afterwards the next holder may rightly be in.
        let owner = self.traffic.registry().owner.get(&resource).copied();
        if lock.release(&taken).await? && owner != Some(self.id) {
            self.traffic.counters.one(Count::ForeignReleases);
        }
        Ok(())
    }

    /// Tries, with a pause and some randomness between two tries, until it has the lock; says when the last
    /// try was sent.
    async fn acquire(&mut self, lock: &mut Lock, resource: u64) -> redis::RedisResult<(Taken, Instant)> {
        self.traffic.registry().waits();
        let _waiting = Waiting(Arc::clone(&self.traffic));
        loop {
            let (ttl, asked) = (self.traffic.ttl(), Instant::now());
            if let Some(taken) = lock.try_acquire(ttl).await? {
                self.traffic.counters.one(Count::Acquisitions);
                self.traffic.registry().acquired(self.id, resource);
                return Ok((taken, asked));
            }
            let pause = self.traffic.section.retry * (1.0 + self.rng.random::<f64>());
            self.traffic.timer.sleep(milliseconds(pause)).await;
        }
    }

    /// The critical section. A refusal of the warehouse ends it: another holds the lock by now.
    async fn section(&self, resource: u64, token: Option<u64>, leased_until: Instant) {
        let (_inside, plan) = self.traffic.enter(self.id, resource, leased_until);
        let name = LockTraffic::resource(resource);
        let warehouse = &self.traffic.warehouse;
        let Ok(stock) = warehouse.read(&name, token).await else { return };
        self.traffic.timer.sleep(plan.work).await;
        if plan.dies {
            self.traffic.strike(Strike::Die(self.id));
            std::future::pending::<()>().await;
        }
        if let Some(pause) = plan.pause {
            self.traffic.counters.one(Count::Pauses);
            self.freezer.freeze_here(pause).await;
        }
        let written: Result<(), StockError> = warehouse.write(&name, stock.left + 1, token, stock.version).await;
        // Refused: counted by the warehouse.
        drop(written);
    }
}
