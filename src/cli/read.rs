//! A lesson as text.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;

use super::{
    Format, Global, blocks,
    common::{self, Ink},
    render::{self, Show},
    server,
};
use crate::{
    console::BlockOutcome,
    course::{Course, Unit},
    progress::Change,
};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cachelab read week2/locks\n  cachelab read locks --plain | less\n  \
                        cachelab read week2/locks --run\n  cachelab read week2/locks --answers\n  cachelab read week2/locks --format json")]
pub struct Args {
    /// The unit: week2/locks, or its last part if only one unit has it
    #[arg(value_name = "ID")]
    id: String,
    /// With the answers of the questions, and why the wrong ones are wrong
    #[arg(long)]
    answers: bool,
    /// Run its redis blocks on a live server, and show what really comes
    #[arg(long, conflicts_with = "format")]
    run: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Runs the subcommand.
pub fn run(args: Args, global: &Global) -> Result<ExitCode> {
    let course = common::course(global)?;
    let unit = common::unit(&course, &args.id)?;
    let mut out = io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&unit.lesson)?)?,
        Format::Text => {
            let outcomes = if args.run { run_blocks(unit, global)? } else { Vec::new() };
            let show = Show { ink: Ink::of(global), answers: args.answers, outcomes: &outcomes };
            for line in text(&course, unit, show) {
                writeln!(out, "{line}")?;
            }
        }
    }
    out.flush()?;
    common::record(&unit.id, &Change::Read);
    Ok(ExitCode::SUCCESS)
}

/// Runs every redis block of the lesson, in order, on a live server.
fn run_blocks(unit: &Unit, global: &Global) -> Result<Vec<BlockOutcome>> {
    let options = server::options(global)?;
    let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcomes = reactor.block_on(async {
        let server = server::start(&options, global).await?;
        let outcomes = blocks::run_lesson(&unit.lesson, server.endpoint()).await;
        server.stop().await;
        outcomes
    })?;
    for (block, outcome) in unit.lesson.redis_blocks().zip(&outcomes) {
        common::record(&unit.id, &Change::BlockRun { block: block.index, matched: outcome.passed() });
    }
    Ok(outcomes)
}

fn text(course: &Course, unit: &Unit, show: Show<'_>) -> Vec<String> {
    let Show { ink, .. } = show;
    let lesson = &unit.lesson;
    let mut lines: Vec<String> =
        render::paragraph(&lesson.title, ink, ink.width).iter().map(|line| ink.paint("1", line)).collect();
    let ids: Vec<_> = lesson.prerequisites.iter().map(ToString::to_string).collect();
    let builds_on = if ids.is_empty() { String::new() } else { format!(", builds on {}", ids.join(", ")) };
    let facts = format!("{}, {} min{builds_on}", lesson.id, lesson.minutes);
    lines.extend(render::paragraph(&facts, ink, ink.width).iter().map(|line| ink.paint("2", line)));
    lines.push(String::new());
    lines.extend(render::blocks(&lesson.blocks, show, ink.width));
    lines.push(String::new());
    lines.extend(further(course, unit, ink));
    lines
}

/// What to type after reading.
fn further(course: &Course, unit: &Unit, ink: Ink) -> Vec<String> {
    let id = &unit.id;
    let mut steps = Vec::new();
    if unit.lesson.redis_blocks().next().is_some() {
        steps.push(("try the commands", "cachelab console".to_owned()));
        steps.push(("run them all", format!("cachelab read {id} --run")));
    }
    let lab = unit.lab.as_ref();
    if lab.is_some_and(|lab| lab.experiment.is_some()) {
        steps.push(("run the lab", format!("cachelab lab {id}")));
    }
    if lab.is_some_and(|lab| lab.exercise.is_some()) {
        steps.push(("begin the exercise", format!("cachelab start {id} --lang python")));
    }
    let next = course.units().skip_while(|other| other.id != *id).nth(1);
    steps.extend(next.map(|next| ("read on", format!("cachelab read {}", next.id))));
    steps.iter().map(|(what, command)| format!("{} {}", render::pad(what, 19), ink.paint("1", command))).collect()
}
