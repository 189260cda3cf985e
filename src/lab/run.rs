//! Starting a run, and the handle to it.

use std::time::Duration;

use tokio::{runtime::Handle, sync::mpsc};

use super::{
    LabCommand, LabEvent,
    knobs::Knobs,
    outage::Outage,
    runner::{self, Stage},
};
use crate::{
    clock::Timer,
    course::{Experiment, UnitId},
    server::{Control, Endpoint, Version},
};

/// How an experiment is run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunOptions {
    /// The asserted short form instead of the full length.
    pub short: bool,
    /// Only these variants, by name; empty: all.
    pub variants: Vec<String>,
    /// Another seed than the lab's.
    pub seed: Option<u64>,
    /// Start paused: [`LabCommand::Resume`] begins the first variant.
    pub paused: bool,
}

/// A running experiment. Dropping it ends the run and removes its keys.
#[derive(Debug)]
pub struct Run {
    /// What happens; ends after `Finished` or `Failed`.
    pub events: mpsc::Receiver<LabEvent>,
    /// What it shall do.
    pub commands: mpsc::Sender<LabCommand>,
}

/// Starts an experiment against a live server. `control` is the private server's process; without it, or on
/// a borrowed server, faults that would kill the server cut our own connections instead. Needs a tokio runtime
/// about it, the one that `control` belongs to; the run itself has a thread and runtimes of its own.
///
/// What can't be run (an unknown variant, a server that is too old) is a [`LabEvent::Failed`].
#[expect(clippy::needless_pass_by_value, reason = "callers build it for this call")]
pub fn start(
    unit: &UnitId,
    experiment: &Experiment,
    endpoint: Endpoint,
    control: Option<Control>,
    options: RunOptions,
) -> Run {
    let (events, receiver) = mpsc::channel(256);
    let (sender, commands) = mpsc::channel(64);
    let run = Run { events: receiver, commands: sender };
    let outage = match control {
        Some(control) if endpoint.is_private() => Some(Outage::new(control, Handle::current())),
        _ => None,
    };
    let failed = |text: String| {
        // The channel is new: there is room.
        let _ = events.try_send(LabEvent::Failed { text });
    };
    match prepare(unit, experiment, endpoint, &options, events.clone()) {
        Ok(mut stage) => {
            stage.outage = outage;
            let thread = std::thread::Builder::new().name("lab".to_owned());
            if let Err(error) = thread.spawn(move || runner::run(stage, commands)) {
                failed(format!("no thread for the lab: {error}"));
            }
        }
        Err(text) => failed(text),
    }
    run
}

fn prepare(
    unit: &UnitId,
    experiment: &Experiment,
    endpoint: Endpoint,
    options: &RunOptions,
    events: mpsc::Sender<LabEvent>,
) -> Result<Stage, String> {
    old_enough(experiment, &endpoint)?;
    let timer = Timer::start().map_err(|error| format!("no thread for the timer: {error}"))?;
    let workload = &experiment.workload;
    let (mut duration, mut warmup) = (workload.duration, workload.warmup);
    if options.short {
        duration = experiment.short.duration.unwrap_or(duration / 10.0);
        warmup = experiment.short.warmup.unwrap_or(warmup / 10.0);
    }
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Ok(Stage {
        unit: unit.clone(),
        order: order(experiment, &options.variants)?,
        endpoint,
        outage: None,
        timer,
        events,
        run: format!("{:08x}", rand::random::<u32>()),
        seed: options.seed.unwrap_or(workload.seed),
        duration: seconds(duration),
        warmup: seconds(warmup),
        knobs: Knobs::new(experiment),
        paused: options.paused,
        told_busy: false,
        experiment: experiment.clone(),
    })
}

/// Which variants run, in the lab's order.
fn order(experiment: &Experiment, wanted: &[String]) -> Result<Vec<usize>, String> {
    let names: Vec<&str> = experiment.variants.iter().map(|v| v.name.get_ref().as_str()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("there is no variant {unknown:?}; there are: {}", names.join(", ")));
    }
    let chosen = |index: &usize| wanted.is_empty() || wanted.iter().any(|name| name == names[*index]);
    Ok((0..names.len()).filter(chosen).collect())
}

fn old_enough(experiment: &Experiment, endpoint: &Endpoint) -> Result<(), String> {
    let Some(needed) = &experiment.server.min_version else { return Ok(()) };
    let needed: Version = needed.parse().map_err(|_| format!("min-version {needed:?} is not a version"))?;
    if endpoint.redis_version < needed {
        return Err(format!(
            "this lab needs Redis {needed} or what is compatible with it; this server is {}",
            endpoint.describe()
        ));
    }
    Ok(())
}
