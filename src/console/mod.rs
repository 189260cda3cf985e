//! A redis prompt without a screen: parse, reply, complete, hint, history, session.
//!
//! Owns: everything redis-cli does at a prompt, and what its users asked for. A front end opens a
//! [`Session`], submits lines, shows the [`ConsoleEvent`]s and asks the session for completion,
//! hints and colours while its user types. Must not know: ratatui, reedline, who prints.
//!
//! All text handed out is free of control characters (they are shown as escapes), so a front end
//! may draw it as it is.

mod client;
mod event;
pub mod format;
pub mod grammar;
pub mod help;
pub mod line;
mod link;
mod session;
mod state;

pub use event::{
    BlockOutcome, Candidate, CandidateKind, CommandId, ConsoleEvent, Problem, Prompt, ReplyLine, Source, Span,
    StepOutcome, Token, Unshown,
};
pub use session::{Session, SessionOptions};
