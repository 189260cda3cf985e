//! Reference solutions: programs that pass every check.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};

use super::{
    Global,
    common::{self, Ink, Usage, printable},
};
use crate::{
    course::{Course, Exercise, ProgramFile, ProgramKind, Unit, exercise::RightProgram, starter},
    progress::Change,
};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cachelab solution week2/locks\n  cachelab solution week2/locks --program node-renewing\n  \
                        cachelab solution week2/locks --give-up --dir ./reference"
)]
pub struct Args {
    /// The unit
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Show it before your own program passes
    #[arg(long)]
    give_up: bool,
    /// Which one, where there are several
    #[arg(long, value_name = "NAME")]
    program: Option<String>,
    /// Write its files into this folder instead of printing them
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(args: Args, global: &Global) -> Result<ExitCode> {
    let course = common::course(global)?;
    let progress = common::progress_or_none();
    let unit = common::unit_or_current(&course, args.id.as_deref(), &progress)?;
    let exercise = unit.lab.as_ref().and_then(|lab| lab.exercise.as_ref());
    let exercise = exercise.ok_or_else(|| Usage(format!("{} has no exercise, so it has no solution", unit.id)))?;
    let program = choose(exercise, args.program.as_deref())?;
    let passed = progress.unit(&unit.id).exercise.passed.is_some();
    if !passed && !args.give_up && !confirmed(unit)? {
        let text = format!("{} is not passed yet. `cachelab hint` helps; --give-up shows the solution", unit.id);
        return Err(Usage(text).into());
    }
    if !passed {
        common::record(&unit.id, &Change::GaveUp);
    }
    let files = files(&course, unit, program)?;
    let mut out = io::stdout().lock();
    match &args.dir {
        Some(folder) => write_files(&mut out, folder, &files)?,
        None => print(&mut out, exercise, program, &files, Ink::of(global))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A person at a terminal is asked; nobody else is.
fn confirmed(unit: &Unit) -> Result<bool> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(false);
    }
    eprint!("You have not passed {} yet. See the solution all the same? [y/N] ", unit.id);
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn choose<'a>(exercise: &'a Exercise, asked: Option<&str>) -> Result<&'a RightProgram> {
    let found = match asked {
        Some(name) => exercise.right.iter().find(|program| program.program.get_ref() == name),
        None => exercise.right.first(),
    };
    let known =
        || exercise.right.iter().map(|program| program.program.get_ref().as_str()).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| Usage(format!("there is no solution {:?}; there is {}", asked.unwrap_or(""), known())).into())
}

fn files(course: &Course, unit: &Unit, program: &RightProgram) -> Result<Vec<ProgramFile>> {
    let name = program.program.get_ref();
    let files = course.program(&unit.id, ProgramKind::Right, name)?;
    anyhow::ensure!(!files.is_empty(), "labs/{}/right/{name} is missing from the course", unit.id);
    Ok(files)
}

fn write_files(out: &mut impl Write, folder: &Path, files: &[ProgramFile]) -> Result<()> {
    let written = starter::write_new(folder, files).with_context(|| folder.display().to_string())?;
    for path in &written.written {
        writeln!(out, "wrote    {}", path.display())?;
    }
    for path in &written.skipped {
        writeln!(out, "kept     {} (it was there; not overwritten)", path.display())?;
    }
    Ok(())
}

fn print(
    out: &mut impl Write,
    exercise: &Exercise,
    program: &RightProgram,
    files: &[ProgramFile],
    ink: Ink,
) -> Result<()> {
    writeln!(out, "{}: {}", ink.paint("1", program.program.get_ref()), program.approach)?;
    for (path, content) in files {
        writeln!(out, "\n{}\n", ink.paint("1", &format!("== {path}")))?;
        write!(out, "{}", printable(&String::from_utf8_lossy(content)))?;
    }
    let others: Vec<_> = exercise.right.iter().filter(|other| other.program != program.program).collect();
    if !others.is_empty() {
        writeln!(out, "\nOther ways to do it:")?;
        for other in others {
            writeln!(out, "  --program {}: {}", other.program.get_ref(), other.approach)?;
        }
    }
    Ok(())
}
