//! The traffic of a lock lab: clients that add to one stock, each in a read, some work and a write, under
//! one of six locks; some are stopped half-way, some die.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    cache::milliseconds,
    count::{Count, Counters},
    freeze::{Freezable, Freezer},
    link::Link,
    traffic::{Gate, SharedRequests},
};
use crate::{
    clock::Timer,
    course::lab::{LockKind, SectionSpec},
    origin::{StockError, Warehouse},
    pattern::lock::{ExpiringLock, Fenced, FencedLock, Held, Lease, NaiveLock, TokenLock},
    stats::Recorder,
};

/// What a running lock lab can be told.
#[derive(Debug)]
pub(super) enum Strike {
    /// The holder, or the next one, stops for so long.
    Pause(Duration),
    /// The holder, or the next one, dies.
    Kill,
    /// A client reached the middle of its section and is to die there.
    Die(usize),
}

/// Settings that a knob can turn, in microseconds or plain.
#[derive(Debug)]
pub(super) struct LockSettings {
    pub ttl: AtomicU64,
    pub work: AtomicU64,
    pub pause_one_in: AtomicU64,
    pub clients: AtomicU64,
}

/// One variant's clients and their stock.
pub(super) struct LockTraffic {
    pub warehouse: Arc<Warehouse>,
    pub counters: Arc<Counters>,
    pub settings: LockSettings,
    kind: LockKind,
    section: SectionSpec,
    prefix: String,
    timer: Timer,
    registry: Mutex<Registry>,
    strikes: mpsc::UnboundedSender<Strike>,
}

/// Who is where, as an onlooker sees it who sees everything.
#[derive(Debug, Default)]
struct Registry {
    /// Sections begun and not ended: client and resource.
    open: Vec<(usize, u64)>,
    /// The last to take each lock.
    owner: HashMap<u64, usize>,
    sections: u64,
    next_pause: Option<Duration>,
    next_dies: bool,
    waiting: u64,
    waiting_since: Option<Instant>,
    last_acquired: Option<Instant>,
    longest_block: Duration,
    killed: bool,
    after_kill: u64,
}

impl Registry {
    fn waits(&mut self) {
        self.waiting += 1;
        self.waiting_since.get_or_insert_with(Instant::now);
    }

    fn waits_no_more(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiting == 0 {
            self.waiting_since = None;
        }
    }

    fn block_ends(&mut self, now: Instant) {
        if let Some(since) = self.waiting_since {
            let since = self.last_acquired.map_or(since, |last| last.max(since));
            self.longest_block = self.longest_block.max(now.saturating_duration_since(since));
        }
    }

    fn acquired(&mut self, client: usize, resource: u64) {
        let now = Instant::now();
        self.block_ends(now);
        self.last_acquired = Some(now);
        self.owner.insert(resource, client);
        self.after_kill += u64::from(self.killed);
    }
}

/// What befalls one critical section.
struct Plan {
    work: Duration,
    pause: Option<Duration>,
    dies: bool,
}

impl LockTraffic {
    /// Without clients yet. Strikes sent to `strikes` are to be read by [`supervise`].
    pub fn new(
        (kind, section): (LockKind, &SectionSpec),
        warehouse: Arc<Warehouse>,
        prefix: &str,
        timer: Timer,
        clients: u32,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Strike>) {
        let (strikes, receiver) = mpsc::unbounded_channel();
        let micros = |ms: f64| AtomicU64::new((ms * 1000.0) as u64);
        let settings = LockSettings {
            ttl: micros(section.ttl),
            work: micros(section.work),
            pause_one_in: AtomicU64::new(u64::from(section.pause_one_in)),
            clients: AtomicU64::new(u64::from(clients)),
        };
        let traffic = Self {
            warehouse,
            counters: Arc::default(),
            settings,
            kind,
            section: section.clone(),
            prefix: prefix.to_owned(),
            timer,
            registry: Mutex::default(),
            strikes,
        };
        (Arc::new(traffic), receiver)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // Plain values: never half-changed.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ttl(&self) -> Duration {
        Duration::from_micros(self.settings.ttl.load(Ordering::Relaxed))
    }

    /// Stops or kills the holder.
    pub fn strike(&self, strike: Strike) {
        // The supervisor lives as long as the variant.
        let _ = self.strikes.send(strike);
    }

    /// The name of a resource at the warehouse.
    pub fn resource(id: u64) -> String {
        format!("stock:{id}")
    }

    fn key(&self, id: u64) -> String {
        format!("{}lock:{id}", self.prefix)
    }

    /// Every key this variant may have written, for ids `1..=count`.
    pub fn keys(&self, count: u64) -> impl Iterator<Item = String> + '_ {
        (1..=count).flat_map(|id| [self.key(id), format!("{}:fence", self.key(id))])
    }

    /// Metrics of the whole run that are no counters.
    pub fn totals(&self, count: u64) -> Vec<(String, f64)> {
        let mut registry = self.registry();
        registry.block_ends(Instant::now());
        let statistics = self.warehouse.statistics();
        let value: u64 = (1..=count).filter_map(|id| self.warehouse.peek(&Self::resource(id))).map(|s| s.left).sum();
        let mut totals = vec![
            ("updates".to_owned(), statistics.writes as f64),
            ("lost_updates".to_owned(), statistics.writes.saturating_sub(value) as f64),
            ("longest_block".to_owned(), registry.longest_block.as_secs_f64() * 1000.0),
        ];
        if registry.killed {
            totals.push(("acquisitions_after_kill".to_owned(), registry.after_kill as f64));
        }
        totals
    }

    /// Decides what befalls the section that begins, and counts an overlap.
    fn enter(self: &Arc<Self>, client: usize, resource: u64) -> (Inside, Plan) {
        let mut registry = self.registry();
        if registry.open.iter().any(|(_, open)| *open == resource) {
            self.counters.one(Count::Overlaps);
        }
        registry.open.push((client, resource));
        registry.sections += 1;
        let one_in = |n: u64| n > 0 && registry.sections.is_multiple_of(n);
        let pause =
            one_in(self.settings.pause_one_in.load(Ordering::Relaxed)).then(|| milliseconds(self.section.pause));
        let slow = one_in(u64::from(self.section.slow_one_in)) && pause.is_none();
        let work = match slow {
            true => milliseconds(self.section.slow),
            false => Duration::from_micros(self.settings.work.load(Ordering::Relaxed)),
        };
        let pause = registry.next_pause.take().or(pause);
        let dies = std::mem::take(&mut registry.next_dies);
        (Inside { traffic: Arc::clone(self), client, resource }, Plan { work, pause, dies })
    }
}

/// A section is open as long as this lives, also when its client dies.
struct Inside {
    traffic: Arc<LockTraffic>,
    client: usize,
    resource: u64,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut registry = self.traffic.registry();
        let place = registry.open.iter().position(|open| *open == (self.client, self.resource));
        if let Some(place) = place {
            registry.open.swap_remove(place);
        }
    }
}

/// Counts as waiting as long as this lives.
struct Waiting(Arc<LockTraffic>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.registry().waits_no_more();
    }
}

/// What one client is made of.
#[derive(Clone)]
pub(super) struct ClientParts {
    pub link: Link,
    pub requests: SharedRequests,
    pub gate: Gate,
    pub response: Recorder,
    pub service: Recorder,
    pub wait: Recorder,
}

/// Starts the clients, lands strikes, and puts a new client in the place of a dead one. Runs until dropped.
pub(super) async fn supervise(
    traffic: Arc<LockTraffic>,
    parts: Vec<ClientParts>,
    mut strikes: mpsc::UnboundedReceiver<Strike>,
) {
    let mut next_id = parts.len();
    let start = |id: usize, place: usize| {
        let freezer = Freezer::default();
        let client = Client::new(Arc::clone(&traffic), (id, place), parts[place].clone(), freezer.clone());
        let task = Freezable::new(client.live(), freezer.clone(), traffic.timer.clone());
        Running { id, place, abort: tokio::spawn(task).abort_handle(), freezer }
    };
    let mut running: Vec<Running> = (0..parts.len()).map(|place| start(place, place)).collect();
    while let Some(strike) = strikes.recv().await {
        let holder = traffic.registry().open.last().map(|(client, _)| *client);
        let holder = running.iter().position(|client| Some(client.id) == holder);
        let dies = match (strike, holder) {
            (Strike::Pause(duration), Some(holder)) => {
                running[holder].freezer.freeze(duration);
                traffic.counters.one(Count::Pauses);
                None
            }
            (Strike::Pause(duration), None) => {
                traffic.registry().next_pause = Some(duration);
                None
            }
            (Strike::Kill, Some(holder)) => Some(holder),
            (Strike::Kill, None) => {
                traffic.registry().next_dies = true;
                None
            }
            (Strike::Die(id), _) => running.iter().position(|client| client.id == id),
        };
        if let Some(dead) = dies {
            running[dead].abort.abort();
            traffic.counters.one(Count::Kills);
            traffic.registry().killed = true;
            running[dead] = start(next_id, running[dead].place);
            next_id += 1;
        }
    }
}

struct Running {
    id: usize,
    place: usize,
    abort: AbortHandle,
    freezer: Freezer,
}

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

struct Client {
    traffic: Arc<LockTraffic>,
    id: usize,
    /// Which of the clients it is, also after its predecessor died.
    place: usize,
    parts: ClientParts,
    freezer: Freezer,
    rng: SmallRng,
}

impl Client {
    fn new(traffic: Arc<LockTraffic>, (id, place): (usize, usize), parts: ClientParts, freezer: Freezer) -> Self {
        Self { traffic, id, place, parts, freezer, rng: SmallRng::seed_from_u64(id as u64) }
    }

    async fn live(mut self) {
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
        let taken = self.acquire(&mut lock, resource).await?;
        self.parts.wait.record(begun.elapsed());
        let inside = Instant::now();
        let ttl = self.traffic.ttl();
        let token = match &taken {
            Taken::Fenced(fenced) => Some(fenced.fencing_token),
            Taken::Plain | Taken::Lease(_) => None,
        };
        lock.hold(&taken, ttl, &self.traffic.timer, self.section(resource, token)).await;
        self.parts.service.record(inside.elapsed());
        // Asked before the release is sent: afterwards the next holder may rightly be in.
        let owner = self.traffic.registry().owner.get(&resource).copied();
        if lock.release(&taken).await? && owner != Some(self.id) {
            self.traffic.counters.one(Count::ForeignReleases);
        }
        Ok(())
    }

    /// Tries, with a pause and some randomness between two tries, until it has the lock.
    async fn acquire(&mut self, lock: &mut Lock, resource: u64) -> redis::RedisResult<Taken> {
        self.traffic.registry().waits();
        let _waiting = Waiting(Arc::clone(&self.traffic));
        loop {
            let ttl = self.traffic.ttl();
            if let Some(taken) = lock.try_acquire(ttl).await? {
                self.traffic.counters.one(Count::Acquisitions);
                self.traffic.registry().acquired(self.id, resource);
                return Ok(taken);
            }
            let pause = self.traffic.section.retry * (1.0 + self.rng.random::<f64>());
            self.traffic.timer.sleep(milliseconds(pause)).await;
        }
    }

    /// The critical section. A refusal of the warehouse ends it: another holds the lock by now.
    async fn section(&self, resource: u64, token: Option<u64>) {
        let (_inside, plan) = self.traffic.enter(self.id, resource);
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
