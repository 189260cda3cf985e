//! The `[exercise]` part of a `lab.toml`: what the learner builds and how it is judged.
//!
//! Owns: the types, strict parsing, and the mistakes that can be seen without running anything. Knows
//! no property: names and parameters of properties are validated by `check::validate`.

use std::{collections::HashSet, ops::Range, path::Path};

use serde::Deserialize;
use toml::Spanned;

use crate::diagnostic::Diagnostic;

/// One exercise.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// What is handed in.
    pub kind: ExerciseKind,
    /// `Flash sale`.
    pub title: String,
    /// What has to be built and why, as markdown.
    pub story: String,
    /// How many copies of the program run at once. At least 1.
    #[serde(default = "one")]
    pub instances: usize,
    /// Environment of the program, beside PORT, REDIS_URL, ORIGIN_URL and INSTANCE.
    #[serde(default)]
    pub env: Vec<EnvVar>,
    /// What the program must offer, beside `GET /healthz`.
    #[serde(default)]
    pub endpoints: Vec<Route>,
    /// What ORIGIN_URL offers to the program.
    #[serde(default)]
    pub origin: Vec<Route>,
    /// How it is judged, in order.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// General hints, shown before any check has failed.
    #[serde(default)]
    pub hints: Vec<Hint>,
    /// Programs that must pass.
    #[serde(default)]
    pub right: Vec<RightProgram>,
    /// Programs that must be rejected, each by its check.
    #[serde(default)]
    pub wrong: Vec<WrongProgram>,
}

/// What is handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExerciseKind {
    /// An HTTP service in any language.
    Service,
    /// A Lua script or function.
    Script,
    /// A state to reach from the console.
    Commands,
    /// A server configuration.
    Config,
    /// Standard input to standard output.
    Program,
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvVar {
    /// `LOCK_TTL_MS`.
    pub name: String,
    /// Default; a check may start the program with another.
    pub value: String,
    /// What it means, one sentence.
    pub meaning: String,
}

/// One endpoint, of the program or of the origin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// `GET`.
    pub method: String,
    /// `/buy/{item}`.
    pub path: String,
    /// What it does.
    pub does: String,
    /// Headers and body that a request carries, in words or as an example.
    #[serde(default)]
    pub request: Option<String>,
    /// What can come back.
    #[serde(default)]
    pub answers: Vec<Answer>,
}

/// One possible answer of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// `200`.
    pub status: u16,
    /// An example of the body.
    #[serde(default)]
    pub body: Option<String>,
    /// When it comes.
    pub when: String,
}

/// One check: a property of the program, with parameters.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// `expiry`; with the unit: `week2/locks#expiry`.
    pub id: Spanned<String>,
    /// `The lock expires, and is never without an expiry`.
    pub title: String,
    /// Name of a property in `check::property`.
    pub property: Spanned<String>,
    /// Checks that must pass before this one can be judged.
    #[serde(default)]
    pub after: Vec<Spanned<String>>,
    /// Parameters of the property, typed and documented by it.
    #[serde(default)]
    pub params: toml::Table,
    /// The heading of the lesson to read again.
    #[serde(default)]
    pub lesson: Option<String>,
    /// Hint levels for when this check failed, the vaguest first.
    #[serde(default)]
    pub hints: Vec<String>,
}

/// A general hint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    /// Markdown.
    pub text: String,
}

/// A program under `right/` that must pass.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RightProgram {
    /// Folder under `right/`.
    pub program: Spanned<String>,
    /// What it does differently from its siblings.
    pub approach: String,
}

/// A program under `wrong/` that must be rejected.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrongProgram {
    /// Folder under `wrong/`.
    pub program: Spanned<String>,
    /// The mistake, as one would tell it to its author.
    pub mistake: String,
    /// The check that must reject it.
    pub check: Spanned<String>,
}

fn one() -> usize {
    1
}

impl Exercise {
    /// The check of that id.
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|c| c.id.get_ref() == id)
    }

    /// The checks that `ids` need, themselves included, in the order of the exercise. No ids: all of them.
    pub fn with_dependencies(&self, ids: &[String]) -> Vec<&Check> {
        let mut wanted: HashSet<&str> = ids.iter().map(String::as_str).collect();
        // `after` names only earlier checks (see `validate`), so one pass from the back finds them all.
        for check in self.checks.iter().rev() {
            if wanted.contains(check.id.get_ref().as_str()) {
                wanted.extend(check.after.iter().map(|a| a.get_ref().as_str()));
            }
        }
        self.checks.iter().filter(|c| ids.is_empty() || wanted.contains(c.id.get_ref().as_str())).collect()
    }

    /// The mistakes that parsing alone does not see: duplicate ids, names that lead nowhere, nothing to judge.
    pub fn validate(&self, file: &Path, source: &str) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut report = |span: Range<usize>, message: String, label: &str, help: &str| {
            found.push(Diagnostic {
                file: file.to_path_buf(),
                source: source.to_owned(),
                span,
                message,
                label: label.to_owned(),
                help: Some(help.to_owned()),
            });
        };
        let mut seen = HashSet::new();
        for check in &self.checks {
            let id = check.id.get_ref().as_str();
            for after in &check.after {
                if !seen.contains(after.get_ref().as_str()) {
                    let message =
                        format!("check {id:?} comes after {:?}, which is not an earlier check", after.get_ref());
                    report(after.span(), message, "no earlier check has this id", "`after` names ids of checks above");
                }
            }
            if !seen.insert(id) {
                report(
                    check.id.span(),
                    format!("two checks are called {id:?}"),
                    "used before",
                    "give each check its own id",
                );
            }
        }
        for wrong in &self.wrong {
            if self.check(wrong.check.get_ref()).is_none() {
                let message = format!(
                    "{:?} is rejected by {:?}, which is no check here",
                    wrong.program.get_ref(),
                    wrong.check.get_ref()
                );
                report(wrong.check.span(), message, "no check has this id", "name the id of a check of this exercise");
            }
        }
        if self.checks.is_empty() || self.instances == 0 {
            let message = "an exercise needs at least one check and one instance".to_owned();
            report(0..0, message, "", "add [[exercise.checks]], and instances of 1 or more");
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        exercise: Exercise,
    }

    const SALE: &str = r#"
[exercise]
kind = "service"
title = "Flash sale"
story = "Sell."
instances = 3
[[exercise.env]]
name = "LOCK_TTL_MS"
value = "500"
meaning = "how long a lock lives"
[[exercise.endpoints]]
method = "POST"
path = "/buy/{item}"
does = "sells one"
answers = [{ status = 200, body = '{"sold":true,"left":3}', when = "sold" }, { status = 503, when = "busy" }]
[[exercise.checks]]
id = "serves"
title = "It sells"
property = "serves"
[[exercise.checks]]
id = "expiry"
title = "The lock expires"
property = "expiry-atomic"
after = ["serves"]
params = { slack-ms = 20 }
[[exercise.wrong]]
program = "setnx-expire"
mistake = "two commands"
check = "expiry"
"#;

    #[test]
    fn parses_and_finds_dependencies() {
        let file: File = toml::from_str(SALE).unwrap();
        assert_eq!(file.exercise.validate(Path::new("lab.toml"), SALE), []);
        let ids: Vec<_> =
            file.exercise.with_dependencies(&["expiry".into()]).iter().map(|c| c.id.get_ref().clone()).collect();
        assert_eq!(ids, ["serves", "expiry"]);
    }

    #[test]
    fn names_that_lead_nowhere_are_reported_where_they_stand() {
        let source = SALE
            .replace(r#"after = ["serves"]"#, r#"after = ["server"]"#)
            .replace(r#"check = "expiry""#, r#"check = "expire""#);
        let file: File = toml::from_str(&source).unwrap();
        let found = file.exercise.validate(Path::new("lab.toml"), &source);
        assert_eq!(found.len(), 2);
        assert_eq!(&source[found[0].span.clone()], "\"server\"");
        assert_eq!(&source[found[1].span.clone()], "\"expire\"");
    }

    #[test]
    fn unknown_fields_are_errors_with_a_place() {
        let source = SALE.replace("instances = 3", "instanses = 3");
        let error = toml::from_str::<File>(&source).unwrap_err();
        assert_eq!(&source[error.span().unwrap()], "instanses");
    }
}
