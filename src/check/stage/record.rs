//! What happened on a stage, in order, and how one step reads.

use std::time::Duration;

use bytes::Bytes;

use super::{ConnectionId, Stage};
use crate::{
    check::driver::{DriveError, Reply},
    origin::http::{Answer, Call},
    process::visible,
    proxy::WireId,
    resp::{Frame, Value},
};

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Since the stage was opened.
    pub at: Duration,
    /// Whose doing.
    pub actor: Option<usize>,
    /// What.
    pub kind: EntryKind,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum EntryKind {
    /// A request was sent to the program.
    Request {
        /// `POST /buy/shoe-1`.
        text: String,
    },
    /// A command took effect.
    Command {
        /// On which connection.
        connection: ConnectionId,
        /// Its name on the wire.
        id: WireId,
        /// The command, or all of a transaction.
        unit: Vec<Vec<Bytes>>,
        /// What the server said.
        reply: Option<Frame>,
    },
    /// A call to the warehouse took effect.
    Origin {
        /// Its name at the origin.
        id: u64,
        /// What was asked.
        call: Call,
        /// What was answered.
        answer: Option<Answer>,
    },
    /// The program answered.
    Response {
        /// What, or why not.
        outcome: Result<Reply, DriveError>,
    },
    /// Time passed for these keys.
    Expire {
        /// They are gone.
        keys: Vec<Vec<u8>>,
    },
    /// We did something to the program.
    Fault {
        /// What.
        text: String,
    },
}

impl Stage<'_> {
    pub(super) fn record(&mut self, actor: Option<usize>, kind: EntryKind) {
        self.history.push(Entry { at: self.begun.elapsed(), actor, kind });
    }

    /// Index of the latest entry of an actor that is a command.
    pub fn last_command_of(&self, actor: usize) -> Option<usize> {
        self.history.iter().rposition(|e| e.actor == Some(actor) && matches!(e.kind, EntryKind::Command { .. }))
    }
}

/// A command for people: arguments quoted where needed, long ones cut, a transaction on one line.
pub fn command_text(unit: &[Vec<Bytes>]) -> String {
    let texts: Vec<String> = unit.iter().map(|argv| one_command(argv)).collect();
    if texts.len() == 1 {
        texts.into_iter().next().unwrap_or_default()
    } else {
        format!("MULTI {} EXEC", texts.join("; "))
    }
}

fn one_command(argv: &[Bytes]) -> String {
    let name = argv.first().map(|n| n.to_ascii_uppercase()).unwrap_or_default();
    let script = matches!(name.as_slice(), b"EVAL" | b"EVALSHA" | b"EVAL_RO" | b"EVALSHA_RO");
    let mut words = Vec::new();
    for (index, argument) in argv.iter().enumerate() {
        words.push(match index {
            0 => visible(&name),
            1 if script => {
                if name.starts_with(b"EVALSHA") {
                    cut(argument, 6)
                } else {
                    "(script)".to_owned()
                }
            }
            _ => word(argument),
        });
    }
    words.join(" ")
}

fn word(argument: &[u8]) -> String {
    let text = cut(argument, 28);
    if text.is_empty() || text.contains(' ') { format!("\"{text}\"") } else { text }
}

/// The beginning of long values: a random lock value is told apart by its first digits.
fn cut(bytes: &[u8], most: usize) -> String {
    let text = visible(bytes);
    // Random values (hex, base64, UUID) say nothing with their later digits.
    let random = text.len() >= 16 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let most = if random { 6 } else { most };
    if text.chars().count() <= most + 1 { text } else { format!("{}…", text.chars().take(most).collect::<String>()) }
}

/// A reply for people, as short as it can be.
pub fn reply_text(frame: &Frame) -> String {
    value_text(&frame.value())
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null(_) => "(nil)".to_owned(),
        Value::Error(text) | Value::BulkError(text) => format!("(error) {}", cut(text, 40)),
        Value::Boolean(yes) => yes.to_string(),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => {
            format!("[{}]", items.iter().take(6).map(value_text).collect::<Vec<_>>().join(", "))
        }
        Value::Map(pairs) => format!(
            "{{{}}}",
            pairs
                .iter()
                .take(4)
                .map(|(k, v)| format!("{}: {}", value_text(k), value_text(v)))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        Value::Attributed { value, .. } => value_text(value),
        other => other.as_bytes().map(|text| cut(text, 28)).unwrap_or_default(),
    }
}
