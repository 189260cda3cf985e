//! What was done.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;

use super::{
    Format, Global,
    common::{self, Ink},
    list,
};
use crate::{
    course::{Course, Unit},
    progress::{self, CheckOutcome, Progress, State, UnitProgress},
};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cachelab progress\n  cachelab progress --format json")]
pub struct Args {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Runs the subcommand.
pub fn run(args: Args, global: &Global) -> Result<ExitCode> {
    let course = common::course(global)?;
    let (store, progress) = common::progress()?;
    let mut out = io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&progress)?)?,
        Format::Text => {
            text(&mut out, &course, &progress, Ink::of(global))?;
            writeln!(out, "Kept in {}", store.path().display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn text(out: &mut impl Write, course: &Course, progress: &Progress, ink: Ink) -> Result<()> {
    let state = |unit: &Unit| progress::state(unit, progress.unit(&unit.id));
    for week in &course.weeks {
        let done = week.units.iter().filter(|unit| state(unit) == State::Done).count();
        let title = ink.paint("1", &format!("Week {}: {}", week.number, week.title));
        writeln!(out, "{title}, {done} of {} units done", week.units.len())?;
        for unit in week.units.iter().filter(|unit| state(unit) != State::New) {
            writeln!(out, "  {}: {}", unit.id, facts(unit, progress.unit(&unit.id)).join(", "))?;
        }
    }
    match progress::next(course, progress) {
        Some(next) => writeln!(out, "\nNext ({}): {}", next.why, ink.paint("1", &list::command(&next, progress)))?,
        None => writeln!(out, "\nEverything is done.")?,
    }
    Ok(())
}

fn facts(unit: &Unit, done: &UnitProgress) -> Vec<String> {
    let mut facts = Vec::new();
    if done.read.is_some() {
        facts.push("read".to_owned());
    } else if done.opened.is_some() {
        facts.push("opened".to_owned());
    }
    let blocks = unit.lesson.redis_blocks().count();
    if !done.blocks.is_empty() {
        facts.push(format!("{} of {blocks} blocks run", done.blocks.len()));
    }
    if !done.quizzes.is_empty() {
        let first = done.quizzes.values().filter(|answer| answer.first_try).count();
        let right = done.quizzes.values().filter(|answer| answer.correct).count();
        let all = unit.lesson.quizzes().count();
        facts.push(format!("{right} of {all} questions right ({first} at the first try)"));
    }
    if done.lab.runs > 0 {
        facts.push(format!("lab run {} times", done.lab.runs).replace(" 1 times", " once"));
    }
    let exercise = &done.exercise;
    if exercise.attempts == 0 && exercise.folder.is_some() {
        facts.push("exercise begun".to_owned());
    }
    if exercise.attempts > 0 {
        let all = unit.lab.as_ref().and_then(|lab| lab.exercise.as_ref()).map_or(0, |e| e.checks.len());
        let passed = exercise.checks.values().filter(|outcome| **outcome == CheckOutcome::Pass).count();
        facts.push(if exercise.passing {
            "exercise passed".to_owned()
        } else if exercise.passed.is_some() {
            "exercise passed once, but no longer".to_owned()
        } else {
            format!("{passed} of {all} checks pass")
        });
    }
    let hints: usize = exercise.hints.values().sum();
    if hints > 0 {
        facts.push(format!("{hints} hints").replace("1 hints", "1 hint"));
    }
    facts
}
