//! One variant, from connecting to its totals.

use std::{
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, watch};

use super::{
    LabCommand, LabEvent, Sample,
    beside::Beside,
    count::{Count, Reading},
    link::Link,
    measure::Measure,
    runner::Stage,
    schedule::{Due, Schedule},
    setup::{Traffic, set_up},
    timeline::Timeline,
    traffic::Gate,
};
use crate::course::lab::Load;

/// How a variant ended.
pub(super) enum Ending {
    /// It ran its time: its totals.
    Complete(Vec<(String, f64)>),
    /// The learner went on to the next.
    Skipped,
    /// The run is to end.
    Stopped,
    /// It could not go on.
    Failed(String),
}

/// A variant while it runs.
pub(super) struct Running<'a> {
    pub(super) stage: &'a mut Stage,
    index: usize,
    pub(super) traffic: Traffic,
    pub(super) measure: Measure,
    beside: Beside,
    /// For clearing up, and never cut.
    link: Link,
    /// The workers' connections.
    links: Vec<Link>,
    pub(super) cut: Arc<AtomicBool>,
    gate: watch::Sender<bool>,
    pub(super) timeline: Timeline,
    pub(super) schedule: Schedule,
    accounted: Duration,
    pub(super) surge: f64,
    pub(super) measuring: bool,
    pub(super) struck: bool,
}

/// How long the last requests may take. Nothing is told that needs all of them if some are still missing then.
const PATIENCE: Duration = Duration::from_secs(4);
const WINDOW: Duration = Duration::from_millis(100);

/// Runs one variant. Must be the only thing on its runtime: what is still in flight at the end dies with it.
pub(super) async fn run(stage: &mut Stage, index: usize, commands: &mut mpsc::Receiver<LabCommand>) -> Ending {
    let mut running = match Running::start(stage, index).await {
        Ok(running) => running,
        Err(error) => return Ending::Failed(format!("the lab can't reach its server: {error}")),
    };
    let ending = running.drive(commands).await;
    running.finish(ending).await
}

impl<'a> Running<'a> {
    async fn start(stage: &'a mut Stage, index: usize) -> redis::RedisResult<Self> {
        let variant = stage.experiment.variants[index].clone();
        let mut measure = Measure::new(stage.experiment.faults.iter().map(|fault| fault.name.get_ref().as_str()));
        let cut = Arc::new(AtomicBool::new(false));
        let uncut = Arc::new(AtomicBool::new(false));
        let mut link = Link::open(&stage.endpoint, Arc::clone(&uncut)).await?;
        let (gate, shut) = watch::channel(true);
        let (traffic, links) = set_up(stage, &variant, &cut, Gate(shut), &mut measure).await?;
        if let (Traffic::Cache { traffic, .. }, true) = (&traffic, stage.experiment.workload.prefill) {
            traffic.prefill(&mut link, &stage.keys(), stage.reads()).await?;
        }
        let mut beside = Beside::new(Link::open(&stage.endpoint, uncut).await?);
        beside.begin().await;
        let schedule = Schedule::new(&stage.experiment, variant.name.get_ref(), stage.duration);
        let mut running = Self {
            stage,
            index,
            traffic,
            measure,
            beside,
            link,
            links,
            cut,
            gate,
            timeline: Timeline::start(),
            schedule,
            accounted: Duration::ZERO,
            surge: 1.0,
            measuring: false,
            struck: false,
        };
        for (setting, value) in running.stage.knobs.clone().all() {
            running.turn(setting, value);
        }
        Ok(running)
    }

    /// Lets the traffic in, and takes samples, lands faults and obeys commands until the time is up.
    async fn drive(&mut self, commands: &mut mpsc::Receiver<LabCommand>) -> Ending {
        self.timeline = Timeline::start();
        self.open_gate(true);
        if self.stage.paused {
            self.pause();
        }
        let mut next_sample = WINDOW;
        loop {
            let duration = self.stage.duration;
            let warmup = self.stage.warmup;
            let over = self.timeline.now() >= duration;
            let end = if over { next_sample } else { duration };
            let mut next = next_sample.min(end).min(self.schedule.next_at().unwrap_or(end));
            if !self.measuring {
                next = next.min(warmup);
            }
            let paused = self.timeline.is_paused();
            let wait = self.stage.timer.sleep_until(self.timeline.instant(next));
            tokio::select! {
                biased;
                command = commands.recv() => match self.obey(command).await {
                    Some(ending) => return ending,
                    None => continue,
                },
                () = wait, if !paused => {}
            }
            let now = self.timeline.now();
            if !self.measuring && now >= warmup {
                self.account();
                self.measuring = true;
                self.measure.phase("", true);
                self.measure.phase("before", true);
            }
            while let Some(due) = self.schedule.take(now) {
                self.happen(due).await;
            }
            if now >= next_sample || now >= duration {
                next_sample += WINDOW;
                self.sample().await;
                if self.stage.gone() {
                    return Ending::Stopped;
                }
            }
            // A fault that came late, by key or for a stall of this machine, still lasts its time.
            if now >= duration && self.schedule.open().is_empty() {
                return Ending::Complete(Vec::new());
            }
        }
    }

    async fn obey(&mut self, command: Option<LabCommand>) -> Option<Ending> {
        match command {
            None | Some(LabCommand::Stop) => return Some(Ending::Stopped),
            Some(LabCommand::Next) => return Some(Ending::Skipped),
            Some(LabCommand::Pause) => self.pause(),
            Some(LabCommand::Resume) => self.resume(),
            Some(LabCommand::Fault(name)) => {
                let faults = &self.stage.experiment.faults;
                if let Some(fault) = faults.iter().position(|fault| *fault.name.get_ref() == name) {
                    self.happen(Due { at: self.timeline.now(), fault, begins: true }).await;
                }
            }
            Some(LabCommand::Knob { name, index }) => {
                let turned = self.stage.knobs.turn(&self.stage.experiment, &name, index);
                if let Some((setting, value)) = turned {
                    self.turn(setting, value);
                    self.mark(format!("{name} = {value}")).await;
                }
            }
        }
        None
    }

    fn open_gate(&mut self, open: bool) {
        self.gate.send_replace(!open);
        if let Traffic::Cache { pacer: Some(pacer), .. } = &self.traffic {
            if open { pacer.resume() } else { pacer.pause() }
        }
    }

    fn pause(&mut self) {
        self.stage.paused = true;
        self.timeline.pause();
        self.open_gate(false);
    }

    fn resume(&mut self) {
        self.stage.paused = false;
        self.timeline.resume();
        self.open_gate(true);
    }

    /// Moves what was recorded since the last time into the phases that are open.
    pub(super) fn account(&mut self) {
        let now = self.timeline.now();
        let seconds = (now.min(self.stage.duration)).saturating_sub(self.accounted.min(self.stage.duration));
        self.accounted = now;
        let (reading, peak) = self.read();
        self.measure.account(reading, peak, seconds.as_secs_f64());
    }

    fn read(&self) -> (Reading, u64) {
        match &self.traffic {
            Traffic::Cache { traffic, .. } => {
                let mut reading = traffic.counters.read();
                let origin = traffic.origin.statistics();
                reading.set(Count::OriginCalls, origin.calls);
                reading.set(Count::OriginFailures, origin.failures);
                reading.set(Count::AbsentCalls, origin.absent);
                (reading, traffic.origin.take_peak())
            }
            Traffic::Lock { traffic, .. } => {
                let mut reading = traffic.counters.read();
                let warehouse = traffic.warehouse.statistics();
                reading.set(Count::OriginCalls, warehouse.calls);
                reading.set(Count::StaleWrites, warehouse.stale_writes);
                reading.set(Count::RejectedWrites, warehouse.rejected);
                (reading, traffic.warehouse.take_peak())
            }
        }
    }

    async fn sample(&mut self) {
        self.account();
        let server = self.beside.window().await;
        let window = self.measure.take_window();
        let of = |count: Count| window.counts.of(count);
        let lanes = &self.stage.experiment.lanes;
        let sample = Sample {
            variant: self.stage.position(self.index),
            at: self.timeline.now().min(self.stage.duration),
            warmup: !self.measuring,
            operations: of(Count::Operations),
            hits: of(Count::Hits),
            misses: of(Count::Misses),
            stale: of(Count::Stale),
            errors: of(Count::Errors),
            origin_calls: of(Count::OriginCalls),
            origin_peak: window.origin_peak,
            late: of(Count::Late),
            latency: self.measure.latency(&window),
            extra: lanes.iter().map(|lane| self.measure.lane(&window, lane.get_ref())).collect(),
            server,
        };
        self.stage.tell(LabEvent::Sample(sample)).await;
    }

    pub(super) async fn mark(&mut self, label: String) {
        let mark = LabEvent::Mark { at: self.timeline.now(), variant: self.stage.position(self.index), label };
        self.stage.tell(mark).await;
    }

    pub(super) async fn remove_keys(&mut self) -> redis::RedisResult<()> {
        let count = self.stage.experiment.workload.keys;
        let keys: Vec<String> = match &self.traffic {
            Traffic::Cache { traffic, .. } => traffic.keys(count).collect(),
            Traffic::Lock { traffic, .. } => traffic.keys(count).collect(),
        };
        for batch in keys.chunks(500) {
            redis::cmd("UNLINK").arg(batch).query_async::<()>(&mut self.link).await?;
        }
        Ok(())
    }

    /// Ends what faults began, lets what is in flight arrive, adds up, and removes every key.
    async fn finish(mut self, mut ending: Ending) -> Ending {
        let mut dropped = 0;
        if let Traffic::Cache { pacer, .. } = &mut self.traffic {
            dropped = pacer.take().map_or(0, |pacer| pacer.dropped());
        }
        self.gate.send_replace(true);
        if matches!(ending, Ending::Complete(_)) {
            self.drain().await;
        }
        self.account();
        for fault in self.schedule.open() {
            let action = self.stage.experiment.faults[fault].action;
            if let Err(text) = self.apply(action, false).await {
                self.stage.tell(LabEvent::Warning { text }).await;
            }
        }
        self.beside.end().await;
        if let Ending::Complete(totals) = &mut ending {
            *totals = self.totals(dropped);
            for text in self.doubts(totals) {
                self.stage.tell(LabEvent::Warning { text }).await;
            }
        }
        self.hush().await;
        let mut removed = self.remove_keys().await;
        if removed.is_err() {
            // The connection may have been cut a moment ago: once more on its successor.
            removed = self.remove_keys().await;
        }
        if let Err(error) = removed {
            let text = format!("the lab's own keys could not be removed (they expire by themselves): {error}");
            self.stage.tell(LabEvent::Warning { text }).await;
        }
        ending
    }

    /// Nobody writes a key any more: what was sent has been answered, what comes is refused.
    async fn hush(&self) {
        self.cut.store(true, Ordering::Relaxed);
        for link in &self.links {
            let mut link = link.uncut();
            let ping = redis::cmd("PING");
            let answered = ping.query_async::<()>(&mut link);
            // No answer: then it is dead, and nothing comes from it either.
            let _ = tokio::time::timeout(Duration::from_millis(500), answered).await;
        }
    }

    /// Waits, for a while, until everything is sent and nothing is in flight.
    async fn drain(&mut self) {
        let Traffic::Cache { traffic, dispatcher, .. } = &mut self.traffic else { return };
        let end = Instant::now() + PATIENCE;
        if let Some(dispatcher) = dispatcher.take() {
            // The pacer is gone: it ends with the last batch.
            let _ = tokio::time::timeout_at(end.into(), dispatcher).await;
        }
        while traffic.in_flight.load(Ordering::Relaxed) > 0 && Instant::now() < end {
            self.stage.timer.sleep(Duration::from_millis(1)).await;
        }
    }

    fn totals(&self, dropped: u64) -> Vec<(String, f64)> {
        let experiment = &self.stage.experiment;
        let mut totals = self.measure.totals(matches!(self.traffic, Traffic::Lock { .. }));
        let mut add = |name: &str, value: f64| totals.push((name.to_owned(), value));
        match &self.traffic {
            Traffic::Cache { traffic, .. } => {
                let all = traffic.counters.read();
                add("dropped", dropped as f64);
                let unfinished = traffic.in_flight.load(Ordering::Relaxed);
                add("unfinished", unfinished as f64);
                if unfinished == 0 {
                    add("run.hits", all.of(Count::Hits) as f64);
                    add("run.misses", all.of(Count::Misses) as f64);
                    add("server.hits", self.beside.hits as f64);
                    add("server.misses", self.beside.misses as f64);
                }
                let (keys, ttl) = (self.stage.keys(), self.stage.knobs.ttl());
                if let (Load::Open { .. }, Some(ratio)) =
                    (experiment.workload.load, traffic.model(&keys, self.stage.reads(), ttl))
                {
                    add("model.hit_ratio", ratio);
                }
            }
            Traffic::Lock { traffic, .. } => {
                add("dropped", 0.0);
                add("unfinished", 0.0);
                totals.extend(traffic.totals(experiment.workload.keys));
            }
        }
        totals
    }

    /// What a reader of the totals should know about them; of a busy machine once a run.
    fn doubts(&mut self, totals: &[(String, f64)]) -> Vec<String> {
        let total = |name: &str| totals.iter().find(|(n, _)| n == name).map_or(0.0, |(_, value)| *value);
        let variant = &self.stage.experiment.variants[self.index].label;
        let late = total("late") / total("operations").max(1.0);
        let mut doubts = Vec::new();
        if late > 0.05 && !std::mem::replace(&mut self.stage.told_busy, true) {
            doubts.push(format!(
                "this machine is busy: {:.0} % of the requests ({variant}) were sent more than 2 ms late; response \
                 times count from when they should have been sent",
                late * 100.0
            ));
        }
        if total("dropped") > 0.0 {
            doubts.push(format!("{variant}: {} requests were never sent: too many were waiting", total("dropped")));
        }
        doubts
    }
}
