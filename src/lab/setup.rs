//! Building what a variant needs: connections, the origin, the pattern, the clients.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    cache::{CacheTraffic, InFlight, closed_loop, milliseconds},
    count::Count,
    link::Link,
    locks::{ClientParts, LockTraffic, supervise},
    measure::Measure,
    runner::Stage,
    traffic::{Gate, SharedRequests},
};
use crate::{
    course::lab::{Connections, LatencyLaw, Load, Pattern, Variant},
    origin::{Latency, Simulated, SimulatedSpec, Warehouse},
    workload::{Batch, Pacer, Requests},
};

/// Open-loop requests that may be in flight; more of them are counted as errors.
const MOST_IN_FLIGHT: u64 = 20_000;

/// What answers requests in this variant.
pub(super) enum Traffic {
    Cache {
        traffic: Arc<CacheTraffic>,
        /// Open loop: the schedule, and the task that sends what is due.
        pacer: Option<Pacer>,
        dispatcher: Option<JoinHandle<()>>,
        requests: Vec<SharedRequests>,
    },
    Lock {
        traffic: Arc<LockTraffic>,
        requests: Vec<SharedRequests>,
    },
}

/// Connects, builds the pattern of `variant`, and starts clients that wait at the gate.
pub(super) async fn set_up(
    stage: &Stage,
    variant: &Variant,
    cut: &Arc<AtomicBool>,
    gate: Gate,
    measure: &mut Measure,
) -> redis::RedisResult<(Traffic, Vec<Link>)> {
    let workload = &stage.experiment.workload;
    let workers = match workload.load {
        Load::Open { .. } => workload.workers,
        Load::Closed { clients, .. } => clients,
    };
    let links = links(stage, workers as usize, cut).await?;
    let prefix = stage.prefix(variant.name.get_ref());
    let traffic = match variant.pattern {
        Pattern::Lock(_) => lock_traffic(stage, variant, (&prefix, gate), &links, measure)?,
        Pattern::Uncached | Pattern::CacheAside(_) => cache_traffic(stage, variant, (&prefix, gate), &links, measure)?,
    };
    Ok((traffic, links))
}

async fn links(stage: &Stage, count: usize, cut: &Arc<AtomicBool>) -> redis::RedisResult<Vec<Link>> {
    let mut links = Vec::with_capacity(count);
    match stage.experiment.workload.connections {
        Connections::Own => {
            for _ in 0..count {
                links.push(Link::open(&stage.endpoint, Arc::clone(cut)).await?);
            }
        }
        Connections::Multiplexed => {
            let link = Link::open(&stage.endpoint, Arc::clone(cut)).await?;
            links.resize(count, link);
        }
    }
    Ok(links)
}

fn origin(stage: &Stage) -> Simulated {
    let spec = &stage.experiment.origin;
    let latency = match spec.latency {
        LatencyLaw::Fixed(ms) => Latency::Fixed(milliseconds(ms)),
        LatencyLaw::Lognormal { median, sigma } => Latency::Lognormal { median: milliseconds(median), sigma },
        LatencyLaw::Spiky { base, spike, one_in } => {
            Latency::Spiky { base: milliseconds(base), spike: milliseconds(spike), one_in }
        }
    };
    let spec = SimulatedSpec {
        latency,
        capacity: spec.capacity,
        failures: spec.failures,
        absent: spec.absent,
        payload: spec.payload,
        seed: stage.seed,
    };
    Simulated::new(spec, stage.timer.clone())
}

fn requests(stage: &Stage, stream: u64) -> Requests {
    let popularity = stage.knobs.popularity(&stage.experiment);
    let writes = stage.knobs.writes(&stage.experiment);
    Requests::new(stage.experiment.workload.keys, popularity, writes, stage.seed, stream)
}

fn cache_traffic(
    stage: &Stage,
    variant: &Variant,
    (prefix, gate): (&str, Gate),
    links: &[Link],
    measure: &mut Measure,
) -> redis::RedisResult<Traffic> {
    let origin = Arc::new(origin(stage));
    let traffic = CacheTraffic::new(&variant.pattern, links.to_vec(), origin, prefix, &mut measure.recorders);
    let traffic = Arc::new(traffic);
    match stage.experiment.workload.load {
        Load::Open { rate } => {
            let rate = stage.knobs.rate(&stage.experiment).unwrap_or(rate);
            let (pacer, batches) = Pacer::start(rate, requests(stage, 0), stage.seed)?;
            let dispatcher = Some(tokio::spawn(dispatch(Arc::clone(&traffic), batches)));
            Ok(Traffic::Cache { traffic, pacer: Some(pacer), dispatcher, requests: Vec::new() })
        }
        Load::Closed { clients, think } => {
            let mut all = Vec::new();
            for client in 0..clients {
                let requests = SharedRequests::new(requests(stage, u64::from(client)));
                all.push(requests.clone());
                let gate = (gate.clone(), stage.timer.clone());
                let traffic = Arc::clone(&traffic);
                tokio::spawn(closed_loop(traffic, client as usize, requests, milliseconds(think), gate));
            }
            Ok(Traffic::Cache { traffic, pacer: None, dispatcher: None, requests: all })
        }
    }
}

/// Sends open-loop requests, each on its way at once.
async fn dispatch(traffic: Arc<CacheTraffic>, mut batches: mpsc::Receiver<Batch>) {
    let mut worker = 0;
    while let Some(batch) = batches.recv().await {
        for (due, request) in batch {
            if traffic.in_flight.load(Ordering::Relaxed) >= MOST_IN_FLIGHT {
                traffic.counters.one(Count::Errors);
                continue;
            }
            worker = (worker + 1) % traffic.workers();
            tokio::spawn(InFlight::new(&traffic).request(worker, request, due));
        }
    }
}

fn lock_traffic(
    stage: &Stage,
    variant: &Variant,
    (prefix, gate): (&str, Gate),
    links: &[Link],
    measure: &mut Measure,
) -> redis::RedisResult<Traffic> {
    let (Pattern::Lock(kind), Some(section)) = (&variant.pattern, &stage.experiment.section) else {
        return Err(redis::RedisError::from((redis::ErrorKind::Client, "a lock lab without [experiment.section]")));
    };
    let latency = origin(stage).latency();
    let warehouse = Arc::new(Warehouse::new(latency, stage.timer.clone()));
    for id in 1..=stage.experiment.workload.keys {
        warehouse.stock(&LockTraffic::resource(id), 0);
    }
    let clients = links.len() as u32;
    let (traffic, strikes) = LockTraffic::new((*kind, section), warehouse, prefix, stage.timer.clone(), clients);
    let mut parts = Vec::new();
    let recorders = &mut measure.recorders;
    // All tasks of a variant are on one thread: one recorder serves them all.
    let (response, service, wait) =
        (recorders.response.recorder(), recorders.service.recorder(), recorders.wait.recorder());
    for (client, link) in links.iter().enumerate() {
        parts.push(ClientParts {
            link: link.clone(),
            requests: SharedRequests::new(requests(stage, client as u64)),
            gate: gate.clone(),
            response: response.clone(),
            service: service.clone(),
            wait: wait.clone(),
        });
    }
    let requests = parts.iter().map(|part| part.requests.clone()).collect();
    tokio::spawn(supervise(Arc::clone(&traffic), parts, strikes));
    Ok(Traffic::Lock { traffic, requests })
}
