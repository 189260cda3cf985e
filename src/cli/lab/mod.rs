//! A lab without the TUI: a live line, a table with sparklines, the claims; or every event as JSON.

mod table;

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};

use super::{
    Format, Global,
    common::{self, Ink, Usage},
    server,
};
use crate::{
    course::{Experiment, UnitId},
    lab::{self, ClaimResult, LabCommand, LabEvent, Run, RunOptions},
    progress::Change,
    server::Server,
};

/// Exit code when a claim could not be judged.
const EXIT_OPEN: u8 = 2;
/// Exit code after Ctrl-C, as a shell expects it.
const EXIT_INTERRUPTED: u8 = 130;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cachelab lab week2/locks                        all variants, in turn
  cachelab lab week2/locks --variant renewal --variant fencing
  cachelab lab week1/why --assert                 the short form; does the lesson tell the truth?
  cachelab lab week1/why --format json | jq -c 'select(.event==\"variant-finished\")'

Exit codes: 0 the lab ran (with --assert: and every claim holds), 1 a claim does not hold, 2 a claim could
not be judged, 3 the lab could not run. docs/lab-events.md describes the JSON.")]
pub struct Args {
    /// The unit; default: the one you are at
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// The short form: seconds instead of a minute
    #[arg(long)]
    short: bool,
    /// Run the short form and exit with 1 if a claim does not hold
    #[arg(long)]
    assert: bool,
    /// Only this variant; may be repeated
    #[arg(long, value_name = "NAME")]
    variant: Vec<String>,
    /// Another seed for ids and arrivals
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Runs the subcommand.
pub fn run(args: Args, global: &Global) -> Result<ExitCode> {
    let course = common::course(global)?;
    let progress = common::progress_or_none();
    let unit = common::unit_or_current(&course, args.id.as_deref(), &progress)?;
    let experiment = unit.lab.as_ref().and_then(|lab| lab.experiment.as_ref());
    let experiment = experiment.ok_or_else(|| Usage(format!("{} has no lab", unit.id)))?;
    let names: Vec<_> = experiment.variants.iter().map(|variant| variant.name.get_ref().as_str()).collect();
    if let Some(unknown) = args.variant.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(Usage(format!("there is no variant {unknown:?}; there are: {}", names.join(", "))).into());
    }
    let runtime = tokio::runtime::Runtime::new().context("no runtime")?;
    let (outcome, interrupted) = runtime.block_on(with_server(&unit.id, experiment, &args, global))?;
    match outcome {
        _ if interrupted => Ok(ExitCode::from(EXIT_INTERRUPTED)),
        Outcome::Failed(text) => anyhow::bail!(text),
        Outcome::Finished(claims) => {
            if args.variant.is_empty() {
                common::record(&unit.id, &Change::LabRun);
            }
            Ok(if args.assert { verdict(&claims) } else { ExitCode::SUCCESS })
        }
    }
}

fn verdict(claims: &[ClaimResult]) -> ExitCode {
    if claims.iter().any(|claim| claim.holds == Some(false)) {
        ExitCode::from(1)
    } else if claims.iter().any(|claim| claim.holds.is_none()) {
        ExitCode::from(EXIT_OPEN)
    } else {
        ExitCode::SUCCESS
    }
}

enum Outcome {
    Finished(Vec<ClaimResult>),
    Failed(String),
}

async fn with_server(unit: &UnitId, experiment: &Experiment, args: &Args, global: &Global) -> Result<(Outcome, bool)> {
    let server = server::start(&server::options(global)?, global).await?;
    let result = follow(unit, experiment, &server, args, global).await;
    server.stop().await;
    result
}

/// Prints events until the last. Ctrl-C ends the run in order: its keys are removed.
async fn follow(
    unit: &UnitId,
    experiment: &Experiment,
    server: &Server,
    args: &Args,
    global: &Global,
) -> Result<(Outcome, bool)> {
    let options =
        RunOptions { short: args.short || args.assert, variants: args.variant.clone(), seed: args.seed, paused: false };
    let mut run = lab::start(unit, experiment, server.endpoint().clone(), Some(server.control()), options);
    let mut screen = Screen::new(args.format, global);
    let mut interrupted = false;
    loop {
        let event = tokio::select! {
            event = run.events.recv() => event,
            signal = tokio::signal::ctrl_c(), if !interrupted => {
                interrupted = true;
                if signal.is_ok() { stop(&run).await; }
                continue;
            }
        };
        let Some(event) = event else { anyhow::bail!("the lab ended without a result") };
        let event = asked_for(event, !args.variant.is_empty());
        screen.show(&event)?;
        match event {
            LabEvent::Finished { claims } => return Ok((Outcome::Finished(claims), interrupted)),
            LabEvent::Failed { text } => return Ok((Outcome::Failed(text), interrupted)),
            _ => {}
        }
    }
}

async fn stop(run: &Run) {
    // A closed channel: the run is ending anyhow.
    let _ = run.commands.send(LabCommand::Stop).await;
}

/// With `--variant`, claims about the other variants are left out.
fn asked_for(event: LabEvent, some_variants: bool) -> LabEvent {
    match event {
        LabEvent::Finished { claims } if some_variants => {
            LabEvent::Finished { claims: claims.into_iter().filter(|claim| claim.holds.is_some()).collect() }
        }
        other => other,
    }
}

/// Where events go.
struct Screen {
    format: Format,
    ink: Ink,
    /// The live line may be rewritten.
    live: bool,
    table: table::Table,
}

impl Screen {
    fn new(format: Format, global: &Global) -> Self {
        let ink = Ink::of(global);
        let live = ink.drawing && io::stdout().is_terminal();
        Self { format, ink, live, table: table::Table::default() }
    }

    fn show(&mut self, event: &LabEvent) -> Result<()> {
        let mut out = io::stdout().lock();
        if matches!(self.format, Format::Json) {
            writeln!(out, "{}", serde_json::to_string(event)?)?;
            return Ok(());
        }
        self.table.add(event);
        let clear = if self.live { "\r\x1b[2K" } else { "" };
        match event {
            LabEvent::Started(started) => table::head(&mut out, started, self.ink)?,
            LabEvent::Sample(_) => {
                if let (true, Some(line)) = (self.live, self.table.live_line(self.ink)) {
                    write!(out, "{clear}{line}")?;
                    out.flush()?;
                }
            }
            LabEvent::Warning { text } => {
                write!(out, "{clear}")?;
                writeln!(out, "note: {}", common::printable(text))?;
            }
            LabEvent::VariantFinished { .. } => {
                write!(out, "{clear}")?;
                out.flush()?;
            }
            LabEvent::Finished { claims } => {
                write!(out, "{clear}")?;
                self.table.print(&mut out, self.ink)?;
                table::claims(&mut out, claims, self.ink)?;
            }
            LabEvent::Failed { .. } => write!(out, "{clear}")?,
            LabEvent::VariantStarted { .. } | LabEvent::Mark { .. } => {}
        }
        Ok(())
    }
}
