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

/// A counterexample and all that it was taken from.
#[derive(Debug)]
pub struct Shown {
    /// What is drawn.
    pub example: Counterexample,
    /// What happened, one JSON object a line.
    pub history: Vec<String>,
}

impl Shown {
    /// Nothing but a headline.
    pub fn headline(text: &str) -> Self {
        let example = Counterexample { headline: text.to_owned(), lanes: Vec::new(), steps: Vec::new() };
        Self { example, history: Vec::new() }
    }
}

/// Draws up the counterexample of a history.
pub fn counterexample(headline: String, actors: &[Actor], history: &[Entry], remarks: &Remarks) -> Shown {
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
        let (kind, text, reply) = describe(entry);
        TraceStep {
            lane: entry.actor,
            kind,
            text: short(text),
            reply: reply.map(short),
            note: remarks.notes.get(&index).cloned().map(short),
            violates: remarks.violates == Some(index),
        }
    };
    let steps = history.iter().enumerate().map(step).collect();
    Shown { example: Counterexample { headline, lanes, steps }, history: history.iter().map(line).collect() }
}

/// One entry as a line of JSON, uncut.
fn line(entry: &Entry) -> String {
    let (kind, text, reply) = describe(entry);
    let at = u64::try_from(entry.at.as_micros()).unwrap_or(u64::MAX);
    serde_json::json!({ "at_us": at, "actor": entry.actor, "kind": kind, "text": text, "reply": reply }).to_string()
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

fn describe(entry: &Entry) -> (StepKind, String, Option<String>) {
    match &entry.kind {
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
    }
}
