//! One run of the checks: its own thread with its own single-threaded reactor, so that everything
//! that happens has one order, and a stream of events out of it.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    CheckEvent, CheckInfo, CheckResult, Report, Verdict,
    context::{Context, LONG_STAND_WAIT_MS, LONG_TTL_MS, Slot, Trouble},
    manifest::Manifest,
    prepare::{self, Program},
    property,
    replay::Replay,
    stand::{Plan, Stand, StandError},
};
use crate::{
    course::{
        UnitId,
        exercise::{Check, Exercise, ExerciseKind},
    },
    server,
};

/// Wall-clock time for all checks together, when nothing else is said.
pub const DEFAULT_BUDGET: Duration = Duration::from_secs(30);

/// How long after a broken answer a process may take to be seen to have ended.
const LAST_GASP: Duration = Duration::from_millis(600);

/// What a run is asked for. Build it with `..CheckOptions::default()`.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// Only these checks and those they depend on; empty: all.
    pub only: Vec<String>,
    /// Repeats a former run; `None`: a new one.
    pub seed: Option<u64>,
    /// Wall-clock time for all checks together.
    pub budget: Option<Duration>,
    /// Shows one recorded counterexample again instead of searching.
    pub replay: Option<String>,
    /// How to get a server. A borrowed one (`url`) is never used.
    pub server: server::Options,
}

/// A run in progress. Dropping it cancels it.
#[derive(Debug)]
pub struct Run {
    /// What it tells; closed when everything it started is gone.
    pub events: mpsc::Receiver<CheckEvent>,
    cancel: CancellationToken,
}

impl Run {
    /// Stops it: programs, servers and proxies are ended, then `events` closes.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Starts to verify the program in `folder`. Returns at once; needs no runtime of its caller.
pub fn start(unit: &UnitId, exercise: &Exercise, folder: &Path, options: CheckOptions) -> Run {
    let (sender, events) = mpsc::channel(1024);
    let cancel = CancellationToken::new();
    let job = Job {
        unit: unit.to_string(),
        exercise: exercise.clone(),
        folder: folder.to_path_buf(),
        options,
        events: sender,
    };
    let (token, events_of_failure) = (cancel.clone(), job.events.clone());
    let spawned = std::thread::Builder::new().name("check".to_owned()).spawn(move || job.block_on(&token));
    if let Err(error) = spawned {
        let text = format!("cannot start a thread for the check: {error}");
        let _ = events_of_failure.try_send(CheckEvent::Aborted { ours: true, text, output: Vec::new() });
    }
    Run { events, cancel }
}

struct Job {
    unit: String,
    exercise: Exercise,
    folder: PathBuf,
    options: CheckOptions,
    events: mpsc::Sender<CheckEvent>,
}

/// Why there is no report.
struct Abort {
    ours: bool,
    text: String,
    output: Vec<String>,
}

impl Abort {
    fn new(ours: bool, error: &impl ToString) -> Self {
        Self { ours, text: error.to_string(), output: Vec::new() }
    }
}

impl Job {
    fn block_on(self, cancel: &CancellationToken) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let text = format!("cannot start the check's reactor: {error}");
                let _ = self.events.blocking_send(CheckEvent::Aborted { ours: true, text, output: Vec::new() });
                return;
            }
        };
        runtime.block_on(async {
            let result = tokio::select! {
                result = self.run() => result,
                // Dropping the run drops stands, and they end all they have started.
                () = cancel.cancelled() => return,
                () = self.events.closed() => return,
            };
            if let Err(Abort { ours, text, output }) = result {
                self.tell(CheckEvent::Aborted { ours, text, output }).await;
            }
        });
        // What still blocks (a name lookup) may not keep us.
        runtime.shutdown_timeout(Duration::from_secs(1));
    }

    async fn tell(&self, event: CheckEvent) {
        let _ = self.events.send(event).await;
    }

    async fn phase(&self, text: impl Into<String>) {
        self.tell(CheckEvent::Phase { text: text.into() }).await;
    }

    async fn run(&self) -> Result<(), Abort> {
        let begun = Instant::now();
        if self.exercise.kind != ExerciseKind::Service {
            return Err(Abort::new(true, &"cachelab can check services only, so far"));
        }
        let replay = self.options.replay.as_deref().map(Replay::load).transpose().map_err(|e| Abort::new(true, &e))?;
        let only = replay.as_ref().map_or_else(|| self.options.only.clone(), |r| vec![r.check.clone()]);
        if let Some(unknown) = only.iter().find(|id| self.exercise.check(id).is_none()) {
            return Err(Abort::new(true, &format!("{} has no check {unknown:?}", self.unit)));
        }
        let mut checks = self.exercise.with_dependencies(&only);
        if replay.is_some() {
            checks.retain(|check| only.contains(check.id.get_ref()));
        }
        let seed = replay
            .as_ref()
            .map(|r| r.seed)
            .or(self.options.seed)
            .unwrap_or_else(|| rand::rng().random_range(0..1 << 32));
        let info = |check: &&Check| CheckInfo {
            id: check.id.get_ref().clone(),
            title: check.title.clone(),
            after: check.after.iter().map(|a| a.get_ref().clone()).collect(),
        };
        let folder = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        let checks_info = checks.iter().map(info).collect();
        self.tell(CheckEvent::Started {
            exercise: self.unit.clone(),
            folder: folder.clone(),
            seed,
            checks: checks_info,
        })
        .await;
        let program = self.prepare().await?;
        let mut context = self.context(&program, &checks, seed).await?;
        context.replay = replay.map(|r| r.scenario);
        let results = self.judge_all(&mut context, &checks).await?;
        let report = Report {
            exercise: self.unit.clone(),
            results,
            took: begun.elapsed(),
            server: context.patient.server_name(),
            seed,
        };
        // The verdict need not wait for the cleaning.
        self.tell(CheckEvent::Finished { report }).await;
        context.patient.stop().await;
        if let Slot::Ready(stand) = context.hasty {
            stand.stop().await;
        }
        Ok(())
    }

    async fn prepare(&self) -> Result<Program, Abort> {
        let manifest = Manifest::read(&self.folder).map_err(|e| Abort::new(false, &e))?;
        if let Some(named) = manifest.exercise.as_ref().filter(|named| **named != self.unit) {
            return Err(Abort::new(
                false,
                &format!(
                    "{} says exercise = {named:?}, and {} was to be checked",
                    super::manifest::MANIFEST,
                    self.unit
                ),
            ));
        }
        let events = self.events.clone();
        let mut say = move |text| drop(events.try_send(CheckEvent::Phase { text }));
        prepare::prepare(&self.folder, &manifest, &mut say).await.map_err(|error| Abort {
            ours: !error.learners(),
            text: error.to_string(),
            output: error.output(),
        })
    }

    async fn context(&self, program: &Program, checks: &[&Check], seed: u64) -> Result<Context, Abort> {
        let instances = self.exercise.instances;
        self.phase(format!("starting {instances} instances")).await;
        let declared: Vec<(String, String)> =
            self.exercise.env.iter().map(|e| (e.name.clone(), e.value.clone())).collect();
        let mut patient = declared.clone();
        for (name, value) in &mut patient {
            match name.as_str() {
                "LOCK_TTL_MS" => *value = LONG_TTL_MS.to_string(),
                "WAIT_MS" => *value = LONG_STAND_WAIT_MS.to_string(),
                _ => {}
            }
        }
        let plan = |env| Plan { program: program.clone(), instances, env, server: self.options.server.clone() };
        let patient = Stand::start(plan(patient), self.events.clone()).await.map_err(|error| abort(&error))?;
        self.phase(format!("{instances} instances on {}", patient.server_name())).await;
        // Two of the properties let real time pass: their stand gets ready while the first checks run.
        let real_time = |check: &&Check| matches!(check.property.get_ref().as_str(), "dead-holder" | "fencing");
        let hasty = if checks.iter().any(real_time) {
            Slot::Starting(tokio::spawn(Stand::start(plan(declared), self.events.clone())))
        } else {
            Slot::Gone
        };
        Ok(Context {
            exercise: self.unit.clone(),
            check: String::new(),
            rng: StdRng::seed_from_u64(seed),
            seed,
            events: self.events.clone(),
            patient,
            hasty,
            // What is installed and started before does not count.
            deadline: Instant::now() + self.options.budget.unwrap_or(DEFAULT_BUDGET),
            replay: None,
            folder: self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone()),
        })
    }

    async fn judge_all(&self, context: &mut Context, checks: &[&Check]) -> Result<Vec<CheckResult>, Abort> {
        let mut results: Vec<CheckResult> = Vec::new();
        for check in checks {
            let id = check.id.get_ref().clone();
            let begun = Instant::now();
            let failed = check.after.iter().find(|after| {
                results.iter().any(|r| r.check == **after.get_ref() && !matches!(r.verdict, Verdict::Pass { .. }))
            });
            let verdict = if let Some(failed) = failed {
                Verdict::Skipped { because: format!("{} did not pass", failed.get_ref()) }
            } else if Instant::now() >= context.deadline {
                Verdict::Inconclusive { reason: "the time for this run is over (--budget)".to_owned() }
            } else {
                self.tell(CheckEvent::CheckStarted { check: id.clone() }).await;
                context.check.clone_from(&id);
                self.judge(context, check).await?
            };
            let result = CheckResult { check: id, title: check.title.clone(), verdict, took: begun.elapsed() };
            self.tell(CheckEvent::CheckFinished { result: result.clone() }).await;
            results.push(result);
        }
        Ok(results)
    }

    async fn judge(&self, context: &mut Context, check: &Check) -> Result<Verdict, Abort> {
        let judged = property::judge(context, check.property.get_ref(), &check.params).await;
        let mut crashed = context.patient.crashed();
        let begun = Instant::now();
        // A connection breaks a moment before its process is seen to have ended.
        while matches!(judged, Err(Trouble::Broken(_))) && crashed.is_none() && begun.elapsed() < LAST_GASP {
            tokio::time::sleep(Duration::from_millis(20)).await;
            crashed = context.patient.crashed();
        }
        let output = context.patient.tail(12);
        if let Some((number, _)) = &crashed {
            // The next check must find a whole stand.
            context.patient.restart(number - 1..*number).await.map_err(|error| abort(&StandError::Start(error)))?;
        }
        if let (Some((number, status)), false) = (crashed, matches!(judged, Ok(Verdict::Pass { .. }))) {
            // A program that dies on the way has broken no property: it is broken.
            let reason = format!("instance {number} ended during this check ({status})");
            return Ok(Verdict::Broken { reason, output });
        }
        match judged {
            Ok(verdict) => Ok(verdict),
            Err(Trouble::Ours(text)) => Err(Abort::new(true, &text)),
            Err(Trouble::Broken(reason)) => Ok(Verdict::Broken { reason, output }),
            Err(Trouble::Inconclusive(reason)) => Ok(Verdict::Inconclusive { reason }),
        }
    }
}

fn abort(error: &StandError) -> Abort {
    match error {
        StandError::Start(start) => Abort { ours: start.ours(), text: start.to_string(), output: start.output() },
        other => Abort::new(true, &other),
    }
}
