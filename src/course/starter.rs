//! Starters: the files a learner begins with, rendered from the exercise's data and a language's kit.
//!
//! Owns: kits, the README of a contract, writing without ever overwriting. Must not know any one
//! exercise or language.
//!
//! A kit is `assets/kits/LANGUAGE/kit.toml` with `files/` beside it; both hold `{{words}}` that are
//! filled in here, so that every exercise is offered in every language.

mod readme;

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    Course, Exercise, Source, Unit, UnitId,
    exercise::{EnvVar, Route},
    load::File,
};
use crate::diagnostic::Diagnostic;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kit {
    /// For people.
    name: String,
    aliases: Vec<String>,
    /// The file the learner edits.
    program: String,
    /// What must be installed, and what cachelab installs.
    needs: String,
    case: Case,
    /// The rest of `cachelab.toml`.
    manifest: String,
    /// A variable of the environment that is a number.
    number: String,
    /// Any other variable.
    text: String,
    /// Begins a line of comment in a handler.
    comment: String,
    /// One endpoint's function.
    handler: String,
    /// One endpoint's line in the table of routes.
    route: String,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Case {
    Snake,
    Camel,
}

/// A language that starters exist for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language {
    /// For `--lang`: `python`.
    pub id: String,
    /// For people: `Python`.
    pub name: String,
    /// Other names that `--lang` takes.
    pub aliases: Vec<String>,
}

/// What a learner begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starter {
    /// [`Language::id`].
    pub language: String,
    /// Path in the learner's folder, and content.
    pub files: Vec<(String, String)>,
    /// Which of them is to be edited.
    pub program: String,
    /// What must be installed.
    pub needs: String,
}

/// Why there is no starter.
#[derive(Debug, thiserror::Error)]
pub enum StarterError {
    /// The unit has none.
    #[error("{0} has no exercise to start")]
    NoExercise(String),
    /// No kit of that name.
    #[error("there is no starter in {asked:?}; there is {}", .known.join(", "))]
    NoLanguage {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A kit is broken.
    #[error("{0}")]
    Kit(Box<Diagnostic>),
    /// The kits can't be listed.
    #[error("assets/kits: {0}")]
    Io(#[from] io::Error),
}

/// The languages of a course's kits; a course without kits has those of cachelab.
pub fn languages(course: &Course) -> Result<Vec<Language>, StarterError> {
    let kits = kits(course)?;
    Ok(kits.1.into_iter().map(|(id, kit)| Language { id, name: kit.name, aliases: kit.aliases }).collect())
}

/// The starter of a unit in a language.
pub fn render(course: &Course, unit: &Unit, language: &str) -> Result<Starter, StarterError> {
    let exercise = unit.lab.as_ref().and_then(|lab| lab.exercise.as_ref());
    let exercise = exercise.ok_or_else(|| StarterError::NoExercise(unit.id.to_string()))?;
    let (source, kits) = kits(course)?;
    let asked = language.to_lowercase();
    let known = kits.iter().map(|(id, _)| id.clone()).collect();
    let found = kits.into_iter().find(|(id, kit)| *id == asked || kit.aliases.contains(&asked));
    let (id, kit) = found.ok_or(StarterError::NoLanguage { asked, known })?;
    let words = words(unit, exercise, &kit);
    let folder = format!("assets/kits/{id}/files");
    let mut files = Vec::new();
    for path in source.files_below(&folder)? {
        let file =
            File::read(&source, &format!("{folder}/{path}"), "a file of a starter").map_err(StarterError::Kit)?;
        files.push((path, fill(&file.text, &words)));
    }
    files.push(("README.md".to_owned(), readme::text(unit, exercise, &kit.name, &kit.program, &kit.needs)));
    files.push(("cachelab.toml".to_owned(), format!("exercise = \"{}\"\n{}", unit.id, kit.manifest)));
    files.sort();
    Ok(Starter { language: id, files, program: kit.program, needs: kit.needs })
}

fn kits(course: &Course) -> Result<(Source, Vec<(String, Kit)>), StarterError> {
    let own = !course.source.list("assets/kits")?.is_empty();
    let source = if own { course.source.clone() } else { Source::Embedded };
    let mut kits = Vec::new();
    for entry in source.list("assets/kits")?.into_iter().filter(|entry| entry.folder) {
        let path = format!("assets/kits/{}/kit.toml", entry.name);
        let file = File::read(&source, &path, "how a starter is rendered").map_err(StarterError::Kit)?;
        kits.push((entry.name, file.toml().map_err(StarterError::Kit)?));
    }
    Ok((source, kits))
}

type Words = Vec<(&'static str, String)>;

/// Replaces `{{name}}` for every known name.
fn fill(template: &str, words: &Words) -> String {
    words.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

fn words(unit: &Unit, exercise: &Exercise, kit: &Kit) -> Words {
    // The kit answers /healthz itself.
    let routes: Vec<_> = exercise.endpoints.iter().filter(|route| route.path != "/healthz").collect();
    let join = |template: &str, gap: &str| {
        let rendered =
            routes.iter().map(|route| fill(template, &route_words(route, kit)).trim_matches('\n').to_owned());
        rendered.collect::<Vec<_>>().join(gap)
    };
    let origin = exercise.origin.first();
    let origin_path = origin.map_or("/", |route| route.path.as_str());
    vec![
        ("title", exercise.title.clone()),
        ("unit", unit.id.to_string()),
        ("slug", unit.id.slug.clone()),
        ("variables", exercise.env.iter().map(|env| variable(env, kit)).collect::<Vec<_>>().join("\n")),
        ("handlers", join(&kit.handler, if matches!(kit.case, Case::Snake) { "\n\n\n" } else { "\n\n" })),
        ("routes", join(&kit.route, "\n")),
        ("origin-method", origin.map_or("GET", |route| route.method.as_str()).to_owned()),
        ("origin-path", origin_path.to_owned()),
        ("js-origin-path", origin_path.replace('{', "${")),
    ]
}

fn variable(env: &EnvVar, kit: &Kit) -> String {
    let template = if env.value.parse::<i64>().is_ok() { &kit.number } else { &kit.text };
    let first_sentence = env.meaning.split(". ").next().unwrap_or(&env.meaning).trim_end_matches('.');
    fill(template, &vec![("name", env.name.clone()), ("meaning", first_sentence.replace('\n', " "))])
}

fn route_words(route: &Route, kit: &Kit) -> Words {
    let segments: Vec<&str> = route.path.trim_matches('/').split('/').filter(|s| !s.is_empty()).collect();
    let parameter = |segment: &&str| segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')).map(str::to_owned);
    let parameters: Vec<String> = segments.iter().filter_map(parameter).collect();
    let fixed = segments.iter().filter(|segment| parameter(segment).is_none());
    let parts: Vec<String> = std::iter::once(route.method.to_lowercase()).chain(fixed.map(|s| identifier(s))).collect();
    // Python names a group (?P<x>…), JavaScript (?<x>…).
    let pattern = |group: &str, slash: &str| {
        let part = |segment: &&str| match parameter(segment) {
            Some(name) => format!("{slash}({group}<{}>[^/]+)", identifier(&name)),
            None => format!("{slash}{}", segment.replace('.', "\\.")),
        };
        segments.iter().map(part).collect::<String>()
    };
    let names = std::iter::once("request".to_owned()).chain(parameters.iter().map(|name| identifier(name)));
    let names = names.collect::<Vec<_>>().join(", ");
    vec![
        ("handler", cased(&parts, kit.case)),
        ("parameters", if matches!(kit.case, Case::Camel) { format!("{{ {names} }}") } else { names }),
        ("method", route.method.clone()),
        ("path", route.path.clone()),
        ("pattern", pattern("?P", "/")),
        ("js-pattern", pattern("?", "\\/")),
        ("contract", comment(route, &kit.comment)),
    ]
}

fn identifier(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

fn cased(parts: &[String], case: Case) -> String {
    match case {
        Case::Snake => parts.join("_"),
        Case::Camel => {
            let capital = |part: &String| {
                let mut chars = part.chars();
                chars.next().map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + chars.as_str())
            };
            parts.iter().take(1).cloned().chain(parts.iter().skip(1).map(capital)).collect()
        }
    }
}

/// What an endpoint does and answers, as lines of comment.
fn comment(route: &Route, prefix: &str) -> String {
    let width = 110 - prefix.len();
    let words = route.does.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = textwrap::wrap(&words, width).into_iter().map(Into::into).collect();
    for answer in &route.answers {
        let body = answer.body.as_deref().map_or_else(String::new, |body| format!(" {body}"));
        let text = format!("{}{body}: {}", answer.status, answer.when);
        lines.extend(
            textwrap::wrap(&text, textwrap::Options::new(width).initial_indent("  ").subsequent_indent("      "))
                .into_iter()
                .map(String::from),
        );
    }
    lines.iter().map(|line| format!("{prefix}{line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The folder a starter is put in, below the one we are in: `week2-locks`.
pub fn folder_name(unit: &UnitId) -> String {
    format!("week{}-{}", unit.week, unit.slug)
}

/// Where a learner's program is: the present folder if it says that it solves the exercise, else the
/// starter's folder in it, else the one that is remembered.
pub fn find(here: &Path, unit: &UnitId, remembered: Option<PathBuf>) -> Option<PathBuf> {
    let solves = |folder: &PathBuf| {
        let manifest = std::fs::read_to_string(folder.join("cachelab.toml")).unwrap_or_default();
        let table: toml::Table = toml::from_str(&manifest).unwrap_or_default();
        table.get("exercise").and_then(toml::Value::as_str) == Some(&unit.to_string())
    };
    let near = [here.to_path_buf(), here.join(folder_name(unit))].into_iter().find(solves);
    near.or(remembered).filter(|folder| folder.is_dir())
}

/// What became of each file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// New.
    pub written: Vec<PathBuf>,
    /// Was there already, and was left as it is.
    pub skipped: Vec<PathBuf>,
}

/// Writes files into a folder (made if need be); what is there already is never touched.
pub fn write_new<C: AsRef<[u8]>>(folder: &Path, files: &[(String, C)]) -> io::Result<Written> {
    let mut result = Written::default();
    for (path, content) in files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(content.as_ref()).inspect_err(|_| {
                    // Half a file would be kept for ever as the learner's.
                    let _ = std::fs::remove_file(&path);
                })?;
                result.written.push(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => result.skipped.push(path),
            Err(error) => return Err(error),
        }
    }
    Ok(result)
}
