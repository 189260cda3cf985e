//! A counterexample as lanes: one column a client, steps from top to bottom, the violating step marked.
//!
//! Owns: the drawing. Must not know: how it was found. Where columns would be too narrow, each step is a
//! line that begins with its lane's name.

use ratatui::{
    style::{Modifier, Style},
    text::{Line, Span},
};

use super::wrap::{Run, wrap};
use crate::{
    check::{Counterexample, StepKind, TraceStep},
    tui::{
        text,
        theme::{Role, Theme},
    },
};

/// A lane narrower than this is not readable.
const LEAST: usize = 22;
/// Columns for the step's number and mark.
const MARGIN: usize = 5;

/// Draws it for a width.
pub fn lanes(example: &Counterexample, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines =
        vec![Line::styled(text::clean(&example.headline).into_owned(), theme.style(Role::Dim)), Line::default()];
    let count = example.lanes.len().max(1);
    let column = width.saturating_sub(MARGIN) / count;
    let columns = column >= LEAST;
    if columns {
        let mut head = vec![Span::raw(" ".repeat(MARGIN))];
        for (at, name) in example.lanes.iter().enumerate() {
            let name = text::clean(name);
            let name = text::cut(&name, column - 2, theme.glyphs().ellipsis).into_owned();
            let pad = " ".repeat(column - text::width(&name));
            head.push(Span::styled(format!("{name}{pad}"), lane_style(theme, at)));
        }
        lines.push(Line::from(head));
    }
    for (at, step) in example.steps.iter().enumerate() {
        lines.extend(match step.lane {
            None => across(step, at + 1, width, theme),
            Some(lane) if columns => in_column(step, at + 1, (lane, count, column), theme),
            Some(lane) => in_line(step, at + 1, example.lanes.get(lane).map_or("", String::as_str), lane, width, theme),
        });
    }
    lines
}

fn lane_style(theme: Theme, lane: usize) -> Style {
    theme.style(Role::Series(lane as u8)).add_modifier(Modifier::BOLD)
}

fn margin(step: &TraceStep, number: usize, theme: Theme) -> Span<'static> {
    let (mark, role) = if step.violates { (theme.glyphs().cross, Role::Bad) } else { (" ", Role::Dim) };
    Span::styled(format!("{mark}{number:>3} "), theme.style(role))
}

/// What a step says: the command, its reply, a remark.
fn parts(step: &TraceStep, theme: Theme) -> Vec<(String, Style)> {
    let role = match step.kind {
        _ if step.violates => Role::Bad,
        StepKind::Command => Role::Text,
        StepKind::Origin => Role::Important,
        StepKind::Request | StepKind::Response => Role::Info,
        StepKind::Clock | StepKind::Fault => Role::Warn,
    };
    let arrow = theme.glyphs().arrow;
    let mut parts = vec![(text::clean(&step.text).into_owned(), theme.style(role))];
    if let Some(reply) = &step.reply {
        parts.push((format!("{arrow} {}", text::clean(reply)), theme.style(Role::Dim)));
    }
    if let Some(note) = &step.note {
        parts.push((text::clean(note).into_owned(), theme.style(Role::Warn).add_modifier(Modifier::ITALIC)));
    }
    parts
}

/// Cuts a part into lines; what goes on is indented.
fn rows(content: &str, style: Style, width: usize) -> Vec<(Vec<Span<'static>>, usize)> {
    let runs = [Run { text: content.to_owned(), style, link: None }];
    wrap(&runs, width.max(1)).into_iter().map(|line| (line.spans, line.width)).collect()
}

fn in_column(step: &TraceStep, number: usize, place: (usize, usize, usize), theme: Theme) -> Vec<Line<'static>> {
    let (lane, count, column) = place;
    let bar = theme.glyphs().bar;
    let mut lines = Vec::new();
    for (content, style) in parts(step, theme) {
        for (spans, used) in rows(&content, style, column - 2) {
            let lead = if lines.is_empty() { margin(step, number, theme) } else { Span::raw(" ".repeat(MARGIN)) };
            let mut row = vec![lead];
            for other in 0..count {
                if other == lane {
                    row.extend(spans.clone());
                    row.push(Span::raw(" ".repeat(column - used)));
                } else {
                    let pad = " ".repeat(column - 1);
                    row.push(Span::styled(format!("{bar}{pad}"), theme.style(Role::Border)));
                }
            }
            lines.push(Line::from(row));
        }
    }
    lines
}

fn in_line(step: &TraceStep, number: usize, name: &str, lane: usize, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let name = text::clean(name);
    // "buyer A (instance 1)": the part in brackets is the first to go.
    let short = text::cut(name.split(" (").next().unwrap_or(&name), 10, theme.glyphs().ellipsis).into_owned();
    let indent = MARGIN + 11;
    let mut lines = Vec::new();
    for (content, style) in parts(step, theme) {
        for (spans, _) in rows(&content, style, width.saturating_sub(indent).max(8)) {
            let mut row = if lines.is_empty() {
                let pad = " ".repeat(11 - text::width(&short));
                vec![margin(step, number, theme), Span::styled(format!("{short}{pad}"), lane_style(theme, lane))]
            } else {
                vec![Span::raw(" ".repeat(indent))]
            };
            row.extend(spans);
            lines.push(Line::from(row));
        }
    }
    lines
}

/// A step of the clock or a fault concerns everybody.
fn across(step: &TraceStep, number: usize, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let rule = theme.glyphs().rule.repeat(3);
    let mut lines = Vec::new();
    for (content, style) in parts(step, theme) {
        for (spans, _) in rows(&content, style, width.saturating_sub(MARGIN + 8)) {
            let lead = if lines.is_empty() { margin(step, number, theme) } else { Span::raw(" ".repeat(MARGIN)) };
            let mut line = vec![lead, Span::styled(format!("{rule} "), theme.style(Role::Warn))];
            line.extend(spans);
            line.push(Span::styled(format!(" {rule}"), theme.style(Role::Warn)));
            lines.push(Line::from(line));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Counterexample {
        let step = |lane, kind, text: &str, reply: Option<&str>, violates| TraceStep {
            lane,
            kind,
            text: text.into(),
            reply: reply.map(str::to_owned),
            note: None,
            violates,
        };
        Counterexample {
            headline: "2 buyers, smallest found, replayed 3/3".into(),
            lanes: vec!["buyer A (instance 1)".into(), "buyer B (instance 2)".into()],
            steps: vec![
                step(Some(0), StepKind::Command, "SET lock:42 a NX PX 500", Some("OK"), false),
                step(None, StepKind::Clock, "500 ms pass: the lock expires", None, false),
                step(Some(1), StepKind::Command, "SET lock:42 b NX PX 500", Some("OK"), false),
                step(Some(0), StepKind::Command, "DEL lock:42", Some("(integer) 1"), true),
            ],
        }
    }

    fn plain(width: usize) -> String {
        let theme = Theme { ascii: true, ..Theme::default() };
        let lines: Vec<String> = lanes(&example(), width, theme)
            .iter()
            .map(|line| line.spans.iter().map(|span| span.content.as_ref()).collect::<String>().trim_end().to_owned())
            .collect();
        lines.join("\n")
    }

    #[test]
    fn wide_enough_every_client_has_a_column() {
        insta::assert_snapshot!(plain(64), @r"
        2 buyers, smallest found, replayed 3/3

             buyer A (instance 1)         buyer B (instance 2)
           1 SET lock:42 a NX PX 500      |
             -> OK                        |
           2 --- 500 ms pass: the lock expires ---
           3 |                            SET lock:42 b NX PX 500
             |                            -> OK
        x  4 DEL lock:42                  |
             -> (integer) 1               |
        ");
    }

    #[test]
    fn narrow_every_step_names_its_client() {
        insta::assert_snapshot!(plain(40), @r"
        2 buyers, smallest found, replayed 3/3

           1 buyer A    SET lock:42 a NX PX 500
                        -> OK
           2 --- 500 ms pass: the lock ---
             --- expires ---
           3 buyer B    SET lock:42 b NX PX 500
                        -> OK
        x  4 buyer A    DEL lock:42
                        -> (integer) 1
        ");
    }
}
