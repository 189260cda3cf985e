//! Hints, one level at a time.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;
use serde_json::json;

use super::{
    Format, Global,
    common::{self, Ink, Usage},
    render::{self, Show},
};
use crate::{
    course::{Exercise, Unit, markdown},
    progress::{Change, ExerciseProgress},
};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cachelab hint                       for the check that failed last, in this folder's exercise\n  \
                        cachelab hint week2/locks\n  cachelab hint week2/locks#fencing\n\n\
                        Each call shows one level more; hints cost nothing."
)]
pub struct Args {
    /// The unit, or one check of it: week2/locks#fencing
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Show what was shown before, and nothing new
    #[arg(long)]
    again: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Runs the subcommand.
pub fn run(args: Args, global: &Global) -> Result<ExitCode> {
    let course = common::course(global)?;
    let progress = common::progress_or_none();
    let (id, check) = match args.id.as_deref().map(|id| id.split_once('#').unwrap_or((id, ""))) {
        Some((id, check)) => (Some(id), Some(check).filter(|check| !check.is_empty())),
        None => (None, None),
    };
    let unit = common::unit_or_current(&course, id, &progress)?;
    let exercise = unit.lab.as_ref().and_then(|lab| lab.exercise.as_ref());
    let exercise = exercise.ok_or_else(|| Usage(format!("{} has no exercise, so it has no hints", unit.id)))?;
    let done = &progress.unit(&unit.id).exercise;
    let hints = choose(unit, exercise, done, check)?;
    let before = done.hints.get(hints.check).copied().unwrap_or(0).min(hints.levels.len());
    let level = if args.again { before } else { (before + 1).min(hints.levels.len()) };
    if level > before {
        common::record(&unit.id, &Change::HintShown { check: hints.check.to_owned(), level });
    }
    let mut out = io::stdout().lock();
    match args.format {
        Format::Json => {
            let shown = &hints.levels[..level];
            let left = hints.levels.len() - level;
            let check = Some(hints.check).filter(|check| !check.is_empty());
            let value = json!({ "unit": unit.id, "check": check, "hints": shown, "left": left });
            writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        }
        Format::Text => text(&mut out, unit, &hints, (before, level), Ink::of(global))?,
    }
    Ok(ExitCode::SUCCESS)
}

struct Hints<'a> {
    /// Check id; empty: general hints.
    check: &'a str,
    /// For whom they are: `check fencing, which failed last`.
    about: String,
    levels: Vec<&'a str>,
}

/// The hints of the check that was named, else of the one that failed last, else the general ones.
fn choose<'a>(
    unit: &Unit,
    exercise: &'a Exercise,
    done: &ExerciseProgress,
    asked: Option<&str>,
) -> Result<Hints<'a>, Usage> {
    let named = asked.or(done.failing.as_deref());
    let check = named.and_then(|id| exercise.check(id));
    if let (Some(asked), None) = (asked, check) {
        let known: Vec<_> = exercise.checks.iter().map(|check| check.id.get_ref().as_str()).collect();
        return Err(Usage(format!("{} has no check {asked:?}; it has {}", unit.id, known.join(", "))));
    }
    Ok(match check {
        Some(check) => Hints {
            check: check.id.get_ref(),
            about: format!("{}: {}", check.id.get_ref(), check.title),
            levels: check.hints.iter().map(String::as_str).collect(),
        },
        None => Hints {
            check: "",
            about: format!("{}: no check has failed yet, so in general", unit.id),
            levels: exercise.hints.iter().map(|hint| hint.text.as_str()).collect(),
        },
    })
}

fn text(out: &mut impl Write, unit: &Unit, hints: &Hints<'_>, (before, level): (usize, usize), ink: Ink) -> Result<()> {
    let all = hints.levels.len();
    writeln!(out, "{}", ink.paint("1", &hints.about))?;
    // With nothing new to show, everything is shown again.
    let first = if level > before { before } else { 0 };
    for (index, hint) in hints.levels.iter().enumerate().take(level).skip(first) {
        writeln!(out, "\n{}", ink.paint("2", &format!("Hint {} of {all}", index + 1)))?;
        for line in render::blocks(&markdown(hint), Show::text(ink), ink.width) {
            writeln!(out, "{line}")?;
        }
    }
    writeln!(out)?;
    match all - level {
        0 => writeln!(out, "That was the last hint. `cachelab solution {}` shows solutions.", unit.id)?,
        1 => writeln!(out, "1 more hint remains: `cachelab hint` again.")?,
        left => writeln!(out, "{left} more hints remain: `cachelab hint` again.")?,
    }
    Ok(())
}
