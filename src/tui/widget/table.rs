//! Tables that fit: cells wrap, and where columns would get too narrow each row becomes a small list.
//!
//! Owns: column widths and drawing of tables. Must not know: other blocks.

use ratatui::{style::Style, text::Span};

use super::{
    markdown::Composer,
    wrap::{Run, Wrapped, wrap},
};
use crate::{
    course::{Inline, lesson::Align},
    tui::{text, theme::Role},
};

/// Columns between two cells: ` │ `.
const GAP: usize = 3;
/// Narrower columns than this are not readable.
const LEAST: usize = 6;

/// Lays a table out.
pub(super) fn table(composer: &mut Composer<'_>, align: &[Align], head: &[Vec<Inline>], rows: &[Vec<Vec<Inline>>]) {
    let columns = head.len();
    if columns == 0 {
        return;
    }
    match widths(composer.room(), head, rows) {
        Some(widths) => grid(composer, align, head, rows, &widths),
        None => records(composer, head, rows),
    }
}

/// Width of a cell's text, and of its longest word.
fn measure(cell: &[Inline]) -> (usize, usize) {
    let whole: String = cell.iter().map(|inline| inline.text.as_str()).collect();
    let whole = text::clean(&whole);
    (text::width(&whole), whole.split_whitespace().map(text::width).max().unwrap_or(0))
}

/// A width for every column so that all fit, taking from the widest first; `None`: they don't.
fn widths(room: usize, head: &[Vec<Inline>], rows: &[Vec<Vec<Inline>>]) -> Option<Vec<usize>> {
    let columns = head.len();
    let room = room.checked_sub(GAP * (columns - 1))?;
    let mut natural = vec![1; columns];
    let mut least = vec![1; columns];
    for row in std::iter::once(head).chain(rows.iter().map(Vec::as_slice)) {
        for (at, cell) in row.iter().enumerate().take(columns) {
            let (whole, word) = measure(cell);
            natural[at] = natural[at].max(whole);
            least[at] = least[at].max(word);
        }
    }
    for floor in [least, natural.iter().map(|n| (*n).min(LEAST)).collect()] {
        let mut widths = natural.clone();
        while widths.iter().sum::<usize>() > room {
            let Some(widest) = (0..columns).filter(|at| widths[*at] > floor[*at]).max_by_key(|at| widths[*at]) else {
                break;
            };
            widths[widest] -= 1;
        }
        if widths.iter().sum::<usize>() <= room {
            return Some(widths);
        }
    }
    None
}

fn grid(
    composer: &mut Composer<'_>,
    align: &[Align],
    head: &[Vec<Inline>],
    rows: &[Vec<Vec<Inline>>],
    widths: &[usize],
) {
    let bold = composer.style(Role::Strong);
    row(composer, align, head, widths, bold);
    let glyphs = composer.context.theme.glyphs();
    let rule: Vec<String> = widths.iter().map(|width| glyphs.rule.repeat(*width)).collect();
    let rule = rule.join(&format!("{0}{1}{0}", glyphs.rule, glyphs.crossing));
    let dim = composer.style(Role::Border);
    composer.line(vec![Span::styled(rule, dim)]);
    let tall = rows.iter().any(|row| row.iter().zip(widths).any(|(cell, width)| measure(cell).0 > *width));
    for (at, cells) in rows.iter().enumerate() {
        row(composer, align, cells, widths, Style::new());
        if tall && at + 1 < rows.len() {
            let line: Vec<String> = widths.iter().map(|width| " ".repeat(*width)).collect();
            composer.line(vec![Span::styled(line.join(&format!(" {} ", glyphs.bar)), dim)]);
        }
    }
}

fn row(composer: &mut Composer<'_>, align: &[Align], cells: &[Vec<Inline>], widths: &[usize], base: Style) {
    let wrapped: Vec<Vec<Wrapped>> = widths
        .iter()
        .enumerate()
        .map(|(at, width)| {
            let cell = cells.get(at).map_or(&[] as &[Inline], Vec::as_slice);
            let runs: Vec<Run> = cell
                .iter()
                .map(|inline| Run { text: inline.text.clone(), style: composer.inline_style(inline, base), link: None })
                .collect();
            wrap(&runs, *width)
        })
        .collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(1).max(1);
    let separator = Span::styled(format!(" {} ", composer.context.theme.glyphs().bar), composer.style(Role::Border));
    for line in 0..height {
        let mut spans = Vec::new();
        for (at, width) in widths.iter().enumerate() {
            if at > 0 {
                spans.push(separator.clone());
            }
            let cell = wrapped[at].get(line).cloned().unwrap_or_default();
            let spare = width.saturating_sub(cell.width);
            let before = match align.get(at) {
                Some(Align::Right) => spare,
                Some(Align::Centre) => spare / 2,
                _ => 0,
            };
            spans.push(Span::raw(" ".repeat(before)));
            spans.extend(cell.spans);
            spans.push(Span::raw(" ".repeat(spare - before)));
        }
        composer.line(spans);
    }
}

/// Each row as `Head: cell` lines.
fn records(composer: &mut Composer<'_>, head: &[Vec<Inline>], rows: &[Vec<Vec<Inline>>]) {
    for (at, cells) in rows.iter().enumerate() {
        for (name, cell) in head.iter().zip(cells) {
            let mut label: Vec<Inline> =
                name.iter().map(|inline| Inline { strong: true, link: None, ..inline.clone() }).collect();
            label.push(Inline { text: ": ".into(), ..Inline::default() });
            label.extend(cell.iter().map(|inline| Inline { link: None, ..inline.clone() }));
            composer.with_prefix(Some(Span::raw("")), Span::raw("  "), |c| c.paragraph(&label, Style::new()));
        }
        if at + 1 < rows.len() {
            composer.blank();
        }
    }
}
