//! What is taught: weeks, units, lessons and labs as data, parsed strictly.
//!
//! Owns: the types, parsing, validation that needs no server. Must not know: screens, servers, running.
//! Every mistake in a course file is a [`Diagnostic`].
//!
//! ```text
//! lessons/week2/week.toml            title, summary, units in order
//! lessons/week2/locks.md             the lesson
//! labs/week2/locks/lab.toml          experiment and exercise
//! labs/week2/locks/right/NAME/…      programs that pass
//! labs/week2/locks/wrong/NAME/…      programs that one check rejects
//! assets/kits/python/…               starter kits
//! ```

pub mod claim;
pub mod exercise;
pub mod lab;
pub mod lesson;
mod load;
pub mod metric;
mod parser;
pub mod source;
pub mod starter;
mod unit_id;
pub mod validate;

use std::path::Path;

use serde::Deserialize;

pub use exercise::Exercise;
pub use lab::Experiment;
pub use lesson::{Block, Inline, Lesson};
pub use source::Source;
pub use unit_id::{UnitId, UnitIdError};

use crate::diagnostic::Diagnostic;

/// A whole course.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// In order.
    pub weeks: Vec<Week>,
    /// Where it was read from; [`Course::program`] reads more from it.
    pub source: Source,
}

/// `lessons/week2/week.toml` and its units.
#[derive(Debug, Clone, PartialEq)]
pub struct Week {
    /// 1-based.
    pub number: u8,
    /// `Backend patterns`.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// In reading order.
    pub units: Vec<Unit>,
}

/// One slug: its lesson, its lab, its exercise.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// `week2/locks`.
    pub id: UnitId,
    /// What is read.
    pub lesson: Lesson,
    /// What is run and checked, where the unit has a `lab.toml`.
    pub lab: Option<Lab>,
}

/// A `lab.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lab {
    /// What `cachelab lab` runs.
    pub experiment: Option<Experiment>,
    /// What `cachelab check` verifies.
    pub exercise: Option<Exercise>,
}

/// A program whose verdict is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramKind {
    /// Passes every check.
    Right,
    /// Is rejected by the check it names.
    Wrong,
}

/// A file of a program: path relative to the program's folder, content.
pub type ProgramFile = (String, Vec<u8>);

impl Course {
    /// The course inside the binary.
    pub fn embedded() -> Result<Course, Vec<Diagnostic>> {
        load::course(Source::Embedded)
    }

    /// The course in a folder that holds `lessons/` and `labs/`.
    pub fn load(dir: &Path) -> Result<Course, Vec<Diagnostic>> {
        load::course(Source::Folder(dir.to_owned()))
    }

    /// Every unit in reading order.
    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        self.weeks.iter().flat_map(|week| &week.units)
    }

    /// The unit of that id.
    pub fn unit(&self, id: &UnitId) -> Option<&Unit> {
        self.units().find(|unit| unit.id == *id)
    }

    /// The unit a person means: a full id, or a slug that only one week has. Else the nearest names.
    pub fn resolve(&self, text: &str) -> Result<&Unit, UnknownUnit> {
        let text = text.trim();
        if let Some(unit) = text.parse().ok().and_then(|id| self.unit(&id)) {
            return Ok(unit);
        }
        let mut same_slug = self.units().filter(|unit| unit.id.slug == text);
        match (same_slug.next(), same_slug.next()) {
            (Some(unit), None) => Ok(unit),
            _ => Err(UnknownUnit { asked: text.to_owned(), nearest: self.nearest(text) }),
        }
    }

    /// Up to three ids that look like `text`, best first.
    pub fn nearest(&self, text: &str) -> Vec<UnitId> {
        let text = text.trim().to_lowercase();
        let likeness = |unit: &Unit| {
            let full = strsim::jaro_winkler(&text, &unit.id.to_string());
            let slug = text.rsplit('/').next().unwrap_or(&text);
            let by_slug = strsim::jaro_winkler(slug, &unit.id.slug);
            let inside = slug.len() >= 3 && (unit.id.slug.contains(slug) || slug.contains(unit.id.slug.as_str()));
            // A shared "week2/" makes every id look alike: the slug decides, the whole breaks ties.
            by_slug + full / 10.0 + if inside { 0.3 } else { 0.0 }
        };
        let mut ranked: Vec<_> = self.units().map(|unit| (likeness(unit), &unit.id)).collect();
        ranked.retain(|(score, _)| *score > 0.75);
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked.into_iter().take(3).map(|(_, id)| id.clone()).collect()
    }

    /// The files of a program under `right/` or `wrong/`; empty if there is no such program.
    pub fn program(&self, unit: &UnitId, kind: ProgramKind, name: &str) -> std::io::Result<Vec<ProgramFile>> {
        let kind = match kind {
            ProgramKind::Right => "right",
            ProgramKind::Wrong => "wrong",
        };
        let folder = format!("labs/{unit}/{kind}/{name}");
        let mut files = Vec::new();
        for path in self.source.files_below(&folder)? {
            if let Some(bytes) = self.source.read(&format!("{folder}/{path}"))? {
                files.push((path, bytes.into_owned()));
            }
        }
        Ok(files)
    }
}

/// The blocks of markdown that stands in a `lab.toml`: a story, a hint.
pub fn markdown(text: &str) -> Vec<Block> {
    parser::markdown(text).0
}

/// No unit of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no unit {asked:?}")]
pub struct UnknownUnit {
    /// What was asked for.
    pub asked: String,
    /// What was perhaps meant, best first.
    pub nearest: Vec<UnitId>,
}
