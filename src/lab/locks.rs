//! The traffic of a lock lab: clients that add to one stock, each in a read, some work and a write, under
//! one of six locks; some are stopped half-way, some die.

mod client;
mod supervisor;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

pub(super) use client::ClientParts;
pub(super) use supervisor::supervise;

use super::{
    cache::milliseconds,
    count::{Count, Counters},
};
use crate::{
    clock::Timer,
    course::lab::{LockKind, SectionSpec},
    origin::Warehouse,
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
    /// Sections begun and not ended.
    open: Vec<Open>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    client: usize,
    resource: u64,
    /// Until when its lock is there in any case: one TTL after it was *asked* for.
    leased_until: Instant,
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
    fn enter(self: &Arc<Self>, client: usize, resource: u64, leased_until: Instant) -> (Inside, Plan) {
        let mut registry = self.registry();
        let others = || registry.open.iter().filter(|open| open.resource == resource);
        let now = Instant::now();
        if others().next().is_some() {
            self.counters.one(Count::Overlaps);
        }
        if others().any(|open| open.leased_until > now) {
            self.counters.one(Count::EarlyOverlaps);
        }
        registry.open.push(Open { client, resource, leased_until });
        registry.sections += 1;
        // A third and two thirds into each n, so that a section is not both paused and slow, and short runs see both.
        let nth = |n: u64, thirds: u64| n > 0 && registry.sections % n == n * thirds / 3;
        let pause_one_in = self.settings.pause_one_in.load(Ordering::Relaxed);
        let pause = nth(pause_one_in, 1).then(|| milliseconds(self.section.pause));
        let slow = nth(u64::from(self.section.slow_one_in), 2) && pause.is_none();
        let usual = || Duration::from_micros(self.settings.work.load(Ordering::Relaxed));
        let work = if slow { milliseconds(self.section.slow) } else { usual() };
        let pause = registry.next_pause.take().or(pause);
        let dies = std::mem::take(&mut registry.next_dies);
        (Inside { traffic: Arc::clone(self), client, resource, slow }, Plan { work, pause, dies })
    }
}

/// A section is open as long as this lives, also when its client dies.
struct Inside {
    traffic: Arc<LockTraffic>,
    client: usize,
    resource: u64,
    slow: bool,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut registry = self.traffic.registry();
        let mine = |open: &Open| (open.client, open.resource) == (self.client, self.resource);
        let place = registry.open.iter().position(mine);
        if let Some(place) = place {
            registry.open.swap_remove(place);
        }
        if self.slow && registry.owner.get(&self.resource) != Some(&self.client) {
            self.traffic.counters.one(Count::SlowLosses);
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
