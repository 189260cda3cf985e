//! `cachelab.toml` in the learner's folder: how to set up and start the program.
//!
//! Owns: the schema and its mistakes, each with a place. Must not know: how anything is run.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;

use crate::diagnostic::Diagnostic;

/// The file's name.
pub const MANIFEST: &str = "cachelab.toml";

/// A parsed `cachelab.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The exercise this folder solves: `week2/locks`.
    #[serde(default)]
    pub exercise: Option<String>,
    /// Program and arguments; run in the folder.
    pub run: Spanned<Vec<String>>,
    /// Commands to run once, again only when dependency files change.
    #[serde(default)]
    pub setup: Vec<Vec<String>>,
    /// Command or commands to run when any source file has changed.
    #[serde(default)]
    pub build: Commands,
    /// More environment for all of them.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// A requirements file: cachelab keeps a virtual environment for it and puts it first on PATH.
    #[serde(default)]
    pub python: Option<Spanned<String>>,
}

/// One command, or several.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Commands {
    /// `["cargo", "build"]`.
    One(Vec<String>),
    /// `[["make", "deps"], ["make"]]`.
    Several(Vec<Vec<String>>),
}

impl Default for Commands {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Commands {
    /// All of them, in order.
    pub fn all(&self) -> Vec<Vec<String>> {
        match self {
            Self::One(command) => vec![command.clone()],
            Self::Several(commands) => commands.clone(),
        }
    }
}

/// Why a folder cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// No such folder.
    #[error("there is no folder {}\nGive the folder of your program with --dir, or make one: cachelab start UNIT --lang LANGUAGE", .0.display())]
    NoFolder(PathBuf),
    /// No `cachelab.toml` in it.
    #[error("{} has no {MANIFEST}\nIt tells how to start your program. The least that works: run = [\"python3\", \"main.py\"]", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{}", .0.render(false).trim_end())]
    Invalid(Box<Diagnostic>),
}

/// The exercise that the program in a folder says it solves.
pub fn exercise_of(folder: &Path) -> Result<Option<String>, ManifestError> {
    Ok(Manifest::read(folder)?.exercise)
}

impl Manifest {
    /// Reads the manifest of a folder.
    pub fn read(folder: &Path) -> Result<Self, ManifestError> {
        if !folder.is_dir() {
            return Err(ManifestError::NoFolder(folder.to_path_buf()));
        }
        let file = folder.join(MANIFEST);
        let source = match std::fs::read_to_string(&file) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ManifestError::Missing(folder.to_path_buf()));
            }
            Err(source) => return Err(ManifestError::Unreadable { file, source }),
        };
        let manifest = Self::parse(&source, &file)?;
        if let Some(python) = &manifest.python
            && !folder.join(python.get_ref()).is_file()
        {
            let message = format!("python names {:?}, which is not a file here", python.get_ref());
            let help = "name a requirements file in this folder, or leave `python` out";
            return Err(invalid(&file, &source, python.span(), &message, "no such file", help));
        }
        Ok(manifest)
    }

    fn parse(source: &str, file: &Path) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(source).map_err(|error| {
            let help = "fields: run (needed), exercise, python, setup, build, env; run = [\"python3\", \"main.py\"]";
            let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
            let span = error.span().filter(|s| s.start < source.len()).unwrap_or(0..source.len().min(1));
            invalid(file, source, span, &message, "here", help)
        })?;
        let run = manifest.run.get_ref();
        if run.first().is_none_or(|program| program.trim().is_empty()) {
            let help = "the program and its arguments, each a string: run = [\"python3\", \"main.py\"]";
            return Err(invalid(file, source, manifest.run.span(), "`run` names no program", "empty", help));
        }
        if manifest.setup.iter().chain(&manifest.build.all()).any(Vec::is_empty) {
            return Err(invalid(file, source, 0..0, "`setup` or `build` has an empty command", "", "remove it"));
        }
        Ok(manifest)
    }
}

fn invalid(
    file: &Path,
    source: &str,
    span: std::ops::Range<usize>,
    message: &str,
    label: &str,
    help: &str,
) -> ManifestError {
    ManifestError::Invalid(Box::new(Diagnostic {
        file: file.file_name().map_or_else(|| file.to_path_buf(), PathBuf::from),
        source: source.to_owned(),
        span,
        message: message.to_owned(),
        label: label.to_owned(),
        help: Some(help.to_owned()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(source: &str) -> String {
        Manifest::parse(source, Path::new("cachelab.toml")).unwrap_err().to_string()
    }

    #[test]
    fn one_build_command_or_several() {
        let one = Manifest::parse("run = ['./app']\nbuild = ['cargo', 'build']", Path::new("x")).unwrap();
        assert_eq!(one.build.all(), [["cargo", "build"]]);
        let two = Manifest::parse("run = ['./app']\nbuild = [['a'], ['b']]", Path::new("x")).unwrap();
        assert_eq!(two.build.all(), [["a"], ["b"]]);
    }

    #[test]
    fn mistakes_are_shown_where_they_stand() {
        assert!(error("rum = ['x']").contains("cachelab.toml:1:1"), "{}", error("rum = ['x']"));
        assert!(error("exercise = 'week2/locks'").contains("missing field `run`"));
        assert!(error("run = []").contains("names no program"));
        assert!(error("run = 'python3 main.py'").contains("run"));
    }
}
