//! Why there is no server, or why it would not do what was asked.

use super::{Ladder, Version};
use crate::process::ProcessError;

/// Why there is no server, or why it would not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No rung could be taken.
    #[error("{}", .0.explain())]
    NoServer(Box<Ladder>),
    /// The URL is not one.
    #[error(
        "{url:?} is not a server URL: {reason}; like redis://user:password@host:6379/0, rediss://… or unix:///path/to/socket"
    )]
    Url {
        /// As given, password masked.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The learner's own server can't be used.
    #[error("cannot use the server at {url}: {reason}")]
    Borrowed {
        /// Password masked.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The server does not say who it is, or it is too old.
    #[error("{name} {version} is too old: {needed} or newer is needed")]
    TooOld {
        /// `redis` or `valkey`.
        name: String,
        /// What it says.
        version: Version,
        /// What is asked for.
        needed: Version,
    },
    /// A private instance ended or did not answer.
    #[error("{what}{}", output(tail))]
    Instance {
        /// What happened.
        what: String,
        /// Its last lines.
        tail: Vec<String>,
    },
    /// A fault was asked for on a server that is not ours.
    #[error("this server was given by URL, it is not cachelab's to {what}; leave out --redis to get a private one")]
    NotOurs {
        /// `kill`, `pause` …
        what: &'static str,
    },
    /// A package can't be fetched or is not what was pinned.
    #[error("{0}")]
    Fetch(String),
    /// Docker can't be used.
    #[error("{0}")]
    Docker(String),
    /// A child could not be started or stopped.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Speaking to it failed.
    #[error("the server does not answer as expected: {0}")]
    Redis(#[from] redis::RedisError),
    /// Files.
    #[error("cannot {what}: {source}")]
    Io {
        /// What we were about to do.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl ServerError {
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }
}

fn output(tail: &[String]) -> String {
    tail.iter().fold(String::new(), |text, line| text + "\n    " + line)
}
