//! Drawing of the console: title, output, prompt, menu of candidates.
//!
//! Owns: what goes where. Must not know: keys, sessions.

use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::{Line, Span},
    widgets::Clear,
};

use super::console::Console;
use crate::tui::{
    model::{Model, Pane, ServerState},
    text,
    theme::{Role, Theme},
    widget::prompt,
};

/// Rows of the menu of candidates.
const MENU: usize = 8;

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
    let line = glyphs.rule.repeat(usize::from(area.width));
    frame.render_widget(Line::styled(line, theme.style(role)), area);
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
