//! What the learner did: read, run, answered, predicted, passed, and where they were.
//!
//! Owns: one versioned, atomically written, human-readable file keyed by unit id. Must not know:
//! screens, servers, who reports what was done.
//!
//! [`Progress`] is the data and what a [`Change`] does to it; [`Store`] keeps it in a file. A front
//! end loads once, and records one change after the other:
//!
//! ```no_run
//! # fn main() -> Result<(), cachelab::progress::ProgressError> {
//! use cachelab::progress::{Change, Store};
//! let store = Store::default_location()?;
//! let loaded = store.load()?;
//! if let Some(notice) = &loaded.notice {
//!     eprintln!("{notice}");
//! }
//! let unit = "week2/locks".parse().expect("a unit id");
//! let progress = store.record(&unit, &Change::Read)?;
//! assert!(progress.unit(&unit).read.is_some());
//! # Ok(())
//! # }
//! ```

mod next;
mod store;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

pub use next::{Next, State, Step, next, state, steps};
pub use store::{Loaded, ProgressError, Store};

use crate::course::UnitId;

/// Version of the file this program reads and writes. It grows with every field that is added,
/// because an older cachelab would drop what it does not know.
pub const VERSION: u32 = 1;

/// Everything the learner did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// [`VERSION`] of the program that wrote it.
    pub version: u32,
    /// Where the learner was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub here: Option<Place>,
    /// What was done, by unit.
    #[serde(default)]
    pub units: BTreeMap<UnitId, UnitProgress>,
}

impl Default for Progress {
    fn default() -> Self {
        Progress { version: VERSION, here: None, units: BTreeMap::new() }
    }
}

/// A place in the course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The unit.
    pub unit: UnitId,
    /// Index of the lesson's block at the top of the screen: it survives a change of width.
    pub block: usize,
}

/// Seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Now, by the wall clock.
    pub fn now() -> Self {
        // A clock before 1970 has no better answer than 0.
        Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()))
    }
}

/// What was done in one unit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UnitProgress {
    /// First opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened: Option<Timestamp>,
    /// Read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<Timestamp>,
    /// The lesson block the learner was at, see [`Place::block`].
    #[serde(skip_serializing_if = "is_default")]
    pub block: usize,
    /// Redis blocks that were run, by index: the last run.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub blocks: BTreeMap<usize, BlockRun>,
    /// Quiz answers, by quiz id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub quizzes: BTreeMap<String, QuizAnswer>,
    /// Predictions, by id, as given before the lab ran.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub predictions: BTreeMap<String, Prediction>,
    /// The lab.
    #[serde(skip_serializing_if = "is_default")]
    pub lab: LabProgress,
    /// The exercise.
    #[serde(skip_serializing_if = "is_default")]
    pub exercise: ExerciseProgress,
}

/// A redis block was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRun {
    /// When last.
    pub at: Timestamp,
    /// Every reply was as the lesson says.
    pub matched: bool,
}

/// A quiz was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuizAnswer {
    /// When last.
    pub at: Timestamp,
    /// The last answer was right.
    pub correct: bool,
    /// The first answer was right.
    pub first_try: bool,
    /// How often it was answered.
    pub attempts: u32,
}

/// A guess about a lab.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// When.
    pub at: Timestamp,
    /// The number.
    pub value: f64,
}

/// What was done with the lab.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LabProgress {
    /// Runs that reached their end.
    pub runs: u32,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

/// What was done with the exercise.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExerciseProgress {
    /// The learner's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Runs of the checks.
    pub attempts: u32,
    /// When every check passed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<Timestamp>,
    /// The last full run passed; `false` with `passed` set: it worked once and no longer does.
    pub passing: bool,
    /// Last outcome of each check, by check id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, CheckOutcome>,
    /// The check that failed in the last run: it chooses the hint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing: Option<String>,
    /// Hint levels shown, by check id; the general hints stand under `""`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hints: BTreeMap<String, usize>,
    /// The solution was asked for before passing.
    #[serde(skip_serializing_if = "is_default")]
    pub gave_up: bool,
}

/// How a check ended last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckOutcome {
    /// Held.
    Pass,
    /// Violated, or the program was broken.
    Fail,
    /// Could not be told.
    Inconclusive,
    /// Not judged.
    Skipped,
}

/// One thing the learner did in a unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Opened the lesson, or scrolled: this is the place to come back to.
    Here {
        /// See [`Place::block`].
        block: usize,
    },
    /// Reached the lesson's end.
    Read,
    /// Ran a redis block.
    BlockRun {
        /// [`RedisBlock::index`](crate::course::lesson::RedisBlock::index).
        block: usize,
        /// Every reply was as the lesson says.
        matched: bool,
    },
    /// Answered a quiz.
    QuizAnswered {
        /// [`Quiz::id`](crate::course::lesson::Quiz::id).
        quiz: String,
        /// It was right.
        correct: bool,
    },
    /// Guessed a number before the lab ran.
    Predicted {
        /// [`Predict::id`](crate::course::lesson::Predict::id).
        id: String,
        /// The guess.
        value: f64,
    },
    /// The lab ran to its end.
    LabRun,
    /// `cachelab start` put (or found) the program here.
    Folder {
        /// Absolute.
        path: PathBuf,
    },
    /// `cachelab check` judged the program.
    Checked {
        /// Check id and outcome, in order.
        outcomes: Vec<(String, CheckOutcome)>,
        /// All checks of the exercise were run and every one passed.
        passed: bool,
    },
    /// A hint was shown.
    HintShown {
        /// Check id; `""` for a general hint.
        check: String,
        /// How many levels have been shown by now.
        level: usize,
    },
    /// The solution was shown before passing.
    GaveUp,
}

impl Progress {
    /// What was done in a unit; nothing, if it was never opened.
    pub fn unit(&self, id: &UnitId) -> &UnitProgress {
        static NOTHING: UnitProgress = UnitProgress {
            opened: None,
            read: None,
            block: 0,
            blocks: BTreeMap::new(),
            quizzes: BTreeMap::new(),
            predictions: BTreeMap::new(),
            lab: LabProgress { runs: 0, last: None },
            exercise: ExerciseProgress {
                folder: None,
                attempts: 0,
                passed: None,
                passing: false,
                checks: BTreeMap::new(),
                failing: None,
                hints: BTreeMap::new(),
                gave_up: false,
            },
        };
        self.units.get(id).unwrap_or(&NOTHING)
    }

    /// Notes that `change` happened in `id` at that time.
    pub fn apply(&mut self, id: &UnitId, change: &Change, at: Timestamp) {
        let unit = self.units.entry(id.clone()).or_default();
        unit.apply(change, at);
        if matches!(change, Change::Here { .. } | Change::Read) {
            self.here = Some(Place { unit: id.clone(), block: unit.block });
        }
    }
}

impl UnitProgress {
    fn apply(&mut self, change: &Change, at: Timestamp) {
        match change {
            Change::Here { block } => {
                self.opened.get_or_insert(at);
                self.block = *block;
            }
            Change::Read => {
                self.opened.get_or_insert(at);
                self.read.get_or_insert(at);
            }
            Change::BlockRun { block, matched } => {
                self.blocks.insert(*block, BlockRun { at, matched: *matched });
            }
            Change::QuizAnswered { quiz, correct } => self.answer(quiz, *correct, at),
            Change::Predicted { id, value } => {
                self.predictions.insert(id.clone(), Prediction { at, value: *value });
            }
            Change::LabRun => {
                self.lab.runs += 1;
                self.lab.last = Some(at);
            }
            Change::Folder { path } => self.exercise.folder = Some(path.clone()),
            Change::Checked { outcomes, passed } => self.exercise.checked(outcomes, *passed, at),
            Change::HintShown { check, level } => {
                let shown = self.exercise.hints.entry(check.clone()).or_default();
                *shown = (*shown).max(*level);
            }
            Change::GaveUp => self.exercise.gave_up = true,
        }
    }

    fn answer(&mut self, quiz: &str, correct: bool, at: Timestamp) {
        let first = QuizAnswer { at, correct, first_try: correct, attempts: 0 };
        let answer = self.quizzes.entry(quiz.to_owned()).or_insert(first);
        answer.at = at;
        answer.correct = correct;
        answer.attempts += 1;
    }
}

impl ExerciseProgress {
    fn checked(&mut self, outcomes: &[(String, CheckOutcome)], passed: bool, at: Timestamp) {
        self.attempts += 1;
        for (check, outcome) in outcomes {
            self.checks.insert(check.clone(), *outcome);
        }
        let failed = |outcome: &CheckOutcome| matches!(outcome, CheckOutcome::Fail);
        self.failing = outcomes.iter().find(|(_, outcome)| failed(outcome)).map(|(check, _)| check.clone());
        if passed {
            self.passed.get_or_insert(at);
            self.passing = true;
        } else if outcomes.iter().any(|(_, outcome)| failed(outcome)) {
            self.passing = false;
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
