//! What commands there are and how their arguments go, from `COMMAND DOCS`.
//!
//! Owns: the command table ([`Docs`]: the live server's, or the built-in one), the syntax text of
//! `help`, and walking typed words along a command's grammar ([`walk`]) for hints, completion,
//! colours and problems. Must not know: connections, sessions.

mod docs;
mod hint;
mod syntax;
#[cfg(test)]
mod tests;
mod walk;

pub use docs::{Argument, ArgumentKind, Command, Docs};
pub use hint::hint;
pub use syntax::{argument_syntax, syntax};
pub use walk::{Expected, Walk, Word, walk};
