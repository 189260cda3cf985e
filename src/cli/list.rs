//! The weeks and units.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;
use serde_json::json;

use super::{
    Format, Global,
    common::{self, Ink},
    render::pad,
};
use crate::{
    course::{Course, Unit},
    progress::{self, Progress, State, Step},
};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cachelab list\n  cachelab list --pending\n  cachelab list --format json")]
pub struct Args {
    /// Only units that are done
    #[arg(long, conflicts_with = "pending")]
    done: bool,
    /// Only units that are not done
    #[arg(long)]
    pending: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Runs the subcommand.
pub fn run(args: Args, global: &Global) -> Result<ExitCode> {
    let course = common::course(global)?;
    let progress = common::progress_or_none();
    let wanted = |unit: &Unit| {
        let done = progress::state(unit, progress.unit(&unit.id)) == State::Done;
        !(args.done && !done || args.pending && done)
    };
    let mut out = io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&as_json(&course, &progress, wanted))?)?,
        Format::Text => text(&mut out, &course, &progress, Ink::of(global), wanted)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What bare `cachelab` prints where there is no terminal to draw on.
pub fn without_terminal(global: &Global) -> Result<ExitCode> {
    let course = common::course(global)?;
    let progress = common::progress_or_none();
    let mut out = io::stdout().lock();
    text(&mut out, &course, &progress, Ink::of(global), |_| true)?;
    let why = if global.plain { "Without --plain" } else { "This is not a terminal. In one" };
    writeln!(out, "\n{why}, `cachelab` opens the course on the whole screen.")?;
    writeln!(out, "Here: cachelab read ID, cachelab lab ID, cachelab check ID; `cachelab --help` has all.")?;
    Ok(ExitCode::SUCCESS)
}

fn text(
    out: &mut impl Write,
    course: &Course,
    progress: &Progress,
    ink: Ink,
    wanted: impl Fn(&Unit) -> bool,
) -> Result<()> {
    let ids = course.units().map(|unit| unit.id.to_string().len()).max().unwrap_or(0);
    let titles = course.units().map(|unit| unit.lesson.title.chars().count()).max().unwrap_or(0);
    for week in &course.weeks {
        writeln!(out, "{}", ink.paint("1", &format!("Week {}: {}", week.number, week.title)))?;
        for unit in week.units.iter().filter(|unit| wanted(unit)) {
            let done = progress.unit(&unit.id);
            let state = progress::state(unit, done);
            let line = format!(
                "  {} {}  {}  {:>3} min  {}",
                mark(state, ink),
                pad(&unit.id.to_string(), ids),
                pad(&unit.lesson.title, titles),
                unit.lesson.minutes,
                ink.paint("2", &left(unit, progress)),
            );
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    match progress::next(course, progress) {
        Some(next) => writeln!(out, "\nNext ({}): {}", next.why, ink.paint("1", &command(&next, progress)))?,
        None => writeln!(out, "\nEverything is done.")?,
    }
    Ok(())
}

fn mark(state: State, ink: Ink) -> String {
    match (state, ink.drawing) {
        (State::Done, true) => ink.paint("32", "✓"),
        (State::Started, true) => ink.paint("33", "◐"),
        (State::New, true) => "·".to_owned(),
        (State::Done, false) => "[done]   ".to_owned(),
        (State::Started, false) => "[started]".to_owned(),
        (State::New, false) => "[new]    ".to_owned(),
    }
}

/// `read, lab run; exercise left`.
fn left(unit: &Unit, progress: &Progress) -> String {
    let name = |step: &Step| match step {
        Step::Read => "reading",
        Step::Lab => "lab",
        Step::Exercise => "exercise",
    };
    let done = progress.unit(&unit.id);
    if progress::state(unit, done) != State::Started {
        return String::new();
    }
    let left: Vec<_> = progress::steps(unit, done).iter().filter(|(_, done)| !done).map(|(s, _)| name(s)).collect();
    format!("left: {}", left.join(", "))
}

/// What to type for a step.
pub(super) fn command(next: &progress::Next, progress: &Progress) -> String {
    match next.step {
        Step::Read => format!("cachelab read {}", next.unit),
        Step::Lab => format!("cachelab lab {}", next.unit),
        Step::Exercise if progress.unit(&next.unit).exercise.folder.is_some() => {
            format!("cachelab check {}", next.unit)
        }
        Step::Exercise => format!("cachelab start {}", next.unit),
    }
}

fn as_json(course: &Course, progress: &Progress, wanted: impl Fn(&Unit) -> bool) -> serde_json::Value {
    let unit = |unit: &Unit| {
        let done = progress.unit(&unit.id);
        let steps: serde_json::Map<_, _> =
            progress::steps(unit, done).into_iter().map(|(step, done)| (json_name(step), json!(done))).collect();
        json!({
            "id": unit.id, "title": unit.lesson.title, "summary": unit.lesson.summary,
            "minutes": unit.lesson.minutes, "prerequisites": unit.lesson.prerequisites,
            "state": progress::state(unit, done), "steps": steps,
        })
    };
    let weeks = course.weeks.iter().map(|week| {
        let units: Vec<_> = week.units.iter().filter(|unit| wanted(unit)).map(unit).collect();
        json!({ "number": week.number, "title": week.title, "summary": week.summary, "units": units })
    });
    json!({ "weeks": weeks.collect::<Vec<_>>(), "next": progress::next(course, progress) })
}

fn json_name(step: Step) -> String {
    match step {
        Step::Read => "read",
        Step::Lab => "lab",
        Step::Exercise => "exercise",
    }
    .to_owned()
}
