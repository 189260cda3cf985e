//! The run as a whole: variants in turn, each on a runtime and a keyspace of its own, then the claims.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{
    ExtraMetric, FaultInfo, LabCommand, LabEvent, LabStarted, VariantInfo,
    judge::judge,
    knobs::Knobs,
    outage::Outage,
    variant::{self, Ending},
};
use crate::{
    clock::Timer,
    course::{
        Experiment, UnitId,
        lab::{Connections, Load},
        metric::metric,
    },
    server::Endpoint,
    workload::Keys,
};

/// All that a variant needs from the run it is part of.
pub(super) struct Stage {
    pub unit: UnitId,
    pub experiment: Experiment,
    pub endpoint: Endpoint,
    /// `None`: the server is not ours to kill.
    pub outage: Option<Outage>,
    pub timer: Timer,
    pub events: mpsc::Sender<LabEvent>,
    /// Sets this run's keys apart from any other's.
    pub run: String,
    pub seed: u64,
    pub duration: Duration,
    pub warmup: Duration,
    pub knobs: Knobs,
    pub paused: bool,
    /// The learner knows that this machine is busy.
    pub told_busy: bool,
    /// Indices of the variants that run, in order.
    pub order: Vec<usize>,
}

impl Stage {
    /// What every key of a variant starts with.
    pub fn prefix(&self, variant: &str) -> String {
        let owner = if self.endpoint.is_private() { crate::server::PREFIX } else { self.endpoint.prefix() };
        format!("{owner}lab:{}:{variant}:", self.run)
    }

    /// The popularity law as the knobs stand.
    pub fn keys(&self) -> Keys {
        Keys::new(self.experiment.workload.keys, self.knobs.popularity(&self.experiment))
    }

    /// Reads a second, open loop, as the knobs stand.
    pub fn reads(&self) -> f64 {
        self.knobs.rate(&self.experiment).unwrap_or(1000.0) * (1.0 - self.knobs.writes(&self.experiment))
    }

    /// Place of a variant among those that run.
    pub fn position(&self, index: usize) -> usize {
        self.order.iter().position(|running| *running == index).unwrap_or(0)
    }

    /// Tells the front end; if it has gone, nobody.
    pub async fn tell(&self, event: LabEvent) {
        let _ = self.events.send(event).await;
    }

    /// Nobody listens any more.
    pub fn gone(&self) -> bool {
        self.events.is_closed()
    }

    fn started(&self) -> LabStarted {
        let experiment = &self.experiment;
        let workload = &experiment.workload;
        let (workers, traffic) = match workload.load {
            Load::Open { .. } => {
                let rate = self.knobs.rate(experiment).unwrap_or(0.0);
                (workload.workers, format!("open loop, {rate}/s, Poisson arrivals"))
            }
            Load::Closed { clients, .. } => (clients, format!("closed loop, {clients} clients")),
        };
        let variant = |index: &usize| {
            let variant = &experiment.variants[*index];
            VariantInfo { name: variant.name.get_ref().clone(), label: variant.label.clone() }
        };
        let extra = |name: &str| {
            let (label, unit) = metric(name).map_or((name, ""), |metric| (metric.label, metric.unit));
            ExtraMetric { name: name.to_owned(), label: label.to_owned(), unit: unit.to_owned() }
        };
        LabStarted {
            id: self.unit.to_string(),
            title: experiment.title.clone(),
            question: experiment.question.clone(),
            variants: self.order.iter().map(variant).collect(),
            duration: self.duration,
            origin_capacity: experiment.origin.capacity,
            connections: match workload.connections {
                Connections::Own => format!("{workers} own connections"),
                Connections::Multiplexed => "one multiplexed connection".to_owned(),
            },
            server: self.endpoint.describe(),
            workload: traffic,
            extra: experiment.lanes.iter().map(|lane| extra(lane.get_ref())).collect(),
            faults: experiment
                .faults
                .iter()
                .map(|fault| FaultInfo {
                    name: fault.name.get_ref().clone(),
                    label: fault.label.clone(),
                    key: fault.key,
                })
                .collect(),
            knobs: Knobs::info(experiment),
        }
    }
}

/// Runs everything. Blocks its thread until the end.
pub(super) fn run(mut stage: Stage, mut commands: mpsc::Receiver<LabCommand>) {
    let mut totals: Vec<(usize, Vec<(String, f64)>)> = Vec::new();
    let _ = stage.events.blocking_send(LabEvent::Started(stage.started()));
    for index in stage.order.clone() {
        let position = stage.position(index);
        let _ = stage.events.blocking_send(LabEvent::VariantStarted { variant: position });
        match on_own_runtime(&mut stage, index, &mut commands) {
            Ending::Complete(values) => {
                totals.push((index, values.clone()));
                let finished = LabEvent::VariantFinished { variant: position, totals: values };
                let _ = stage.events.blocking_send(finished);
            }
            Ending::Skipped => {}
            Ending::Stopped => break,
            Ending::Failed(text) => {
                let _ = stage.events.blocking_send(LabEvent::Failed { text });
                return;
            }
        }
    }
    let claims = judge(&stage.experiment, stage.endpoint.is_private(), &totals);
    let _ = stage.events.blocking_send(LabEvent::Finished { claims });
}

/// What a variant leaves in flight ends with its runtime.
fn on_own_runtime(stage: &mut Stage, index: usize, commands: &mut mpsc::Receiver<LabCommand>) -> Ending {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(variant::run(stage, index, commands)),
        Err(error) => Ending::Failed(format!("no runtime for the lab: {error}")),
    }
}
