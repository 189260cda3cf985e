//! Starter files.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};

use super::{
    Global,
    common::{self, Ink, Usage},
};
use crate::{
    course::{
        Unit,
        starter::{self, Starter, StarterError, Written},
    },
    progress::Change,
};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cachelab start week2/locks --lang python\n  \
                        cachelab start week2/locks --lang node --dir ~/src/sale\n\n\
                        The program may be in any language: cachelab.toml says how it is started.")]
pub struct Args {
    /// The unit
    #[arg(value_name = "ID")]
    id: String,
    /// The language of the starter: python, node
    #[arg(long, value_name = "LANGUAGE", default_value = "python")]
    lang: String,
    /// Where to put it [default: a folder named after the unit, as in ./week2-locks]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(args: Args, global: &Global) -> Result<ExitCode> {
    let course = common::course(global)?;
    let unit = common::unit(&course, &args.id)?;
    let starter = starter::render(&course, unit, &args.lang).map_err(|error| match error {
        StarterError::NoExercise(_) | StarterError::NoLanguage { .. } => Usage(error.to_string()).into(),
        StarterError::Kit(_) | StarterError::Io(_) => anyhow::Error::from(error),
    })?;
    let folder = args.dir.unwrap_or_else(|| PathBuf::from(starter::folder_name(&unit.id)));
    refuse_foreign(&folder, unit)?;
    let written = starter::write_new(&folder, &starter.files).with_context(|| folder.display().to_string())?;
    common::record(&unit.id, &Change::Folder { path: common::absolute(&folder)? });
    let mut out = io::stdout().lock();
    report(&mut out, &folder, &starter, &written, Ink::of(global))?;
    let languages = starter::languages(&course)?;
    let others: Vec<_> = languages.iter().filter(|l| l.id != starter.language).map(|l| l.id.as_str()).collect();
    writeln!(out, "Also in:      {} (--lang); any other language will do as well", others.join(", "))?;
    Ok(ExitCode::SUCCESS)
}

/// A folder that solves another exercise is not mixed with this one.
fn refuse_foreign(folder: &Path, unit: &Unit) -> Result<()> {
    match common::exercise_of(folder)? {
        Some(other) if other != unit.id.to_string() => {
            let text = format!("{} is the folder of {other}; give another with --dir", folder.display());
            Err(Usage(text).into())
        }
        _ => Ok(()),
    }
}

fn report(out: &mut impl Write, folder: &Path, starter: &Starter, written: &Written, ink: Ink) -> Result<()> {
    for path in &written.written {
        writeln!(out, "wrote    {}", path.display())?;
    }
    for path in &written.skipped {
        writeln!(out, "kept     {} (it was there; not overwritten)", path.display())?;
    }
    let folder = folder.display();
    writeln!(out, "\nThe contract: {folder}/README.md\nYour code:    {folder}/{}", starter.program)?;
    writeln!(out, "Then:         {}", ink.paint("1", &format!("cd {folder} && cachelab check")))?;
    writeln!(out, "Needed:       {}", starter.needs)?;
    Ok(())
}
