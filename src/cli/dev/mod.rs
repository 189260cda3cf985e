//! For course authors: validate a whole course.
//!
//! Owns: the order of the four parts (files, redis blocks, labs, programs) and how findings are told.
//! Each part is a file; a part streams its findings and knows nothing of the others.

mod blocks;
mod labs;
mod programs;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::json;

use super::{
    EXIT_TOOL, Format, Global,
    common::{self, BrokenCourse, Ink, printable},
};
use crate::{
    course::{
        Course, Unit,
        validate::{Severity, validate},
    },
    diagnostic::Diagnostic,
};

/// What a shell reports for a program that Ctrl-C ended.
const EXIT_INTERRUPTED: u8 = 130;

/// `cachelab dev …`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Validate a whole course: files, links, every redis block, every lab's claims, every known program
    #[command(after_help = "Examples:\n  cachelab dev check\n  cachelab dev check --course . --only week2/locks\n  \
                            cachelab dev check --part files --part blocks\n  cachelab dev check --only week2/locks --part programs --repeat 20\n\n\
                            Exit codes: 0 all is well, 1 something to mend, 3 it could not be told.")]
    Check(CheckArgs),
}

/// `cachelab dev check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Only this unit's blocks, lab and programs (files are read all together)
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// Only this part; may be given more than once
    #[arg(long, value_enum, value_name = "PART")]
    part: Vec<Part>,
    /// How often the blocks, labs and programs are run: what passes once may fail once in twenty
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// How to print it: json is one object a line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A part of the validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// What needs no server: links, lists, hints, lengths
    Files,
    /// Every redis block, twice, against a live server
    Blocks,
    /// Every lab in its short form, its claims judged
    Labs,
    /// Every program in right/ and wrong/, verified
    Programs,
}

/// Runs the subcommand.
pub fn run(command: Command, global: &Global) -> Result<ExitCode> {
    let Command::Check(args) = command;
    let mut report = Report::new(args.format, Ink::of(global));
    let course = match common::course(global) {
        Ok(course) => course,
        Err(error) => match error.downcast::<BrokenCourse>() {
            Ok(BrokenCourse(mistakes)) => {
                for mistake in &mistakes {
                    report.mistake(Severity::Error, mistake)?;
                }
                return report.end();
            }
            Err(error) => return Err(error),
        },
    };
    let only = args.only.as_deref().map(|id| common::unit(&course, id)).transpose()?;
    let units: Vec<&Unit> = course.units().filter(|unit| only.is_none_or(|only| only.id == unit.id)).collect();
    let wanted = |part| args.part.is_empty() || args.part.contains(&part);
    if wanted(Part::Files) {
        files(&course, &mut report)?;
    }
    let reactor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let interrupted: Result<bool> = reactor.block_on(async {
        tokio::select! {
            result = async {
                for _ in 0..args.repeat {
                    live(&course, &units, &wanted, global, &mut report).await?;
                }
                Ok(false)
            } => result,
            _ = tokio::signal::ctrl_c() => Ok(true),
        }
    });
    // Runs that were dropped on Ctrl-C take their programs and servers along.
    reactor.shutdown_timeout(Duration::from_secs(5));
    if interrupted? {
        return Ok(ExitCode::from(EXIT_INTERRUPTED));
    }
    report.end()
}

async fn live(
    course: &Course,
    units: &[&Unit],
    wanted: &impl Fn(Part) -> bool,
    global: &Global,
    report: &mut Report,
) -> Result<()> {
    if wanted(Part::Blocks) {
        blocks::check(units, global, report).await.context("redis blocks")?;
    }
    if wanted(Part::Labs) {
        labs::check(units, global, report).await.context("labs")?;
    }
    if wanted(Part::Programs) {
        programs::check(course, units, report).await.context("programs")?;
    }
    Ok(())
}

/// What needs no server.
fn files(course: &Course, report: &mut Report) -> Result<()> {
    let findings = validate(course);
    for finding in &findings {
        report.mistake(finding.severity, &finding.diagnostic)?;
    }
    if !findings.iter().any(|finding| finding.severity == Severity::Error) {
        report.good("files", &format!("{} units", course.units().count()), Duration::ZERO)?;
    }
    Ok(())
}

/// Tells findings as they come, and keeps the count.
struct Report {
    format: Format,
    ink: Ink,
    good: usize,
    errors: usize,
    warnings: usize,
    unknown: usize,
    began: Instant,
}

impl Report {
    fn new(format: Format, ink: Ink) -> Self {
        Report { format, ink, good: 0, errors: 0, warnings: 0, unknown: 0, began: Instant::now() }
    }

    /// What is as it should be.
    fn good(&mut self, part: &str, what: &str, took: Duration) -> Result<()> {
        self.good += 1;
        self.tell(("ok", "32"), part, what, &[], took)
    }

    /// What is to be mended.
    fn bad(&mut self, part: &str, what: &str, details: &[String], took: Duration) -> Result<()> {
        self.errors += 1;
        self.tell(("error", "1;31"), part, what, details, took)
    }

    /// What could not be told: the machine's fault, or ours.
    fn unknown(&mut self, part: &str, what: &str, details: &[String], took: Duration) -> Result<()> {
        self.unknown += 1;
        self.tell(("unknown", "1;35"), part, what, details, took)
    }

    fn tell(
        &self,
        (verdict, style): (&str, &str),
        part: &str,
        what: &str,
        details: &[String],
        took: Duration,
    ) -> Result<()> {
        let mut out = io::stdout().lock();
        if self.format == Format::Json {
            let line = json!({ "part": part, "what": what, "verdict": verdict, "details": details, "ms": took.as_millis() as u64 });
            writeln!(out, "{line}")?;
            return Ok(());
        }
        let seconds = if took.is_zero() { String::new() } else { format!(" ({:.1} s)", took.as_secs_f64()) };
        writeln!(out, "{} {part}: {}{seconds}", self.ink.paint(style, &format!("{verdict:<7}")), printable(what))?;
        for detail in details.iter().flat_map(|detail| detail.lines()) {
            writeln!(out, "        {}", printable(detail))?;
        }
        Ok(())
    }

    /// A mistake in a file, with its excerpt.
    fn mistake(&mut self, severity: Severity, diagnostic: &Diagnostic) -> Result<()> {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        let mut out = io::stdout().lock();
        if self.format == Format::Json {
            let (line, column) = diagnostic.position();
            let verdict = if severity == Severity::Error { "error" } else { "warning" };
            let line = json!({
                "part": "files", "what": diagnostic.message, "verdict": verdict, "file": diagnostic.file,
                "line": line, "column": column, "help": diagnostic.help,
            });
            writeln!(out, "{line}")?;
        } else if severity == Severity::Error {
            writeln!(out, "{}\n", diagnostic.render(self.ink.colour))?;
        } else {
            writeln!(out, "{} {diagnostic}", self.ink.paint("33", "warning"))?;
        }
        Ok(())
    }

    /// The sum, and the exit code.
    fn end(&self) -> Result<ExitCode> {
        let Report { good, errors, warnings, unknown, .. } = self;
        let seconds = self.began.elapsed().as_secs_f64();
        let mut out = io::stdout().lock();
        if self.format == Format::Json {
            let line =
                json!({ "ok": good, "errors": errors, "warnings": warnings, "unknown": unknown, "seconds": seconds });
            writeln!(out, "{line}")?;
        } else {
            let line = format!("{good} ok, {errors} errors, {warnings} warnings, {unknown} unknown, {seconds:.1} s");
            writeln!(out, "{line}")?;
        }
        Ok(match (errors, unknown) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(EXIT_TOOL),
            _ => ExitCode::FAILURE,
        })
    }
}
