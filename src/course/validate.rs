//! What can be wrong with a course though every file parses, and needs no server to be seen: links,
//! lists against files, lab buttons, hints, known programs, length.
//!
//! Owns: questions across files. Must not know: servers, running.

use std::{collections::HashSet, ops::Range, path::Path};

use super::{
    Course, Exercise, Lesson, Unit, UnitId,
    lesson::{anchor, prose_words},
    load::File,
    metric::metric,
    parser::{self, Parsed},
};
use crate::diagnostic::Diagnostic;

/// What a lesson's prose should measure, in words.
pub const WORDS: std::ops::RangeInclusive<usize> = 800..=1500;

/// Something to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// An error fails `cachelab dev check`, a warning does not.
    pub severity: Severity,
    /// What and where.
    pub diagnostic: Diagnostic,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Must be mended.
    Error,
    /// Should be looked at.
    Warning,
}

/// Whether the unit's lab measures `variant.metric`, or `variant.phase.metric`.
fn predicted(unit: &Unit, reference: &str) -> Result<(), (String, String)> {
    let Some(experiment) = unit.lab.as_ref().and_then(|lab| lab.experiment.as_ref()) else {
        return Err((format!("{} has no lab to predict", unit.id), "add [experiment] to its lab.toml".to_owned()));
    };
    let (variant, name) = reference.split_once('.').unwrap_or((reference, ""));
    let variants: Vec<_> = experiment.variants.iter().map(|variant| variant.name.get_ref().as_str()).collect();
    if !variants.contains(&variant) {
        return Err((format!("the lab has no variant {variant:?}"), format!("it has {}", variants.join(", "))));
    }
    let in_phase = || name.split_once('.').and_then(|(_, name)| metric(name));
    match metric(name).or_else(in_phase) {
        Some(_) => Ok(()),
        None => Err((format!("nothing measures {name:?}"), "the names are in course::metric::METRICS".to_owned())),
    }
}

/// Everything wrong with a course that parsed.
pub fn validate(course: &Course) -> Vec<Finding> {
    let mut validator = Validator { course, findings: Vec::new() };
    for week in &course.weeks {
        validator.unlisted(week.number, &week.units);
        for unit in &week.units {
            validator.unit(unit);
        }
    }
    validator.findings
}

struct Validator<'a> {
    course: &'a Course,
    findings: Vec<Finding>,
}

impl Validator<'_> {
    fn error(&mut self, file: &File, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let mut diagnostic = file.mistake(span, message);
        diagnostic.help = Some(help.into()).filter(|help| !help.is_empty());
        self.findings.push(Finding { severity: Severity::Error, diagnostic });
    }

    fn take(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        let errors = diagnostics.into_iter().map(|diagnostic| Finding { severity: Severity::Error, diagnostic });
        self.findings.extend(errors);
    }

    /// A file of a course; it was there when the course was loaded.
    fn file(&mut self, path: &str) -> Option<File> {
        match File::read(&self.course.source, path, "a part of the course") {
            Ok(file) => Some(file),
            Err(diagnostic) => {
                self.take([*diagnostic]);
                None
            }
        }
    }

    /// Lessons and labs that no `week.toml` names would never be seen.
    fn unlisted(&mut self, week: u8, units: &[Unit]) {
        let slugs: HashSet<&str> = units.iter().map(|unit| unit.id.slug.as_str()).collect();
        let Some(file) = self.file(&format!("lessons/week{week}/week.toml")) else { return };
        let list = file.text.find("units").map_or(0..0, |at| at..at + "units".len());
        let source = &self.course.source;
        let lessons = source.list(&format!("lessons/week{week}")).unwrap_or_default();
        let lessons = lessons.iter().filter_map(|e| Some((e.name.strip_suffix(".md")?.to_owned(), ".md")));
        let labs = source.list(&format!("labs/week{week}")).unwrap_or_default();
        let labs = labs.iter().filter(|e| e.folder).map(|e| (e.name.clone(), "/lab.toml"));
        let forgotten: Vec<_> = lessons.chain(labs).filter(|(slug, _)| !slugs.contains(slug.as_str())).collect();
        for (slug, kind) in forgotten {
            let message = format!("week{week}/{slug}{kind} exists, but {slug:?} is not listed");
            self.error(&file, list.clone(), message, "add it to units, in reading order, or remove the file");
        }
        let mut seen = HashSet::new();
        for unit in units.iter().filter(|unit| !seen.insert(unit.id.slug.clone())) {
            self.error(&file, list.clone(), format!("{:?} is listed twice", unit.id.slug), "");
        }
    }

    fn unit(&mut self, unit: &Unit) {
        if let Some(file) = self.file(&format!("lessons/{}.md", unit.id))
            && let Ok(parsed) = parser::lesson(&file, unit.id.clone())
        {
            self.lesson(unit, &file, &parsed);
        }
        if unit.lab.is_some()
            && let Some(file) = self.file(&format!("labs/{}/lab.toml", unit.id))
        {
            self.lab(unit, &file);
        }
    }

    fn lesson(&mut self, unit: &Unit, file: &File, parsed: &Parsed) {
        for (id, span) in &parsed.prerequisites {
            self.prerequisite(&unit.id, file, id, span);
        }
        for (target, span) in &parsed.links {
            if let Err((message, help)) = self.link(&unit.lesson, target) {
                self.error(file, span.clone(), message, help);
            }
        }
        for (id, span) in &parsed.labs {
            let has_lab = |u: &Unit| u.lab.as_ref().is_some_and(|lab| lab.experiment.is_some());
            match self.course.unit(id) {
                None => self.error(file, span.clone(), format!("there is no unit {id}"), self.meant(&id.to_string())),
                Some(target) if !has_lab(target) => {
                    let help = format!("add [experiment] to labs/{id}/lab.toml");
                    self.error(file, span.clone(), format!("{id} has no lab"), help);
                }
                Some(_) => {}
            }
        }
        for (reference, span) in &parsed.metrics {
            if let Err((message, help)) = predicted(unit, reference) {
                self.error(file, span.clone(), message, help);
            }
        }
        let words = prose_words(&unit.lesson.blocks);
        if !WORDS.contains(&words) {
            let message = format!("the lesson has {words} words");
            let mut diagnostic = file.mistake(0..0, message);
            diagnostic.help = Some(format!("{} to {} are a good length", WORDS.start(), WORDS.end()));
            self.findings.push(Finding { severity: Severity::Warning, diagnostic });
        }
    }

    fn prerequisite(&mut self, unit: &UnitId, file: &File, id: &UnitId, span: &Range<usize>) {
        let order = |wanted: &UnitId| self.course.units().position(|u| u.id == *wanted);
        let (message, help) = match order(id) {
            None => (format!("there is no unit {id}"), self.meant(&id.to_string())),
            Some(position) if Some(position) >= order(unit) => {
                (format!("{id} does not come before {unit}"), "a prerequisite is an earlier unit".to_owned())
            }
            Some(_) => return,
        };
        self.error(file, span.clone(), message, help);
    }

    fn link(&self, lesson: &Lesson, target: &str) -> Result<(), (String, String)> {
        if target.starts_with("https://") || target.starts_with("http://") {
            return Ok(());
        }
        let (unit, heading) = target.split_once('#').unwrap_or((target, ""));
        let lesson = if unit.is_empty() {
            lesson
        } else {
            let help = "a link is https://…, a unit (week2/locks), or #a-heading";
            let id: UnitId = unit.parse().map_err(|_| (format!("{target:?} leads nowhere"), help.to_owned()))?;
            match self.course.unit(&id) {
                Some(unit) => &unit.lesson,
                None => return Err((format!("there is no unit {id}"), self.meant(unit))),
            }
        };
        let anchors: Vec<_> = lesson.headings().map(|(_, _, text)| anchor(&text)).collect();
        if target.contains('#') && !anchors.iter().any(|a| a == heading) {
            let known = anchors.iter().map(|a| format!("#{a}")).collect::<Vec<_>>().join(", ");
            return Err((format!("{} has no heading #{heading}", lesson.id), format!("it has {known}")));
        }
        Ok(())
    }

    fn meant(&self, text: &str) -> String {
        let nearest: Vec<_> = self.course.nearest(text).iter().map(ToString::to_string).collect();
        if nearest.is_empty() { String::new() } else { format!("did you mean {}?", nearest.join(" or ")) }
    }

    fn lab(&mut self, unit: &Unit, file: &File) {
        let Some(lab) = &unit.lab else { return };
        if lab.experiment.is_none() && lab.exercise.is_none() {
            self.error(file, 0..0, "the lab has neither [experiment] nor [exercise]", "add one, or remove the file");
        }
        if let Some(experiment) = &lab.experiment {
            for problem in experiment.problems() {
                let mut diagnostic = file.mistake(problem.span, problem.message);
                diagnostic.label = problem.label;
                diagnostic.help = problem.help;
                self.take([diagnostic]);
            }
        }
        if let Some(exercise) = &lab.exercise {
            self.take(exercise.validate(Path::new(&file.path), &file.text));
            self.teaching(unit, file, exercise);
            self.programs(unit, file, exercise);
        }
    }

    /// Hints and what to read again.
    fn teaching(&mut self, unit: &Unit, file: &File, exercise: &Exercise) {
        let headings: Vec<_> = unit.lesson.headings().map(|(_, _, text)| text).collect();
        for check in &exercise.checks {
            if check.hints.is_empty() || check.hints.iter().any(|hint| hint.trim().is_empty()) {
                let message = format!("check {:?} has no hint, or an empty one", check.id.get_ref());
                self.error(file, check.id.span(), message, "a failing check chooses the hint: give it hints = [\"…\"]");
            }
            for hint in &check.hints {
                self.markdown(file, check.id.span(), hint);
            }
            if let Some(lesson) = &check.lesson
                && !headings.contains(lesson)
            {
                let message = format!("the lesson has no heading {lesson:?}");
                let known = headings.iter().map(|h| format!("{h:?}")).collect::<Vec<_>>().join(", ");
                // The name stands below the id of its check.
                let below = check.id.span().end;
                let at = file.text[below..].find(lesson.as_str()).map(|at| below + at..below + at + lesson.len());
                let at = at.unwrap_or(check.id.span());
                self.error(file, at, message, format!("it has {known}"));
            }
        }
        let place = file.text.find("[exercise]").map_or(0..0, |at| at..at + "[exercise]".len());
        for text in exercise.hints.iter().map(|hint| &hint.text).chain([&exercise.story]) {
            self.markdown(file, place.clone(), text);
        }
        if exercise.hints.is_empty() || exercise.hints.iter().any(|hint| hint.text.trim().is_empty()) {
            let message = "the exercise has no general hint, or an empty one";
            self.error(file, place, message, "[[exercise.hints]] are shown while no check has failed");
        }
    }

    fn markdown(&mut self, file: &File, place: Range<usize>, text: &str) {
        for mistake in parser::markdown(text).1 {
            let line = mistake.position().0;
            self.error(file, place.clone(), format!("its text, line {line}: {}", mistake.message), "");
        }
    }

    /// Every known program is a folder with a `cachelab.toml`, and every folder is known.
    fn programs(&mut self, unit: &Unit, file: &File, exercise: &Exercise) {
        let right = exercise.right.iter().map(|p| &p.program).collect::<Vec<_>>();
        let wrong = exercise.wrong.iter().map(|p| &p.program).collect::<Vec<_>>();
        for (kind, programs) in [("right", right), ("wrong", wrong)] {
            let folder = format!("labs/{}/{kind}", unit.id);
            let found: Vec<_> = self.course.source.list(&folder).unwrap_or_default();
            for program in &programs {
                let manifest = format!("{folder}/{}/cachelab.toml", program.get_ref());
                if !matches!(self.course.source.read(&manifest), Ok(Some(_))) {
                    self.error(file, program.span(), format!("{manifest} is missing"), "it holds run = [\"…\"]");
                }
            }
            let known: HashSet<&str> = programs.iter().map(|p| p.get_ref().as_str()).collect();
            for entry in found.iter().filter(|e| e.folder && !known.contains(e.name.as_str())) {
                let message = format!("{folder}/{} is not listed", entry.name);
                self.error(file, 0..0, message, format!("add [[exercise.{kind}]] with program = {:?}", entry.name));
            }
        }
        if exercise.right.is_empty() {
            let at = file.text.find("[exercise]").map_or(0..0, |at| at..at + "[exercise]".len());
            self.error(file, at, "no program is known to pass", "add [[exercise.right]] and its folder under right/");
        }
    }
}
