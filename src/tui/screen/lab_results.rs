//! What came of a lab: totals a variant, claims and guesses against what was measured.
//!
//! Owns: the table and the list. Must not know: where on the screen they are drawn.

use std::fmt::Write as _;

use ratatui::{
    Frame,
    layout::Rect,
    style::{Modifier, Style},
    text::{Line, Span},
};

use super::lab::LabScreen;
use crate::{
    course::{Block, UnitId, lesson::Predict},
    lab::LabStarted,
    tui::{
        model::Model,
        screen::lesson::scrollbar,
        text,
        theme::Role,
        widget::{
            chart::short,
            wrap::{Run, wrap},
        },
    },
};

/// Metrics for the table, the most telling first.
fn columns(lab: &LabScreen, started: &LabStarted) -> Vec<String> {
    let known = |name: &str| {
        lab.variants.iter().any(|run| run.totals.as_ref().is_some_and(|totals| totals.iter().any(|(n, _)| n == name)))
    };
    let standard =
        ["hit_ratio", "lost_updates", "p50", "p99", "origin.calls", "origin.peak", "stale", "errors", "rate"];
    let mut all: Vec<String> = started.extra.iter().map(|extra| extra.name.clone()).collect();
    all.extend(standard.iter().map(|name| (*name).to_owned()).filter(|name| known(name)));
    let mut seen = std::collections::HashSet::new();
    all.retain(|name| seen.insert(name.clone()));
    all
}

/// A value of the table.
fn cell(lab: &LabScreen, variant: usize, name: &str) -> String {
    let run = &lab.variants[variant];
    let value = run.totals.as_ref().and_then(|totals| totals.iter().find(|(n, _)| n == name).map(|(_, value)| *value));
    match value {
        Some(value) if name.ends_with("_ratio") || name.ends_with("share") => format!("{:.1}%", value * 100.0),
        Some(value) => short(value),
        None => String::new(),
    }
}

/// A metric's name as the head of a column: in two lines where there is room, so that columns stay narrow.
fn head(name: &str, tall: bool) -> (String, String) {
    let words = name.replace(['_', '.'], " ");
    match words.split_once(' ').filter(|_| tall) {
        Some((first, second)) => (first.to_owned(), second.to_owned()),
        None => (String::new(), words),
    }
}

/// Totals: one row a variant.
pub(super) fn totals(model: &Model, lab: &LabScreen, started: &LabStarted, frame: &mut Frame<'_>, area: Rect) {
    if area.height < 2 {
        return;
    }
    let theme = model.theme;
    let names: Vec<String> = columns(lab, started);
    let tall = usize::from(area.height) > started.variants.len() + 1;
    let heads: Vec<(String, String)> = names.iter().map(|name| head(name, tall)).collect();
    let widths: Vec<usize> = heads.iter().map(|(a, b)| text::width(a).max(text::width(b)).max(7) + 2).collect();
    let longest = started.variants.iter().map(|variant| text::width(&variant.name)).max().unwrap_or(0) + 3;
    let fits = widths.iter().scan(longest, |sum, width| {
        *sum += width;
        Some(*sum)
    });
    let fits = fits.take_while(|sum| *sum <= usize::from(area.width)).count();
    let dim = theme.style(Role::Dim);
    let line = |part: fn(&(String, String)) -> &str| {
        let cells = heads.iter().zip(&widths).take(fits);
        let mut text = " ".repeat(longest);
        for (head, width) in cells {
            // Writing into a String cannot fail.
            let _ = write!(text, "{:>width$}", part(head));
        }
        Line::styled(text, dim)
    };
    if tall {
        frame.render_widget(line(|head| &head.0), Rect { height: 1, ..area });
    }
    let area = Rect { y: area.y + u16::from(tall), height: area.height - u16::from(tall), ..area };
    frame.render_widget(line(|head| &head.1), Rect { height: 1, ..area });
    for (at, variant) in started.variants.iter().enumerate().take(usize::from(area.height) - 1) {
        let row = Rect { y: area.y + 1 + at as u16, height: 1, ..area };
        let label = format!("{} {}", theme.marker(at), text::clean(&variant.name));
        let mut spans = vec![Span::styled(format!("{label:<longest$}"), theme.style(Role::Series(at as u8)))];
        if lab.variants[at].totals.is_some() {
            for (name, width) in names.iter().zip(&widths).take(fits) {
                spans.push(Span::raw(format!("{:>width$}", cell(lab, at, name))));
            }
        } else {
            let state = if lab.current == Some(at) { "running" } else { "" };
            spans.push(Span::styled(format!("  {state}"), theme.style(Role::Dim)));
        }
        frame.render_widget(Line::from(spans), row);
        if lab.selected == at {
            frame.buffer_mut().set_style(row, Style::new().add_modifier(Modifier::BOLD));
        }
    }
}

/// What the lesson claims, and what the learner guessed, against what was measured.
pub(super) fn claims(model: &Model, unit: &UnitId, lab: &LabScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let dim = theme.style(Role::Dim);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (predict, guess) in predictions(model, unit) {
        let measured = measured(lab, &predict.metric).map_or_else(|| "not measured".to_owned(), short);
        lines.push(Line::from(vec![
            Span::styled(format!("you said {} {}", short(guess), predict.unit), theme.style(Role::Important)),
            Span::raw(format!(", measured {measured} {}", predict.unit)),
            Span::styled(format!("  {}", predict.metric), dim),
        ]));
    }
    for claim in &lab.claims {
        let (mark, role) = match claim.holds {
            Some(true) => (glyphs.tick, Role::Good),
            Some(false) => (glyphs.cross, Role::Bad),
            None => (glyphs.dot, Role::Warn),
        };
        lines.push(Line::from(vec![
            Span::styled(format!("{mark} "), theme.style(role)),
            Span::raw(text::clean(&claim.sentence).into_owned()),
        ]));
        lines.push(Line::styled(format!("  {}", text::clean(&claim.measured)), dim));
    }
    let height = usize::from(area.height);
    let width = usize::from(area.width.saturating_sub(2));
    let lines: Vec<Line<'static>> = lines.into_iter().flat_map(|line| wrapped(&line, width)).collect();
    let scroll = lab.scroll.min(lines.len().saturating_sub(height));
    for (at, line) in lines.iter().skip(scroll).take(height).enumerate() {
        frame.render_widget(
            line,
            Rect { y: area.y + at as u16, height: 1, width: area.width.saturating_sub(2), ..area },
        );
    }
    scrollbar(frame, area, scroll, lines.len(), theme);
}

/// A line in as many rows as it needs, indented after the first.
fn wrapped(line: &Line<'static>, width: usize) -> Vec<Line<'static>> {
    let base = line.style;
    let runs: Vec<Run> = line
        .spans
        .iter()
        .map(|span| Run { text: span.content.to_string(), style: base.patch(span.style), link: None })
        .collect();
    let indent = line.spans.first().map_or(0, |span| span.content.len() - span.content.trim_start().len());
    wrap(&runs, width.saturating_sub(2))
        .into_iter()
        .enumerate()
        .map(|(at, wrapped)| {
            let indent = if at == 0 { indent } else { 2 };
            let mut spans = vec![Span::raw(" ".repeat(indent))];
            spans.extend(wrapped.spans);
            Line::from(spans)
        })
        .collect()
}

/// A total by `variant.metric`.
fn measured(lab: &LabScreen, metric: &str) -> Option<f64> {
    let (variant, name) = metric.split_once('.')?;
    let started = lab.started.as_ref()?;
    let at = started.variants.iter().position(|info| info.name == variant)?;
    let totals = lab.variants.get(at)?.totals.as_ref()?;
    totals.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
}

/// The lesson's predictions that the learner made.
pub(super) fn predictions<'a>(model: &'a Model, unit: &UnitId) -> Vec<(&'a Predict, f64)> {
    let Some(lesson) = model.lesson(unit) else { return Vec::new() };
    let done = model.progress.unit(unit);
    let predict = |block: &'a Block| match block {
        Block::Predict(predict) => done.predictions.get(&predict.id).map(|guess| (predict, guess.value)),
        _ => None,
    };
    lesson.blocks.iter().filter_map(predict).collect()
}
