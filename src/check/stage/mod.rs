//! A stage: concurrent buyers under control, one step at a time.
//!
//! Every command and every call to the warehouse waits until it is released. Between two releases
//! only one actor runs, so whatever comes next is its doing: no header, SDK or thread id is needed to
//! know whose command it is.
//!
//! Owns: actors, held steps, attribution, waiting until all is quiet. Must not know: which order is
//! wanted (`explore`, `property`), what is right or wrong.

mod absorb;
mod record;
mod settle;

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::task::JoinHandle;

pub use record::{Entry, EntryKind, command_text, reply_text};

use super::{
    driver::{self, DriveError, Reply},
    side::{Keys, Touch},
    stand::{Happening, Stand},
};
use crate::{
    origin::http::Call,
    process::ProcessError,
    proxy::{Class, Mode, Order, WireId, classify},
};

/// Which connection of which instance.
pub type ConnectionId = (usize, u32);

/// How long one request may take on a stage, the waiting for locks included.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// Where an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its request was not sent.
    NotStarted,
    /// Its program works.
    Running,
    /// It has a held step.
    Held,
    /// It sleeps, or waits for something we cannot see.
    Parked,
    /// Its command waits inside the server.
    Blocked,
    /// Answered, and nothing of it works any more.
    Done,
}

/// One buyer.
#[derive(Debug)]
pub struct Actor {
    /// Index of the instance it asks.
    pub instance: usize,
    /// What it buys.
    pub item: String,
    /// Where it is.
    pub state: State,
    /// What it was told.
    pub outcome: Option<Result<Reply, DriveError>>,
    /// How many steps it has taken.
    pub steps: usize,
    /// Its last step and the reply, to see that it asks the same again.
    pub last: Option<(String, String)>,
    /// Another actor has changed something this one looks at, since its last step.
    pub stirred: bool,
    task: Option<JoinHandle<()>>,
}

impl Actor {
    /// A buyer that has not begun.
    pub fn at(instance: usize, item: String) -> Self {
        Self {
            instance,
            item,
            state: State::NotStarted,
            outcome: None,
            steps: 0,
            last: None,
            stirred: false,
            task: None,
        }
    }

    /// Status of the answer.
    pub fn status(&self) -> Option<u16> {
        self.outcome.as_ref()?.as_ref().ok().map(|reply| reply.status)
    }
}

/// Something that waits for its release.
#[derive(Debug, Clone)]
pub struct Held {
    /// Whose it is; `None`: nobody's, a background task of the program.
    pub actor: Option<usize>,
    /// What it is.
    pub what: What,
}

/// What waits.
#[derive(Debug, Clone)]
pub enum What {
    /// A command, or a whole transaction.
    Command {
        /// Where.
        connection: ConnectionId,
        /// Its name on the wire.
        id: WireId,
        /// The commands: one, or all of a transaction.
        unit: Vec<Vec<Bytes>>,
    },
    /// The reply of a blocking command.
    Delivery {
        /// Where.
        connection: ConnectionId,
        /// The command's name on the wire.
        id: WireId,
    },
    /// A call to the warehouse.
    Origin {
        /// Its name at the origin.
        id: u64,
        /// What it asks.
        call: Call,
    },
}

impl What {
    /// On which connection it is held; `None` at the origin.
    fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Command { connection, .. } | Self::Delivery { connection, .. } => Some(*connection),
            Self::Origin { .. } => None,
        }
    }
}

impl Held {
    /// What it is called in a recorded order: the same in every run, whatever the item is called.
    pub fn label(&self, item: &str) -> String {
        let text = match &self.what {
            What::Command { unit, .. } => {
                let names: Vec<String> = unit
                    .iter()
                    .map(|argv| {
                        let name = argv.first().map(|n| n.to_ascii_uppercase()).unwrap_or_default();
                        String::from_utf8_lossy(&name).into_owned()
                    })
                    .collect();
                names.join(" ")
            }
            What::Delivery { .. } => "delivery".to_owned(),
            What::Origin { call, .. } => format!("{} {}", call.method, call.path),
        };
        text.replace(item, "ITEM")
    }

    /// A call that changes the warehouse.
    pub fn is_origin_write(&self) -> bool {
        matches!(&self.what, What::Origin { call, .. } if call.method != "GET" && call.method != "HEAD")
    }

    /// A call to the warehouse of any kind.
    pub fn is_origin(&self) -> bool {
        matches!(self.what, What::Origin { .. })
    }
}

/// How far an actor got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The step that was wanted is held.
    Wanted,
    /// It was answered before that.
    Done,
    /// It waits: asks the same again and again, or sleeps, or is blocked.
    Stuck,
}

/// Buyers under control. [`Stage::clear`] must end it, so that the stand is free again.
pub struct Stage<'a> {
    /// Where it happens.
    pub stand: &'a mut Stand,
    /// The buyers.
    pub actors: Vec<Actor>,
    /// What waits, in order of arrival.
    pub held: Vec<Held>,
    /// What has happened, in order.
    pub history: Vec<Entry>,
    /// Keys before the first step.
    pub baseline: Keys,
    begun: Instant,
    /// Released commands without a reply, and whose they are.
    outstanding: HashMap<(usize, WireId), Option<usize>>,
    blocking: HashSet<(usize, WireId)>,
    affinity: HashMap<ConnectionId, usize>,
    transactions: HashMap<ConnectionId, Vec<Vec<Bytes>>>,
    /// Instances that were killed or stopped.
    out: HashSet<usize>,
}

impl<'a> Stage<'a> {
    /// Takes control of a stand; `buyers` are instance and item of each.
    pub async fn open(stand: &'a mut Stand, buyers: &[(usize, String)]) -> redis::RedisResult<Stage<'a>> {
        stand.drain();
        stand.set_mode(Mode::Controlled);
        stand.origin.hold(Some(Arc::new(|_: &Call| true)));
        let baseline = stand.side.keys().await?;
        Ok(Self {
            stand,
            actors: buyers.iter().map(|(instance, item)| Actor::at(*instance, item.clone())).collect(),
            held: Vec::new(),
            history: Vec::new(),
            baseline,
            begun: Instant::now(),
            outstanding: HashMap::new(),
            blocking: HashSet::new(),
            affinity: HashMap::new(),
            transactions: HashMap::new(),
            out: HashSet::new(),
        })
    }

    /// Sends an actor's request and waits until it is held, parked or done.
    pub async fn start(&mut self, actor: usize) {
        let Actor { instance, item, .. } = &self.actors[actor];
        let (address, path) = (self.stand.instances[*instance].address, format!("/buy/{item}"));
        self.record(Some(actor), EntryKind::Request { text: format!("POST {path}") });
        let sender = self.stand.sender.clone();
        let task = tokio::spawn(async move {
            let outcome = driver::request(address, "POST", &path, REQUEST_LIMIT).await;
            let _ = sender.send(Happening::Http { actor, outcome });
        });
        self.actors[actor].task = Some(task);
        self.actors[actor].state = State::Running;
        self.settle().await;
    }

    /// The step of an actor that could be released now: behind another buyer's held command on the same connection
    /// nothing can be.
    pub fn next_of(&self, actor: usize) -> Option<&Held> {
        self.index_of(actor).map(|index| &self.held[index])
    }

    fn index_of(&self, actor: usize) -> Option<usize> {
        let first = |index: usize| match self.held[index].what.connection() {
            Some(connection) => !self.held[..index].iter().any(|before| before.what.connection() == Some(connection)),
            None => true,
        };
        (0..self.held.len()).find(|index| self.held[*index].actor == Some(actor) && first(*index))
    }

    /// Releases the next held step of an actor and waits until all is quiet. False if it has none.
    pub async fn step(&mut self, actor: usize) -> bool {
        let Some(index) = self.index_of(actor) else { return false };
        let held = self.held.remove(index);
        let touched = self.touches(&held).await;
        self.release(held);
        self.actors[actor].steps += 1;
        self.settle().await;
        self.stir(actor, touched.as_deref());
        true
    }

    fn release(&mut self, held: Held) {
        if let Some(actor) = held.actor {
            self.actors[actor].state = State::Running;
            self.actors[actor].stirred = false;
        }
        match held.what {
            What::Command { connection, id, unit } => {
                let blocking = classify(&unit[0]) == Class::Blocking;
                if blocking {
                    self.blocking.insert((connection.0, id));
                }
                self.record(held.actor, EntryKind::Command { connection, id, unit, reply: None });
                if self.stand.instances[connection.0].proxy.order(connection.1, Order::Release(id)) {
                    self.outstanding.insert((connection.0, id), held.actor);
                }
            }
            What::Delivery { connection, id } => {
                self.stand.instances[connection.0].proxy.order(connection.1, Order::Deliver(id));
            }
            What::Origin { id, call } => {
                self.record(held.actor, EntryKind::Origin { id, call, answer: None });
                self.stand.origin.release(id);
            }
        }
    }

    /// What a held step would touch; `None`: nobody knows.
    pub async fn touches(&self, held: &Held) -> Option<Vec<Touch>> {
        match &held.what {
            What::Command { unit, .. } => {
                let mut all = Vec::new();
                for argv in unit {
                    all.extend(self.stand.side.touches(argv).await?);
                }
                Some(all)
            }
            What::Delivery { .. } => None,
            What::Origin { call, .. } => {
                Some(vec![Touch { key: format!("origin {}", call.path).into(), writes: held.is_origin_write() }])
            }
        }
    }

    /// Notes which other actors may see something new after this step.
    fn stir(&mut self, by: usize, touched: Option<&[Touch]>) {
        let writes =
            touched.is_none_or(|all| all.iter().any(|touch| touch.writes && !touch.key.starts_with(b"origin ")));
        if writes {
            for (index, actor) in self.actors.iter_mut().enumerate() {
                actor.stirred |= index != by;
            }
        }
    }

    /// Waits until an actor has a held step or is done. False after `limit`.
    pub async fn await_step(&mut self, actor: usize, limit: Duration) -> bool {
        let begun = Instant::now();
        while self.next_of(actor).is_none() && self.actors[actor].state != State::Done {
            let left = limit.saturating_sub(begun.elapsed());
            let Ok(Some(happening)) = tokio::time::timeout(left, self.stand.events.recv()).await else { break };
            self.absorb(happening);
            self.settle().await;
        }
        self.next_of(actor).is_some()
    }

    /// Lets one actor go on alone until `wanted` is held. `patience` is how long it may sleep before it is called stuck.
    pub async fn advance(&mut self, actor: usize, patience: Duration, wanted: impl Fn(&Held) -> bool) -> Reached {
        if self.actors[actor].state == State::NotStarted {
            self.start(actor).await;
        }
        let (mut heard, mut same) = (Vec::new(), 0);
        loop {
            if self.next_of(actor).is_none() {
                if self.actors[actor].state == State::Done {
                    return Reached::Done;
                }
                if !self.await_step(actor, patience).await {
                    return if self.actors[actor].state == State::Done { Reached::Done } else { Reached::Stuck };
                }
            }
            if self.next_of(actor).is_some_and(&wanted) {
                return Reached::Wanted;
            }
            self.step(actor).await;
            // Asking the same and hearing the same while nobody else moves: it will do so for ever.
            let last = self.actors[actor].last.clone();
            if heard.contains(&last) {
                same += 1;
            } else {
                same = 0;
                heard.push(last);
            }
            if same >= 3 {
                return Reached::Stuck;
            }
        }
    }

    /// The keys that an actor's steps have made or changed since the baseline, as they are now.
    pub async fn changed(&self) -> redis::RedisResult<Keys> {
        let mut keys = self.stand.side.keys().await?;
        keys.retain(|name, state| self.baseline.get(name).is_none_or(|old| old.content != state.content));
        Ok(keys)
    }

    /// LOCK_TTL elapses now: each new key that would expire within `within` does so. Gives their names.
    pub async fn expire(&mut self, within: Duration) -> redis::RedisResult<Vec<Vec<u8>>> {
        let due = |ttl: Option<i64>| ttl.is_some_and(|ttl| u128::from(ttl.unsigned_abs()) <= within.as_millis());
        let names: Vec<_> =
            self.changed().await?.into_iter().filter(|(_, s)| due(s.ttl)).map(|(name, _)| name).collect();
        let gone = self.stand.side.expire(&names).await?;
        if !gone.is_empty() {
            self.record(None, EntryKind::Expire { keys: gone.clone() });
            self.actors.iter_mut().for_each(|actor| actor.stirred = true);
        }
        Ok(gone)
    }

    /// SIGKILL for some instances.
    pub async fn kill(&mut self, instances: Range<usize>) {
        let names: Vec<String> = instances.clone().map(|index| (index + 1).to_string()).collect();
        self.record(None, EntryKind::Fault { text: format!("SIGKILL: instance {} dies", names.join(" and ")) });
        for index in instances {
            self.out.insert(index);
            self.stand.instances[index].group.kill();
            let _ = tokio::time::timeout(Duration::from_secs(2), self.stand.instances[index].group.wait()).await;
        }
    }

    /// SIGSTOP for an instance; returns when it is seen to be stopped.
    pub async fn pause(&mut self, instance: usize) -> Result<(), ProcessError> {
        self.stand.instances[instance].group.pause().await?;
        self.out.insert(instance);
        self.record(None, EntryKind::Fault { text: format!("SIGSTOP: instance {} is paused", instance + 1) });
        Ok(())
    }

    /// SIGCONT.
    pub async fn resume(&mut self, instance: usize) {
        self.stand.instances[instance].group.resume();
        self.out.remove(&instance);
        self.record(None, EntryKind::Fault { text: format!("SIGCONT: instance {} goes on", instance + 1) });
        self.settle().await;
    }

    /// Releases the held step of an actor without waiting for anything.
    pub fn release_only(&mut self, actor: usize) {
        if let Some(index) = self.index_of(actor) {
            let held = self.held.remove(index);
            self.release(held);
        }
    }

    /// Notes something in the history.
    pub fn note_fault(&mut self, text: String) {
        self.record(None, EntryKind::Fault { text });
    }

    /// Lets everything go and waits until every request is answered, so that the next stage finds a quiet stand.
    pub async fn clear(mut self, limit: Duration) {
        self.stand.origin.hold(None);
        self.stand.set_mode(Mode::Pass);
        let begun = Instant::now();
        while self.actors.iter().any(|a| a.task.is_some() && a.outcome.is_none()) {
            let left = limit.saturating_sub(begun.elapsed());
            match tokio::time::timeout(left, self.stand.events.recv()).await {
                Ok(Some(Happening::Http { actor, outcome })) => self.actors[actor].outcome = Some(outcome),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        for actor in &self.actors {
            if let Some(task) = &actor.task {
                task.abort();
            }
        }
        // Work after the answer (an unlock) must not meet the next stage.
        self.stand.drain();
        settle::quiet(self.stand, Duration::from_millis(200)).await;
        self.stand.drain();
    }
}
