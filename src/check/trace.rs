//! From what happened on a stage to the counterexample that is shown.

use std::collections::HashMap;

use super::{
    Counterexample, StepKind, TraceStep,
    stage::{Actor, Entry, EntryKind, command_text, reply_text},
    warehouse::token_of,
};
use crate::process::visible;

/// What to say about a history.
#[derive(Debug, Default)]
pub struct Remarks {
    /// At entries, by index.
    pub notes: HashMap<usize, String>,
    /// The entry that broke the property.
    pub violates: Option<usize>,
}

impl Remarks {
    /// Adds a note to an entry.
    pub fn note(&mut self, index: Option<usize>, text: impl Into<String>) {
        if let Some(index) = index {
            self.notes.insert(index, text.into());
        }
    }
}

/// Draws up the counterexample of a history.
pub fn counterexample(headline: String, actors: &[Actor], history: &[Entry], remarks: &Remarks) -> Counterexample {
    let lanes = actors
        .iter()
        .enumerate()
        .map(|(index, actor)| format!("buyer {} (instance {})", letter(index), actor.instance + 1))
        .collect();
    // Names of items end in random digits, so that nobody can guess them. In a picture they only take room.
    let items: Vec<(&str, &str)> =
        actors.iter().filter_map(|a| Some((a.item.as_str(), a.item.rsplit_once('-')?.0))).collect();
    let short = |text: String| items.iter().fold(text, |text, (item, word)| text.replace(item, word));
    let step = |(index, entry): (usize, &Entry)| {
        let (kind, text, reply) = describe(entry)?;
        Some(TraceStep {
            lane: entry.actor,
            kind,
            text: short(text),
            reply: reply.map(short),
            note: remarks.notes.get(&index).cloned().map(short),
            violates: remarks.violates == Some(index),
        })
    };
    Counterexample { headline, lanes, steps: history.iter().enumerate().filter_map(step).collect() }
}

/// The warehouse's answer without what was asked.
fn brief(body: &str) -> String {
    let Ok(serde_json::Value::Object(mut object)) = serde_json::from_str(body) else { return body.to_owned() };
    object.remove("item");
    serde_json::Value::Object(object).to_string()
}

/// `A`, `B`, …
pub fn letter(index: usize) -> char {
    char::from(b'A' + (index % 26) as u8)
}

fn describe(entry: &Entry) -> Option<(StepKind, String, Option<String>)> {
    Some(match &entry.kind {
        EntryKind::Request { text } => (StepKind::Request, text.clone(), None),
        EntryKind::Command { unit, reply, .. } => {
            (StepKind::Command, command_text(unit), reply.as_ref().map(reply_text))
        }
        EntryKind::Origin { call, answer, .. } => {
            let mut text = format!("{} {}", call.method, call.path);
            if !call.body.is_empty() {
                text = format!("{text} {}", visible(&call.body));
            }
            if let Ok(Some(token)) = token_of(call) {
                text = format!("{text} token {token}");
            }
            (StepKind::Origin, text, answer.as_ref().map(|a| format!("{} {}", a.status, brief(&a.body))))
        }
        EntryKind::Response { outcome: Ok(reply) } => {
            (StepKind::Response, format!("answers {} {}", reply.status, reply.text()), None)
        }
        EntryKind::Response { outcome: Err(error) } => (StepKind::Response, error.to_string(), None),
        EntryKind::Expire { keys } => {
            let names: Vec<String> = keys.iter().map(|key| visible(key)).collect();
            (StepKind::Clock, format!("the TTL of {} elapses", names.join(", ")), None)
        }
        EntryKind::Fault { text } => (StepKind::Fault, text.clone(), None),
    })
}
