//! The handle a front end holds.

use std::{ops::Range, path::PathBuf};

use tokio::sync::mpsc;

use super::event::{BlockOutcome, Candidate, CommandId, ConsoleEvent, Problem, Prompt, Token};
use crate::{course::lesson::RedisBlock, server::Endpoint};

/// How a session behaves.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Begin with `HELLO 3`.
    pub resp3: bool,
    /// Lines of one reply shown before the rest is held back for [`Session::more`].
    pub page_lines: usize,
    /// Show UTF-8 text as it is; otherwise as redis-cli's `\xHH`.
    pub utf8: bool,
    /// Where lines are remembered between runs; `None`: for this run only.
    pub history_file: Option<PathBuf>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { resp3: false, page_lines: 1_000, utf8: true, history_file: None }
    }
}

/// A console on its own connection. Cheap to clone; the connection ends with the last clone.
/// Every method returns at once; what comes of it arrives as [`ConsoleEvent`]s.
#[derive(Debug, Clone)]
pub struct Session {}

impl Session {
    /// Opens a session on a task of the current tokio runtime. It does not wait for the server: the
    /// connection (and every later loss and return) is told by events.
    pub fn open(endpoint: Endpoint, options: SessionOptions) -> (Self, mpsc::Receiver<ConsoleEvent>) {
        let _ = (endpoint, options);
        (Self {}, mpsc::channel(1).1)
    }

    /// Sends a line as typed: a command, a local word, several lines when a quote spans them.
    /// Remembers it in the history unless it carries a secret. While a command is under way lines
    /// wait their turn.
    pub fn submit(&self, line: &str) {
        let _ = line;
    }

    /// Answers a [`ConsoleEvent::Confirm`].
    pub fn confirm(&self, yes: bool) {
        let _ = yes;
    }

    /// Ctrl-C: gives up the blocking command under way, or leaves MONITOR and subscriptions, over a
    /// new connection; true when there was something to give up.
    pub fn cancel(&self) -> bool {
        false
    }

    /// Shows the next `lines` lines of a reply that was held back.
    pub fn more(&self, id: CommandId, lines: usize) {
        let _ = (id, lines);
    }

    /// UTF-8 as text, or as redis-cli's escapes, from the next reply on.
    pub fn set_utf8(&self, on: bool) {
        let _ = on;
    }

    /// The prompt as of now.
    pub fn prompt(&self) -> Prompt {
        Prompt {
            place: String::new(),
            database: 0,
            transaction: false,
            subscribed: false,
            monitoring: false,
            connected: false,
            busy: false,
        }
    }

    /// What could stand at the cursor (a byte offset), best first. Answers from what is known; where
    /// keys are wanted it also looks for more with SCAN, told by [`ConsoleEvent::NamesChanged`].
    pub fn complete(&self, line: &str, cursor: usize) -> Vec<Candidate> {
        let _ = (line, cursor);
        Vec::new()
    }

    /// The syntax still to come after what was typed: ` value [NX|XX] [EX seconds …]`.
    pub fn hint(&self, line: &str) -> Option<String> {
        let _ = line;
        None
    }

    /// The line cut into classed ranges, in order, covering all of it.
    pub fn highlight(&self, line: &str) -> Vec<(Range<usize>, Token)> {
        vec![(0..line.len(), Token::Plain)]
    }

    /// What the server would refuse in the line as it stands.
    pub fn problems(&self, line: &str) -> Vec<Problem> {
        let _ = line;
        Vec::new()
    }

    /// False while a quote is open: Enter should then begin a new line instead of sending.
    pub fn is_complete(&self, line: &str) -> bool {
        let _ = line;
        true
    }

    /// Remembered lines, oldest first.
    pub fn history(&self) -> Vec<String> {
        Vec::new()
    }

    /// Runs a lesson's block: its hidden set-up, then each step, shown as events like typed commands
    /// and compared with what the lesson says. It has a connection of its own in database 0, so that
    /// an open MULTI at the prompt cannot spoil it. On a borrowed server every key is kept under our
    /// prefix, and what cannot be confined is refused.
    pub async fn run_block(&self, block: &RedisBlock) -> BlockOutcome {
        let _ = block;
        BlockOutcome { steps: Vec::new(), stopped: Some("the console is being built".into()) }
    }
}
