//! How far a unit is, and what to do next.
//!
//! Owns: the one answer that the home screen, `list` and `progress` give. Must not know how it is shown.

use serde::Serialize;

use super::{Progress, UnitProgress};
use crate::course::{Course, Unit, UnitId};

/// How far the learner is with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Never opened.
    New,
    /// Something was done, something is left.
    Started,
    /// Read, its lab run, its exercise passed, as far as it has them.
    Done,
}

/// What a unit offers to do, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Read the lesson.
    Read,
    /// Run the lab.
    Lab,
    /// Write the program and have it checked.
    Exercise,
}

/// The next thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Next {
    /// In this unit.
    pub unit: UnitId,
    /// This.
    pub step: Step,
    /// Why, one clause: `you were here`, `the exercise no longer passes`.
    pub why: &'static str,
}

/// The steps of a unit with whether each is done.
pub fn steps(unit: &Unit, done: &UnitProgress) -> Vec<(Step, bool)> {
    let mut steps = vec![(Step::Read, done.read.is_some())];
    if let Some(lab) = &unit.lab {
        if lab.experiment.is_some() {
            steps.push((Step::Lab, done.lab.runs > 0));
        }
        if lab.exercise.is_some() {
            steps.push((Step::Exercise, done.exercise.passing));
        }
    }
    steps
}

/// How far a unit is.
pub fn state(unit: &Unit, done: &UnitProgress) -> State {
    if steps(unit, done).iter().all(|(_, done)| *done) {
        State::Done
    } else if *done == UnitProgress::default() {
        State::New
    } else {
        State::Started
    }
}

/// What to do next: go on where the learner was, then mend what broke, then what was begun, then the
/// first unit that is new. `None`: everything is done.
pub fn next(course: &Course, progress: &Progress) -> Option<Next> {
    let open = |unit: &Unit| steps(unit, progress.unit(&unit.id)).into_iter().find(|(_, done)| !done).map(|(s, _)| s);
    let found = |unit: &Unit, why| Some(Next { unit: unit.id.clone(), step: open(unit)?, why });
    let here = progress.here.as_ref().and_then(|place| course.unit(&place.unit));
    if let Some(next) = here.and_then(|unit| found(unit, "you were here")) {
        return Some(next);
    }
    let done = |unit: &Unit| progress.unit(&unit.id);
    let broken = |unit: &&Unit| done(unit).exercise.passed.is_some() && !done(unit).exercise.passing;
    let begun = |unit: &&Unit| state(unit, done(unit)) == State::Started;
    let fresh = |unit: &&Unit| state(unit, done(unit)) == State::New;
    let first = |wanted: &dyn Fn(&&Unit) -> bool, why| course.units().find(wanted).and_then(|unit| found(unit, why));
    first(&broken, "it passed once and no longer does")
        .or_else(|| first(&begun, "you began it"))
        .or_else(|| first(&fresh, "it is the next new one"))
}
