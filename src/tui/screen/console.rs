//! The console: what was said, a prompt, a menu of candidates.
//!
//! Owns: editing the line, scrollback, history; drawing is in `console_view`. Must not know: Redis, connections; what it
//! shows comes from `console` as events, what it asks for leaves as effects.

use std::collections::VecDeque;

use tui_input::{Input, InputRequest};

use crate::{
    console::{CommandId, ConsoleEvent, Prompt, ReplyLine, Token},
    tui::{
        effect::Effect,
        keymap::Edit,
        message::Assist,
        model::{Model, Pane},
        theme::Role,
    },
};

pub use super::console_view::view;

/// Lines kept for scrolling back.
const KEPT: usize = 10_000;
/// Lines of a long reply that one request for more brings.
pub const PAGE: usize = 1_000;

/// The state of the console.
#[derive(Debug, Default)]
pub struct Console {
    /// The line being typed.
    pub input: Input,
    /// What was said, oldest first.
    pub lines: VecDeque<ReplyLine>,
    /// Rows scrolled back from the end.
    pub scroll: usize,
    /// The prompt, once there is a session.
    pub prompt: Option<Prompt>,
    /// Remembered lines, oldest first.
    pub history: Vec<String>,
    /// Position in the history, and the line that was being typed.
    recall: Option<(usize, String)>,
    /// What is searched for in the history, and the position of the hit.
    pub(super) search: Option<(String, Option<usize>)>,
    /// Help for the line, if it is about the line as it is now.
    pub assist: Assist,
    /// Selected candidate, while the menu is open.
    pub(super) menu: Option<usize>,
    /// Tab was pressed before candidates were known.
    wants_menu: bool,
    /// A reply that was held back in part.
    held: Option<CommandId>,
    /// Lines sent before there was a session.
    queue: Vec<String>,
}

impl Console {
    fn say(&mut self, line: ReplyLine) {
        self.lines.push_back(line);
        if self.lines.len() > KEPT {
            self.lines.pop_front();
        }
    }

    fn remark(&mut self, text: &str) {
        self.say(ReplyLine::new(Token::Note, text));
    }

    /// A command is under way, or messages come in until they are given up.
    fn occupied(&self) -> bool {
        self.prompt.as_ref().is_some_and(|prompt| prompt.busy || prompt.subscribed || prompt.monitoring)
    }

    fn cursor(&self) -> usize {
        self.input.value().chars().take(self.input.cursor()).map(char::len_utf8).sum()
    }

    fn set(&mut self, line: &str) {
        self.input = Input::new(line.to_owned());
    }

    /// The help is about the line as it is now.
    pub(super) fn current(&self) -> bool {
        self.assist.line == self.input.value() && self.assist.cursor == self.cursor()
    }
}

/// Takes an event of the session.
pub fn event(model: &mut Model, event: ConsoleEvent) -> Vec<Effect> {
    let console = &mut model.console;
    match event {
        ConsoleEvent::Command { text, .. } => {
            let prompt = console.prompt.as_ref().map_or_else(|| "> ".to_owned(), Prompt::text);
            let mut line = ReplyLine::new(Token::Note, prompt);
            line.spans.push(crate::console::Span { token: Token::Command, text });
            console.say(line);
            console.scroll = 0;
            console.held = None;
        }
        ConsoleEvent::Lines { lines, .. } | ConsoleEvent::Push(lines) => {
            for line in lines {
                console.say(line);
            }
        }
        ConsoleEvent::Done { id, unshown, .. } => {
            console.held = unshown.map(|_| id);
            if let Some(unshown) = unshown {
                console.remark(&format!("{} more elements; PgDn at the end shows more", unshown.elements));
            }
        }
        ConsoleEvent::Note(line) => console.say(line),
        ConsoleEvent::Prompt(prompt) => console.prompt = Some(prompt),
        ConsoleEvent::Confirm { command, why } => {
            let confirm = crate::tui::model::Confirm::Command(command, why);
            model.overlays.push(crate::tui::model::Overlay::Confirm(confirm));
        }
        ConsoleEvent::NamesChanged => return assist(model),
        ConsoleEvent::Clear => console.lines.clear(),
        ConsoleEvent::Quit => return leave(model),
    }
    Vec::new()
}

/// The session is open: what was typed before goes out now.
pub fn opened(model: &mut Model, history: Vec<String>) -> Vec<Effect> {
    model.console.history = history;
    model.console.queue.drain(..).map(Effect::Submit).collect()
}

/// The server could not be started: what was typed will not be sent.
pub fn failed(model: &mut Model, why: &str) {
    model.console.queue.clear();
    for line in why.lines() {
        model.console.say(ReplyLine::new(Token::Error, line));
    }
}

/// Help for the line arrived.
pub fn assisted(model: &mut Model, assist: Assist) {
    model.console.assist = assist;
    let console = &mut model.console;
    if console.current() && std::mem::take(&mut console.wants_menu) {
        match console.assist.candidates.len() {
            0 => {}
            1 => accept(console, 0),
            _ => console.menu = Some(0),
        }
    }
}

fn assist(model: &Model) -> Vec<Effect> {
    let console = &model.console;
    vec![Effect::Assist { line: console.input.value().to_owned(), cursor: console.cursor() }]
}

fn leave(model: &mut Model) -> Vec<Effect> {
    model.focus = Pane::Main;
    model.zoom = false;
    Vec::new()
}

/// Esc closes the menu or the search first, then leaves the console.
pub fn escape(model: &mut Model) -> Vec<Effect> {
    let console = &mut model.console;
    if console.menu.take().is_some() {
        return Vec::new();
    }
    if console.search.take().is_some() {
        return assist(model);
    }
    leave(model)
}

/// Ctrl-C: gives up what runs, else clears the line.
pub fn interrupt(model: &mut Model) -> Vec<Effect> {
    let console = &mut model.console;
    console.menu = None;
    if console.search.take().is_some() {
        return Vec::new();
    }
    if console.occupied() {
        return vec![Effect::CancelCommand];
    }
    if console.input.value().is_empty() {
        model.notice = Some((Role::Info, "Esc leaves the console; Ctrl-C there quits".into()));
        return Vec::new();
    }
    console.recall = None;
    console.set("");
    assist(model)
}

/// Text typed or pasted. A pasted line break sends the line, as in a terminal.
pub fn insert(model: &mut Model, content: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for c in content.chars() {
        let console = &mut model.console;
        if c == '\n' || c == '\r' {
            effects.extend(submit(model));
        } else if let Some((query, _)) = &mut console.search {
            query.push(c);
            search(console, None);
        } else if !c.is_control() {
            console.input.handle(InputRequest::InsertChar(c));
            console.menu = None;
        }
    }
    effects.extend(assist(model));
    effects
}

/// A key of the prompt.
pub fn edit(model: &mut Model, edit: Edit, rows: usize) -> Vec<Effect> {
    let console = &mut model.console;
    if console.search.is_some() && !matches!(edit, Edit::Search | Edit::Backspace | Edit::Submit) {
        console.search = None;
    }
    let request = match edit {
        Edit::Submit => return submit(model),
        Edit::Complete | Edit::CompleteBack => return complete(model, edit == Edit::Complete),
        Edit::Older | Edit::Newer => return older(model, edit == Edit::Older),
        Edit::Search => return begin_search(model),
        Edit::ScrollUp => return scroll(model, rows, true),
        Edit::ScrollDown => return scroll(model, rows, false),
        Edit::EndOfInput if console.input.value().is_empty() => return leave(model),
        Edit::Backspace if console.search.is_some() => {
            if let Some((query, _)) = &mut console.search {
                query.pop();
            }
            search(console, None);
            return assist(model);
        }
        Edit::Right if console.cursor() == console.input.value().len() => return take_hint(model),
        Edit::EndOfInput | Edit::Delete => InputRequest::DeleteNextChar,
        Edit::Left => InputRequest::GoToPrevChar,
        Edit::Right => InputRequest::GoToNextChar,
        Edit::WordLeft => InputRequest::GoToPrevWord,
        Edit::WordRight => InputRequest::GoToNextWord,
        Edit::Home => InputRequest::GoToStart,
        Edit::End => InputRequest::GoToEnd,
        Edit::Backspace => InputRequest::DeletePrevChar,
        Edit::DeleteWord => InputRequest::DeletePrevWord,
        Edit::DeleteWordRight => InputRequest::DeleteNextWord,
        Edit::DeleteToStart => InputRequest::DeleteFromStart,
        Edit::DeleteToEnd => InputRequest::DeleteTillEnd,
        Edit::Yank => InputRequest::Yank,
    };
    console.menu = None;
    console.input.handle(request);
    assist(model)
}

fn submit(model: &mut Model) -> Vec<Effect> {
    let console = &mut model.console;
    if let Some(at) = console.menu.take() {
        accept(console, at);
        return assist(model);
    }
    console.search = None;
    console.recall = None;
    console.scroll = 0;
    let line = console.input.value().to_owned();
    console.set("");
    if line.trim().is_empty() {
        return Vec::new();
    }
    if console.history.last() != Some(&line) {
        console.history.push(line.clone());
    }
    let effect = if console.prompt.is_some() {
        Some(Effect::Submit(line))
    } else {
        console.remark("waiting for the server");
        console.queue.push(line);
        crate::tui::update::ensure_server(model)
    };
    effect.into_iter().chain(assist(model)).collect()
}

/// Puts a candidate into the line.
fn accept(console: &mut Console, at: usize) {
    let Some(candidate) = console.assist.candidates.get(at).cloned() else { return };
    let line = console.input.value().to_owned();
    let (Some(before), Some(after)) = (line.get(..candidate.replace.start), line.get(candidate.replace.end..)) else {
        return;
    };
    let space = if after.is_empty() { " " } else { "" };
    let head = format!("{before}{}{space}", candidate.text);
    let cursor = head.chars().count();
    console.input = Input::new(format!("{head}{after}")).with_cursor(cursor);
}

fn complete(model: &mut Model, forward: bool) -> Vec<Effect> {
    let console = &mut model.console;
    let count = console.assist.candidates.len();
    if !console.current() {
        console.wants_menu = true;
    } else if count == 1 {
        accept(console, 0);
        console.menu = None;
    } else if count > 1 {
        console.menu = Some(match console.menu {
            None => 0,
            Some(at) if forward => (at + 1) % count,
            Some(at) => (at + count - 1) % count,
        });
        return Vec::new();
    }
    assist(model)
}

/// Up and down: through the menu while it is open, else through the history.
fn older(model: &mut Model, older: bool) -> Vec<Effect> {
    if model.console.menu.is_some() {
        return complete(model, !older);
    }
    let console = &mut model.console;
    let count = console.history.len();
    let line = match (console.recall.take(), older) {
        (None, true) if count > 0 => {
            let draft = console.input.value().to_owned();
            console.recall = Some((count - 1, draft));
            console.history[count - 1].clone()
        }
        (Some((at, draft)), true) => {
            let at = at.saturating_sub(1);
            console.recall = Some((at, draft));
            console.history[at].clone()
        }
        (Some((at, draft)), false) if at + 1 < count => {
            console.recall = Some((at + 1, draft));
            console.history[at + 1].clone()
        }
        (Some((_, draft)), false) => draft,
        (None, _) => return Vec::new(),
    };
    console.set(&line);
    assist(model)
}

fn begin_search(model: &mut Model) -> Vec<Effect> {
    let console = &mut model.console;
    match console.search.clone() {
        None => console.search = Some((String::new(), None)),
        Some((_, at)) => search(console, at),
    }
    assist(model)
}

/// Finds the newest line before `before` that contains what is searched for.
fn search(console: &mut Console, before: Option<usize>) {
    let Some((query, at)) = &mut console.search else { return };
    if query.is_empty() {
        *at = None;
        return;
    }
    let end = before.unwrap_or(console.history.len());
    let hit = console.history[..end].iter().rposition(|line| line.contains(query.as_str()));
    *at = hit.or(*at);
    if let Some(line) = hit.and_then(|hit| console.history.get(hit)).cloned() {
        console.set(&line);
    }
}

/// The right arrow at the end of the line takes the only candidate, as a shell's suggestion.
fn take_hint(model: &mut Model) -> Vec<Effect> {
    let console = &mut model.console;
    if console.current() && console.assist.candidates.len() == 1 {
        accept(console, 0);
    }
    assist(model)
}

/// Scrolls back or on; at the end it asks for more of a reply that was held back.
pub fn scroll(model: &mut Model, rows: usize, back: bool) -> Vec<Effect> {
    let console = &mut model.console;
    if !back && console.scroll == 0 {
        return console.held.take().map(Effect::More).into_iter().collect();
    }
    let wanted = if back { console.scroll.saturating_add(rows) } else { console.scroll.saturating_sub(rows) };
    // A line takes a few rows at most; the view keeps it exact.
    console.scroll = wanted.min(console.lines.len().saturating_mul(4));
    Vec::new()
}
