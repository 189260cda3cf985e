//! Recorded counterexamples: enough to show one again, and the whole of it to read.
//!
//! One JSON file each, in the cache folder (`schema` is 1), and beside it the history as JSON lines:
//! `at_us`, `actor` (index, or null for the clock and faults), `kind`, `text`, `reply`.

use std::{fs, io, path::PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{context::Context, prepare::cache_root, trace::Shown};

const SCHEMA: u32 = 1;

/// What to do to see it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Scenario {
    /// The same check with the same seed.
    Seed,
    /// Buyers who take their steps in this order.
    Order {
        /// Stock at the beginning.
        stock: i64,
        /// How many buyers.
        buyers: usize,
        /// Who goes, and what the step was called.
        decisions: Vec<Decision>,
    },
    /// A directed scenario of a property: which one, and after how many steps of the first buyer its fault comes.
    Directed {
        /// Named by the property.
        name: String,
        /// Steps of buyer A before the fault.
        after: usize,
    },
}

/// One decision of the scheduler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Which buyer.
    pub actor: usize,
    /// Its step, without names that differ in each run.
    pub label: String,
}

/// A recorded counterexample.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replay {
    schema: u32,
    /// `week2/locks`.
    pub exercise: String,
    /// Which check.
    pub check: String,
    /// Seed of the run.
    pub seed: u64,
    /// The learner's folder.
    pub folder: PathBuf,
    /// What to do.
    pub scenario: Scenario,
    /// What was seen, for people and tools.
    trace: serde_json::Value,
    /// Everything that happened, one JSON object a line, in a file beside this one.
    #[serde(skip)]
    history: Vec<String>,
}

/// Why a recorded counterexample cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No such file.
    #[error("there is no recorded counterexample {0:?}; a failing check prints its id")]
    Unknown(String),
    /// Not readable, or of another version.
    #[error("the recorded counterexample {0:?} cannot be read: {1}")]
    Unreadable(String, String),
}

impl Replay {
    /// Records a scenario of the running check.
    pub fn new(context: &Context, scenario: Scenario, seen: &Shown) -> Self {
        Self {
            schema: SCHEMA,
            exercise: context.exercise.clone(),
            check: context.check.clone(),
            seed: context.seed,
            folder: context.folder.clone(),
            scenario,
            // A counterexample is strings and numbers: it always becomes JSON.
            trace: serde_json::to_value(&seen.example).unwrap_or_default(),
            history: seen.history.clone(),
        }
    }

    fn path(id: &str) -> PathBuf {
        cache_root().join("replays").join(format!("{id}.json"))
    }

    /// Keeps it; gives its id. `None` if it cannot be kept: the verdict does not depend on it.
    pub fn save(&self) -> Option<String> {
        let text = serde_json::to_string_pretty(self).ok()?;
        let id = format!(
            "{:06x}",
            Sha256::digest(text.as_bytes()).iter().take(3).fold(0_u32, |id, b| id << 8 | u32::from(*b))
        );
        let path = Self::path(&id);
        fs::create_dir_all(path.parent()?).ok()?;
        fs::write(&path, text).ok()?;
        fs::write(path.with_extension("jsonl"), self.history.join("\n") + "\n").ok()?;
        Some(id)
    }

    /// Reads one back.
    pub fn load(id: &str) -> Result<Self, ReplayError> {
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(ReplayError::Unknown(id.to_owned()));
        }
        let text = fs::read_to_string(Self::path(id)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ReplayError::Unknown(id.to_owned()),
            _ => ReplayError::Unreadable(id.to_owned(), error.to_string()),
        })?;
        let replay: Self =
            serde_json::from_str(&text).map_err(|e| ReplayError::Unreadable(id.to_owned(), e.to_string()))?;
        if replay.schema != SCHEMA {
            return Err(ReplayError::Unreadable(
                id.to_owned(),
                format!("it has schema {}, this is {SCHEMA}", replay.schema),
            ));
        }
        Ok(replay)
    }
}
