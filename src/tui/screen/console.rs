//! The console: what was said, a prompt, a menu of candidates.
//!
//! Owns: editing the line, scrollback, history, drawing. Must not know: Redis, connections; what it
//! shows comes from `console` as events, what it asks for leaves as effects.

use std::collections::VecDeque;

use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::{Line, Span},
    widgets::Clear,
};
use tui_input::{Input, InputRequest};

use crate::{
    console::{CommandId, ConsoleEvent, Prompt, ReplyLine, Token},
    tui::{
        effect::Effect,
        keymap::Edit,
        message::Assist,
        model::{Model, Pane, ServerState},
        text,
        theme::{Role, Theme},
        widget::prompt,
    },
};

/// Lines kept for scrolling back.
const KEPT: usize = 10_000;
/// Lines of a long reply that one request for more brings.
pub const PAGE: usize = 1_000;
/// Rows of the menu of candidates.
const MENU: usize = 8;

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
    search: Option<(String, Option<usize>)>,
    /// Help for the line, if it is about the line as it is now.
    pub assist: Assist,
    /// Selected candidate, while the menu is open.
    menu: Option<usize>,
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

    fn current(&self) -> bool {
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
        Edit::ScrollUp => return scroll(model, rows as isize),
        Edit::ScrollDown => return scroll(model, -(rows as isize)),
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

/// Scrolls back (positive) or on; at the end it asks for more of a reply that was held back.
pub fn scroll(model: &mut Model, rows: isize) -> Vec<Effect> {
    let console = &mut model.console;
    if rows < 0 && console.scroll == 0 {
        return console.held.take().map(Effect::More).into_iter().collect();
    }
    console.scroll = console.scroll.saturating_add_signed(rows).min(console.lines.len().saturating_mul(4));
    Vec::new()
}

/// Draws it.
pub fn view(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if area.width < 4 || area.height < 2 {
        return;
    }
    let theme = model.theme;
    let focused = model.focus == Pane::Console;
    let beside = area.x > 0;
    title(model, frame, Rect { height: 1, ..area }, focused);
    let inner = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let inner = if beside { Rect { x: inner.x + 2, width: inner.width - 2, ..inner } } else { inner };
    if beside {
        let role = if focused { Role::Focus } else { Role::Border };
        for y in area.y..area.bottom() {
            let bar = Line::styled(theme.glyphs().bar, theme.style(role));
            frame.render_widget(bar, Rect { y, width: 1, height: 1, ..area });
        }
    }
    let output = Rect { height: inner.height - 1, ..inner };
    let prompt_row = Rect { y: inner.bottom() - 1, height: 1, ..inner };
    let used = draw_output(&model.console, frame, output, theme);
    // While little was said the prompt follows the text, as in a terminal.
    let prompt_row = Rect { y: (inner.y + used).min(prompt_row.y), ..prompt_row };
    draw_prompt(model, frame, prompt_row, focused);
    if focused && let Some(selected) = model.console.menu {
        menu(&model.console, frame, inner, prompt_row, selected, theme);
    }
}

fn title(model: &Model, frame: &mut Frame<'_>, area: Rect, focused: bool) {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let role = if focused { Role::Focus } else { Role::Border };
    let state = match (&model.server, &model.console.prompt) {
        (ServerState::Starting(text, _), _) => text.clone(),
        (ServerState::Failed(_), _) => "no server".into(),
        (_, Some(prompt)) if !prompt.connected => "not connected".into(),
        (_, Some(prompt)) if prompt.monitoring || prompt.subscribed => "Ctrl-C leaves".into(),
        (_, Some(prompt)) if prompt.busy => format!("{} waiting for the reply", glyphs.running),
        _ => String::new(),
    };
    let back = if model.console.scroll > 0 { format!(" {} rows back ", model.console.scroll) } else { String::new() };
    let rule = glyphs.rule.repeat(usize::from(area.width));
    frame.render_widget(Line::styled(rule, theme.style(role)), area);
    let label = format!("{}{} console ", glyphs.rule, glyphs.rule);
    let spans = vec![
        Span::styled(label, theme.style(role)),
        Span::styled(state, theme.style(Role::Dim)),
        Span::styled(back, theme.style(Role::Warn)),
    ];
    frame.render_widget(Line::from(spans), area);
}

/// Draws the visible part of the output and says how many rows it took.
fn draw_output(console: &Console, frame: &mut Frame<'_>, area: Rect, theme: Theme) -> u16 {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let mut rows: Vec<Line<'static>> = Vec::new();
    for line in console.lines.iter().rev() {
        let mut wrapped = hard_wrap(&prompt::reply(line, theme), width);
        wrapped.reverse();
        rows.extend(wrapped);
        if rows.len() >= height + console.scroll {
            break;
        }
    }
    let scroll = console.scroll.min(rows.len().saturating_sub(height));
    let shown = rows.into_iter().skip(scroll).take(height).collect::<Vec<_>>();
    let used = shown.len() as u16;
    for (at, line) in shown.into_iter().rev().enumerate() {
        frame.render_widget(line, Rect { y: area.y + at as u16, height: 1, ..area });
    }
    used
}

/// Cuts a line into rows of `width` columns between graphemes.
fn hard_wrap(line: &Line<'static>, width: usize) -> Vec<Line<'static>> {
    let mut rows = vec![Line::default()];
    let mut used = 0;
    for span in &line.spans {
        let mut rest: &str = &span.content;
        while !rest.is_empty() {
            let (head, wide) = text::prefix(rest, width.saturating_sub(used));
            if head.is_empty() && used == 0 {
                break;
            }
            if let Some(row) = rows.last_mut().filter(|_| !head.is_empty()) {
                row.push_span(Span::styled(head.to_owned(), span.style));
            }
            rest = &rest[head.len()..];
            used += wide;
            if !rest.is_empty() {
                rows.push(Line::default());
                used = 0;
            }
        }
    }
    rows
}

fn draw_prompt(model: &Model, frame: &mut Frame<'_>, area: Rect, focused: bool) {
    let theme = model.theme;
    let console = &model.console;
    let label = match (&console.search, &console.prompt) {
        (Some((query, _)), _) => format!("(search) {}: ", text::clean(query)),
        (None, Some(prompt)) => prompt.text(),
        (None, None) => "> ".to_owned(),
    };
    let label = text::cut(&label, usize::from(area.width) / 2, theme.glyphs().ellipsis).into_owned();
    let label_width = text::width(&label) as u16;
    let (dim, key) = (theme.style(Role::Dim), theme.style(Role::Key));
    frame.render_widget(Span::styled(label, if focused { key } else { dim }), area);
    let field = Rect { x: area.x + label_width, width: area.width.saturating_sub(label_width), ..area };
    if field.width == 0 {
        return;
    }
    if !focused && console.input.value().is_empty() {
        frame.render_widget(Line::styled("press : to type", dim), field);
        return;
    }
    let line = console.input.value();
    let room = usize::from(field.width).saturating_sub(1).max(1);
    let offset = console.input.visual_scroll(room);
    let mut spans = if console.current() && !console.assist.colours.is_empty() {
        prompt::typed(line, &console.assist.colours, theme)
    } else {
        prompt::coloured(line, theme)
    };
    if let Some(hint) = console.assist.hint.as_ref().filter(|_| console.current() && focused) {
        spans.push(Span::styled(text::clean(hint).into_owned(), dim));
    }
    let paragraph = ratatui::widgets::Paragraph::new(Line::from(spans)).scroll((0, offset as u16));
    frame.render_widget(paragraph, field);
    if focused && model.overlays.is_empty() {
        let column = console.input.visual_cursor().saturating_sub(offset).min(room) as u16;
        frame.set_cursor_position(Position::new(field.x + column, field.y));
    }
}

/// The menu of candidates, above the prompt where there is room, else below.
fn menu(console: &Console, frame: &mut Frame<'_>, inner: Rect, prompt: Rect, selected: usize, theme: Theme) {
    let candidates = &console.assist.candidates;
    let above = prompt.y - inner.y;
    let below = inner.bottom() - prompt.bottom();
    let room = usize::from(above.max(below)).min(MENU);
    let rows = candidates.len().min(room);
    if rows == 0 {
        return;
    }
    let first = selected.saturating_sub(rows - 1);
    let y = if below >= rows as u16 { prompt.bottom() } else { prompt.y - rows as u16 };
    let area = Rect { y, height: rows as u16, ..inner };
    frame.render_widget(Clear, area);
    let widest = candidates.iter().map(|c| text::width(&c.text)).max().unwrap_or(0).min(usize::from(inner.width) / 2);
    for (at, candidate) in candidates.iter().enumerate().skip(first).take(rows) {
        let name = text::clean(&candidate.text);
        let name = text::cut(&name, widest, theme.glyphs().ellipsis).into_owned();
        let pad = " ".repeat(widest - text::width(&name));
        let row = Rect { y: y + (at - first) as u16, height: 1, ..area };
        let line = Line::from(vec![
            Span::raw(format!(" {name}{pad}  ")),
            Span::styled(text::clean(&candidate.detail).into_owned(), theme.style(Role::Dim)),
        ]);
        frame.render_widget(line, row);
        let role = if at == selected { Role::Selected } else { Role::Bar };
        frame.buffer_mut().set_style(row, theme.style(role));
    }
}
