//! What the subcommands share: finding the course, the unit and the learner's progress, and saying no.
//!
//! Owns: errors with an exit code of their own, colour and width of the terminal. Must not know any
//! one subcommand.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::Global;
use crate::{
    course::{Course, Unit, UnitId, UnknownUnit},
    diagnostic::Diagnostic,
    progress::{Change, Progress, Store},
};

/// What the user asked for can't be: exit code 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub String);

/// Course files with mistakes.
#[derive(Debug, thiserror::Error)]
#[error("the course can't be used: {} in its files", if .0.len() == 1 { "a mistake".to_owned() } else { format!("{} mistakes", .0.len()) })]
pub(super) struct BrokenCourse(pub Vec<Diagnostic>);

/// The course that `--course` names, or the one in the binary.
pub(super) fn course(global: &Global) -> Result<Course> {
    let Some(folder) = &global.course else { return Ok(Course::embedded().map_err(BrokenCourse)?) };
    if !folder.is_dir() {
        return Err(Usage(format!("--course {}: there is no such folder", folder.display())).into());
    }
    Ok(Course::load(folder).map_err(BrokenCourse)?)
}

/// The unit that was named; an unknown one is a usage error that says what was perhaps meant.
pub(super) fn unit<'a>(course: &'a Course, text: &str) -> Result<&'a Unit> {
    course.resolve(text).map_err(|error| Usage(unknown(&error)).into())
}

fn unknown(error: &UnknownUnit) -> String {
    let nearest: Vec<_> = error.nearest.iter().map(ToString::to_string).collect();
    let meant = match nearest.as_slice() {
        [] => String::new(),
        [one] => format!("Did you mean {one}? "),
        [most @ .., last] => format!("Did you mean {} or {last}? ", most.join(", ")),
    };
    format!("{error}. {meant}`cachelab list` shows all.")
}

/// The unit that was named, else the one whose exercise is in the present folder, else the one the learner was at.
pub(super) fn unit_or_current<'a>(course: &'a Course, text: Option<&str>, progress: &Progress) -> Result<&'a Unit> {
    if let Some(text) = text {
        return unit(course, text);
    }
    if let Some(id) = exercise_of(Path::new("."))? {
        return unit(course, &id);
    }
    let here = progress.here.as_ref().and_then(|place| course.unit(&place.unit));
    here.ok_or_else(|| Usage("which unit? For example week2/locks; `cachelab list` shows all.".to_owned()).into())
}

/// What the `cachelab.toml` in a folder says it solves: `exercise = "week2/locks"`.
pub(super) fn exercise_of(folder: &Path) -> Result<Option<String>> {
    let path = folder.join("cachelab.toml");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let table: toml::Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(table.get("exercise").and_then(|value| value.as_str()).map(str::to_owned))
}

/// The learner's progress and where it is kept. What happened to a damaged file is told on stderr.
pub(super) fn progress() -> Result<(Store, Progress)> {
    let store = Store::default_location()?;
    let loaded = store.load()?;
    if let Some(notice) = loaded.notice {
        eprintln!("cachelab: {notice}");
    }
    Ok((store, loaded.progress))
}

/// The learner's progress for showing it: what can't be read is told on stderr, and taken as none.
pub(super) fn progress_or_none() -> Progress {
    progress().map_or_else(
        |error| {
            eprintln!("cachelab: {error}");
            Progress::default()
        },
        |(_, progress)| progress,
    )
}

/// Notes what the learner did. That it can't be kept is told, and is no reason to fail.
pub(super) fn record(unit: &UnitId, change: &Change) {
    let kept = Store::default_location().and_then(|store| store.record(unit, change));
    if let Err(error) = kept {
        eprintln!("cachelab: progress is not kept: {error}");
    }
}

/// A folder as an absolute path, for the progress file.
pub(super) fn absolute(folder: &Path) -> Result<PathBuf> {
    std::path::absolute(folder).with_context(|| folder.display().to_string())
}

/// How to write for the present standard output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ink {
    /// ANSI colours and styles.
    pub colour: bool,
    /// Line drawing and other signs beyond ASCII words.
    pub drawing: bool,
    /// Columns to fill.
    pub width: usize,
}

impl Ink {
    /// From `--plain`, `NO_COLOR`, `CLICOLOR_FORCE`, `TERM` and whether a terminal is there.
    pub fn of(global: &Global) -> Ink {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = std::io::stdout().is_terminal() && !dumb;
        let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0" && !value.is_empty());
        let colour = !global.plain && !set("NO_COLOR") && (terminal || forced);
        Ink { colour, drawing: !global.plain && !dumb, width: width() }
    }

    /// `text` in an ANSI style (`1` bold, `2` dim, `36` cyan).
    pub fn paint(&self, style: &str, text: &str) -> String {
        if self.colour && !text.is_empty() && !style.is_empty() {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Columns of the terminal, at most what reads well; 80 where there is none.
fn width() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    let columns = asked.or_else(terminal).filter(|columns| *columns > 0).unwrap_or(80);
    columns.clamp(30, 100)
}

/// Text that came from a program, a server or a course file, with its control characters (but line
/// breaks and tabs) made visible.
pub(super) fn printable(text: &str) -> String {
    let visible = |c: char| {
        if c.is_control() && !matches!(c, '\n' | '\t') { c.escape_default().to_string() } else { c.to_string() }
    };
    text.chars().map(visible).collect()
}
