//! Tables: columns as wide as they need, narrower and wrapped where the screen is narrow.

use unicode_width::UnicodeWidthStr;

use super::words;
use crate::{
    cli::common::Ink,
    course::{Inline, lesson::Align},
};

const GAP: &str = "  ";
/// Narrower than this a column is no longer readable.
const LEAST: usize = 6;

/// The table in lines.
pub(super) fn lines(
    align: &[Align],
    head: &[Vec<Inline>],
    rows: &[Vec<Vec<Inline>>],
    ink: Ink,
    width: usize,
) -> Vec<String> {
    let columns = head.len().max(1);
    let widths = widths(head, rows, ink, width.saturating_sub(GAP.len() * (columns - 1)));
    let bold: Vec<Vec<Inline>> =
        head.iter().map(|cell| cell.iter().map(|inline| Inline { strong: true, ..inline.clone() }).collect()).collect();
    let mut lines = row(&bold, align, &widths, ink);
    let dash = if ink.drawing { "─" } else { "-" };
    let rule = widths.iter().map(|width| dash.repeat(*width)).collect::<Vec<_>>().join(GAP);
    lines.push(ink.paint("2", &rule));
    // Wrapped rows need an empty line between them to be told apart.
    let body: Vec<Vec<String>> = rows.iter().map(|cells| row(cells, align, &widths, ink)).collect();
    let wrapped = body.iter().any(|lines| lines.len() > 1);
    for (index, row) in body.into_iter().enumerate() {
        if wrapped && index > 0 {
            lines.push(String::new());
        }
        lines.extend(row);
    }
    lines
}

/// What each column needs; when that is too much, the widest give way first.
fn widths(head: &[Vec<Inline>], rows: &[Vec<Vec<Inline>>], ink: Ink, room: usize) -> Vec<usize> {
    let needs = |column: usize| {
        let cells = std::iter::once(head).chain(rows.iter().map(Vec::as_slice));
        cells.filter_map(|row| row.get(column)).map(|cell| words::unwrapped(cell, ink).1).max().unwrap_or(0).max(1)
    };
    let mut widths: Vec<usize> = (0..head.len()).map(needs).collect();
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > LEAST => *widest -= 1,
            _ => break,
        }
    }
    widths
}

fn row(cells: &[Vec<Inline>], align: &[Align], widths: &[usize], ink: Ink) -> Vec<String> {
    let wrapped: Vec<Vec<String>> =
        widths.iter().enumerate().map(|(i, width)| cells.get(i).map_or(Vec::new(), |c| cell(c, ink, *width))).collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let line = |index: usize| {
        let parts = widths.iter().enumerate().map(|(column, width)| {
            let text = wrapped[column].get(index).map_or("", String::as_str);
            aligned(text, *width, align.get(column).copied().unwrap_or(Align::Left))
        });
        parts.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

fn cell(inlines: &[Inline], ink: Ink, width: usize) -> Vec<String> {
    let (line, needed) = words::unwrapped(inlines, ink);
    if needed <= width { vec![line] } else { words::wrap(inlines, ink, width) }
}

fn aligned(text: &str, width: usize, align: Align) -> String {
    let room = width.saturating_sub(visible_width(text));
    let (left, right) = match align {
        Align::Left => (0, room),
        Align::Centre => (room / 2, room - room / 2),
        Align::Right => (room, 0),
    };
    format!("{}{text}{}", " ".repeat(left), " ".repeat(right))
}

/// Columns of a painted text: our own style sequences take none.
fn visible_width(text: &str) -> usize {
    let mut width = text.width();
    let mut rest = text;
    while let Some(start) = rest.find("\x1b[") {
        let Some(length) = rest[start..].find('m') else { break };
        width = width.saturating_sub(rest[start..=start + length].width());
        rest = &rest[start + length + 1..];
    }
    width
}
