//! A redis prompt without a screen: parse, reply, complete, hint, history, session.
//!
//! Owns: everything redis-cli does at a prompt, and what its users asked for. A front end opens a
//! [`Session`], submits lines, shows the [`ConsoleEvent`]s and asks the session for completion,
//! hints and colours while its user types. Scripts and pipes use a [`batch::Batch`] instead.
//! Must not know: ratatui, reedline, who prints.
//!
//! All text a session hands out is free of control characters (they are shown as escapes), so a
//! front end may draw it as it is. A batch writes what redis-cli writes, byte for byte.
//!
//! ```text
//!   Session ──requests──▶ actor ──▶ client ──▶ link ──▶ server       client: which frame answers what
//!      ▲                    │          └ state                       state: database, MULTI, subscriptions
//!      └──────events────────┴──▶ block ──▶ confine ──▶ keyspec       a lesson's block, on a link of its own
//!   pure: line (typed text), format (replies), grammar (COMMAND DOCS), editing, help, safety, history
//! ```

mod actor;
pub mod batch;
mod block;
mod client;
mod confine;
mod editing;
mod event;
pub mod format;
pub mod grammar;
pub mod help;
mod history;
mod keyspec;
pub mod line;
mod link;
mod names;
mod peek;
mod push;
mod safety;
mod session;
mod state;

pub use event::{
    BlockOutcome, Candidate, CandidateKind, CommandId, ConsoleEvent, Problem, Prompt, ReplyLine, Source, Span,
    StepOutcome, Token, Unshown,
};
pub use history::{KEPT as HISTORY_LINES, default_history_file, is_secret};
pub use link::LinkError;
pub use session::{Session, SessionOptions};

/// What the server itself says its commands are; `None` if it does not (before 7.0, or no permission).
async fn live_docs(endpoint: &crate::server::Endpoint) -> Option<grammar::Docs> {
    let identity = link::Identity {
        username: endpoint.username.clone(),
        password: endpoint.password.clone(),
        ..link::Identity::default()
    };
    let (mut link, _) = link::Link::open(endpoint, &identity).await.ok()?;
    let reply = link.call(&["COMMAND", "DOCS"]).await.ok()?;
    grammar::Docs::from_reply(&reply.value())
}
