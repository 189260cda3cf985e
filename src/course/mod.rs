//! What is taught: weeks, units, lessons and labs as data, parsed strictly.
//!
//! Owns: the types, parsing, validation that needs no server. Must not know: screens, servers, running.
//! Every mistake in a course file is a [`Diagnostic`](crate::diagnostic::Diagnostic).

pub mod lesson;

use std::fmt;

pub use lesson::{Block, Inline, Lesson};

/// `week2/locks`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitId {
    /// 1-based.
    pub week: u8,
    /// `locks`.
    pub slug: String,
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "week{}/{}", self.week, self.slug)
    }
}
