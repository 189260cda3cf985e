//! A check without the TUI: results as they come, the counterexample as lanes, the verdict as exit code.

mod formats;
mod text;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::{
    EXIT_TOOL, Global,
    common::{self, Usage},
    server,
};
use crate::{
    check::{self, CheckEvent, CheckOptions, Report, Verdict},
    course::{Exercise, Unit, UnitId, starter},
    progress::{Change, CheckOutcome},
};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cachelab check                            the exercise of this folder\n  \
                        cachelab check week2/locks --dir ./sale\n  \
                        cachelab check week2/locks#fencing        one check, and those it needs\n  \
                        cachelab check --replay 7f3a12            a counterexample again\n  \
                        cachelab check --format junit > report.xml\n\n\
                        Exit code: 0 passed, 1 the solution fails, 2 could not tell, 3 cachelab or the machine failed, 64 usage.")]
pub struct Args {
    /// The unit, or one check of it [default: what cachelab.toml in the folder says]
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// The folder of your program [default: this one, or ./week2-locks, or where you last had it]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only this check and those it needs (may be given more than once)
    #[arg(long, value_name = "CHECK")]
    only: Vec<String>,
    /// Repeat a former run's random choices
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Show a recorded counterexample again
    #[arg(long, value_name = "REPLAY")]
    replay: Option<String>,
    /// Time for all checks together, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = check::DEFAULT_BUDGET.as_secs(), value_parser = clap::value_parser!(u64).range(1..=3600))]
    budget: u64,
    /// How to print it
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    format: CheckFormat,
    /// Show what the program prints as it comes
    #[arg(long)]
    output: bool,
}

/// Output formats of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// A JUnit XML report.
    Junit,
    /// GitHub workflow commands.
    Github,
}

/// How a run ended.
pub(super) enum End {
    /// Judged.
    Report(Report),
    /// Not judged.
    Aborted {
        /// Not the learner's fault.
        ours: bool,
        /// What happened.
        text: String,
        /// The program's last lines.
        output: Vec<String>,
    },
    /// Ctrl-C.
    Cancelled,
}

/// Runs the subcommand.
pub fn run(args: Args, global: &Global) -> Result<ExitCode> {
    let course = common::course(global)?;
    let (id, only) = split(args.id.as_deref(), &args.only);
    let id = match id {
        Some(id) => id,
        None => match check::exercise_of(args.dir.as_deref().unwrap_or(Path::new("."))) {
            Ok(Some(id)) => id,
            Ok(None) => {
                let text = "which exercise? Name it (cachelab check week2/locks), or say exercise = \"week2/locks\" in cachelab.toml";
                return Err(Usage(text.to_owned()).into());
            }
            Err(error) => {
                let end = End::Aborted { ours: false, text: error.to_string(), output: Vec::new() };
                return finish(&args, None, &end, global);
            }
        },
    };
    let unit = common::unit(&course, &id)?;
    let exercise = unit.lab.as_ref().and_then(|lab| lab.exercise.as_ref());
    let exercise = exercise.ok_or_else(|| Usage(format!("{} has no exercise to check", unit.id)))?;
    known(unit, exercise, &only)?;
    let options = CheckOptions {
        only,
        seed: args.seed,
        budget: Some(Duration::from_secs(args.budget)),
        replay: args.replay.clone(),
        server: server::options(global)?,
    };
    let folder = folder(&args, &unit.id);
    let whole = options.only.is_empty() && options.replay.is_none();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a reactor")?;
    let end = runtime.block_on(follow(check::start(&unit.id, exercise, &folder, options), &args, global))?;
    if let End::Report(report) = &end {
        let outcomes = report.results.iter().map(|r| (r.check.clone(), outcome(&r.verdict))).collect();
        common::record(&unit.id, &Change::Checked { outcomes, passed: whole && report.passed() });
    }
    finish(&args, Some((unit, exercise)), &end, global)
}

/// The folder that was named, else the one where the program is known to be, else this one.
fn folder(args: &Args, unit: &UnitId) -> PathBuf {
    let remembered = || common::progress().ok().and_then(|(_, kept)| kept.unit(unit).exercise.folder.clone());
    args.dir.clone().or_else(|| starter::find(Path::new("."), unit, remembered())).unwrap_or_else(|| PathBuf::from("."))
}

/// `week2/locks#fencing` is the unit and one check.
fn split(id: Option<&str>, only: &[String]) -> (Option<String>, Vec<String>) {
    let mut only = only.to_vec();
    let Some(id) = id else { return (None, only) };
    let (unit, check) = id.split_once('#').map_or((id, None), |(unit, check)| (unit, Some(check)));
    only.extend(check.map(str::to_owned));
    ((!unit.is_empty()).then(|| unit.to_owned()), only)
}

fn known(unit: &Unit, exercise: &Exercise, only: &[String]) -> Result<()> {
    for id in only {
        if exercise.check(id).is_none() {
            let all: Vec<_> = exercise.checks.iter().map(|c| c.id.get_ref().as_str()).collect();
            return Err(Usage(format!("{} has no check {id:?}; it has {}", unit.id, all.join(", "))).into());
        }
    }
    Ok(())
}

fn outcome(verdict: &Verdict) -> CheckOutcome {
    match verdict {
        Verdict::Pass { .. } => CheckOutcome::Pass,
        Verdict::Fail(_) | Verdict::Broken { .. } => CheckOutcome::Fail,
        Verdict::Inconclusive { .. } => CheckOutcome::Inconclusive,
        Verdict::Skipped { .. } => CheckOutcome::Skipped,
    }
}

/// Shows events as they come until the run is over.
async fn follow(mut run: check::Run, args: &Args, global: &Global) -> Result<End> {
    let mut shown = text::Live::new(args.format == CheckFormat::Text, args.output, global);
    let mut end = None;
    loop {
        let event = tokio::select! {
            event = run.events.recv() => event,
            _ = tokio::signal::ctrl_c() => {
                run.cancel();
                // Everything it started ends before the stream does.
                let drained = async { while run.events.recv().await.is_some() {} };
                let _ = tokio::time::timeout(Duration::from_secs(5), drained).await;
                shown.clear()?;
                return Ok(End::Cancelled);
            }
        };
        let Some(event) = event else { break };
        match event {
            CheckEvent::Finished { report } => end = Some(End::Report(report)),
            CheckEvent::Aborted { ours, text, output } => end = Some(End::Aborted { ours, text, output }),
            event => shown.show(&event)?,
        }
    }
    shown.clear()?;
    let lost = "the check ended without a verdict; this is a mistake of cachelab";
    Ok(end.unwrap_or_else(|| End::Aborted { ours: true, text: lost.to_owned(), output: Vec::new() }))
}

fn finish(args: &Args, of: Option<(&Unit, &Exercise)>, end: &End, global: &Global) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    match args.format {
        CheckFormat::Text => text::end(&mut out, of, end, global)?,
        CheckFormat::Json => formats::json(&mut out, end)?,
        CheckFormat::Junit => formats::junit(&mut out, end)?,
        CheckFormat::Github => formats::github(&mut out, end)?,
    }
    out.flush()?;
    Ok(ExitCode::from(match end {
        End::Report(report) => report.exit_code(),
        End::Aborted { ours: true, .. } => EXIT_TOOL,
        End::Aborted { ours: false, .. } => 1,
        End::Cancelled => 130,
    }))
}
