//! From files to a [`Course`]: `week.toml`, lessons, `lab.toml`s, every mistake of every file at once.
//!
//! Owns: which files make a course. Must not know: what is inside a lesson.

use std::path::PathBuf;

use serde::{Deserialize, de::DeserializeOwned};
use toml::Spanned;

use super::{Course, Lab, Source, Unit, UnitId, Week, parser, unit_id::is_slug};
use crate::diagnostic::Diagnostic;

/// A file of a course with its text, for diagnostics.
pub(super) struct File {
    /// Relative to the course folder.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

impl File {
    /// Reads a UTF-8 file; a missing one is a diagnostic that says what it would hold.
    pub fn read(source: &Source, path: &str, purpose: &str) -> Result<File, Box<Diagnostic>> {
        match File::read_optional(source, path)? {
            Some(file) => Ok(file),
            None => Err(without_text(path, format!("{path} is missing"), Some(format!("it holds {purpose}")))),
        }
    }

    /// Reads a UTF-8 file if it is there.
    pub fn read_optional(source: &Source, path: &str) -> Result<Option<File>, Box<Diagnostic>> {
        let bytes = match source.read(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(error) => return Err(without_text(path, format!("{path} can't be read: {error}"), None)),
        };
        match String::from_utf8(bytes.into_owned()) {
            // Editors on Windows write \r\n; everything below counts on \n.
            Ok(text) => Ok(Some(File { path: path.to_owned(), text: text.replace("\r\n", "\n") })),
            Err(_) => Err(without_text(path, format!("{path} is not UTF-8 text"), None)),
        }
    }

    /// A mistake in this file.
    pub fn mistake(&self, span: std::ops::Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: PathBuf::from(&self.path),
            source: self.text.clone(),
            span,
            message: message.into(),
            label: String::new(),
            help: None,
        }
    }

    /// The whole file as TOML of type `T`.
    pub fn toml<T: DeserializeOwned>(&self) -> Result<T, Box<Diagnostic>> {
        toml::from_str(&self.text).map_err(|error| Box::new(self.toml_mistake(&error, 0)))
    }

    /// A TOML error found in the part of this file that starts at `offset`.
    pub fn toml_mistake(&self, error: &toml::de::Error, offset: usize) -> Diagnostic {
        let span = error.span().unwrap_or(0..0);
        let mut lines = error.message().lines();
        let mut mistake =
            self.mistake(span.start + offset..span.end + offset, lines.next().unwrap_or("invalid TOML").to_owned());
        let rest: Vec<_> = lines.collect();
        mistake.help = (!rest.is_empty()).then(|| rest.join("; "));
        mistake
    }
}

fn without_text(path: &str, message: String, help: Option<String>) -> Box<Diagnostic> {
    let (file, source, label) = (PathBuf::from(path), String::new(), String::new());
    Box::new(Diagnostic { file, source, span: 0..0, message, label, help })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WeekFile {
    title: String,
    summary: String,
    units: Vec<Spanned<String>>,
}

/// Reads a whole course, or every mistake in its files.
pub(super) fn course(source: Source) -> Result<Course, Vec<Diagnostic>> {
    let mut mistakes = Vec::new();
    let mut weeks = Vec::new();
    match week_numbers(&source) {
        Ok(numbers) => {
            for number in numbers {
                weeks.extend(week(&source, number, &mut mistakes));
            }
        }
        Err(mistake) => mistakes.push(*mistake),
    }
    if mistakes.is_empty() { Ok(Course { weeks, source }) } else { Err(mistakes) }
}

fn week_numbers(source: &Source) -> Result<Vec<u8>, Box<Diagnostic>> {
    let entries = source.list("lessons").map_err(|e| without_text("lessons", format!("can't be listed: {e}"), None))?;
    let numbers = entries.iter().filter(|e| e.folder).filter_map(|e| e.name.strip_prefix("week")?.parse().ok());
    let mut numbers: Vec<u8> = numbers.collect();
    numbers.sort_unstable();
    if numbers.is_empty() {
        let help = Some("a course folder holds lessons/week1/week.toml and lessons/week1/NAME.md".to_owned());
        return Err(without_text("lessons", "there is no lessons/week1: this is not a course".to_owned(), help));
    }
    Ok(numbers)
}

fn week(source: &Source, number: u8, mistakes: &mut Vec<Diagnostic>) -> Option<Week> {
    let path = format!("lessons/week{number}/week.toml");
    let parsed = File::read(source, &path, "title, summary and the list of units in order")
        .and_then(|file| file.toml::<WeekFile>().map(|week| (file, week)));
    let (file, week) = match parsed {
        Ok(parsed) => parsed,
        Err(mistake) => {
            mistakes.push(*mistake);
            return None;
        }
    };
    let mut units = Vec::new();
    for slug in &week.units {
        if !is_slug(slug.get_ref()) {
            let message = format!("{:?} is not a unit name: lower-case letters, digits, hyphens", slug.get_ref());
            mistakes.push(file.mistake(slug.span(), message));
            continue;
        }
        let id = UnitId { week: number, slug: slug.get_ref().clone() };
        units.extend(unit(source, id, (&file, slug.span()), mistakes));
    }
    Some(Week { number, title: week.title, summary: week.summary, units })
}

/// Reads one unit; `listed` is where `week.toml` names it.
fn unit(
    source: &Source,
    id: UnitId,
    listed: (&File, std::ops::Range<usize>),
    mistakes: &mut Vec<Diagnostic>,
) -> Option<Unit> {
    let path = format!("lessons/{id}.md");
    let lesson = match File::read_optional(source, &path) {
        Ok(Some(file)) => parser::lesson(&file, id.clone()).map(|parsed| parsed.lesson),
        Ok(None) => Err(vec![listed.0.mistake(listed.1, format!("{path} is missing"))]),
        Err(mistake) => Err(vec![*mistake]),
    };
    let lab = match File::read_optional(source, &format!("labs/{id}/lab.toml")) {
        Ok(file) => file.map(|file| lab(&file)).transpose(),
        Err(mistake) => Err(vec![*mistake]),
    };
    match (lesson, lab) {
        (Ok(lesson), Ok(lab)) => Some(Unit { id, lesson, lab }),
        (lesson, lab) => {
            mistakes.extend(lesson.err().into_iter().flatten());
            mistakes.extend(lab.err().into_iter().flatten());
            None
        }
    }
}

/// Reads a `lab.toml`, with the mistakes that TOML can't see.
fn lab(file: &File) -> Result<Lab, Vec<Diagnostic>> {
    let lab: Lab = file.toml().map_err(|mistake| vec![*mistake])?;
    let problems = lab.experiment.as_ref().map(super::Experiment::problems).unwrap_or_default();
    let mistake = |problem: super::lab::Problem| {
        let found = file.mistake(problem.span, problem.message);
        Diagnostic { label: problem.label, help: problem.help, ..found }
    };
    let mistakes: Vec<_> = problems.into_iter().map(mistake).collect();
    if mistakes.is_empty() { Ok(lab) } else { Err(mistakes) }
}
