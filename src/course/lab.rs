//! The experiment part of a `lab.toml`.

use serde::Deserialize;

/// `[experiment]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The question it answers.
    pub question: String,
}
