//! The exercise part of a `lab.toml`: a contract as data, its checks, hints and known programs.

use serde::Deserialize;

/// `[exercise]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// `Flash sale`.
    pub title: String,
}
