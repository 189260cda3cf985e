//! Drawing of the exercise screen: task, list of checks with the detail of one, output.
//!
//! Owns: what goes where at which size. Must not know: keys, runs.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    check::{CheckScreen, Page, Phase, Row, RowState},
    lesson::scrollbar,
};
use crate::{
    check::{CheckResult, Failure, Verdict},
    course::UnitId,
    tui::{
        layout::GUTTER,
        model::Model,
        text,
        theme::{Role, Theme},
        widget::{
            lanes::lanes,
            wrap::{Run, wrap},
        },
    },
};

/// Draws it.
pub fn view(model: &Model, unit: &UnitId, frame: &mut Frame<'_>, main: Rect) {
    let Some(check) = model.checks.get(unit) else { return };
    let theme = model.theme;
    head(model, check, frame, main);
    let body = Rect { y: main.y + 1, height: main.height.saturating_sub(1), ..main };
    match check.page {
        Page::Task => {
            let text = Rect { x: body.x + GUTTER.min(body.width), width: body.width.saturating_sub(GUTTER), ..body };
            scrolled(frame, text, &check.task.lines, check.scroll, theme);
        }
        Page::Output => output(check, frame, body, theme),
        Page::Checks => {
            let (list, rest) = areas(model, unit, main);
            if !check.zoom {
                rows(check, frame, list, theme);
            }
            detail(model, unit, check, frame, rest);
        }
    }
}

/// The pages' names, to be clicked.
pub fn tabs(main: Rect) -> Vec<Rect> {
    let mut x = main.x;
    Page::ALL
        .iter()
        .map(|(_, name)| {
            let area = Rect { x, y: main.y, width: name.len() as u16 + 2, height: 1 };
            x += area.width + 1;
            area
        })
        .collect()
}

fn head(model: &Model, check: &CheckScreen, frame: &mut Frame<'_>, main: Rect) {
    let theme = model.theme;
    for ((page, name), area) in Page::ALL.iter().zip(tabs(main)) {
        let style = if *page == check.page { theme.style(Role::Selected) } else { theme.style(Role::Dim) };
        frame.render_widget(Span::styled(format!(" {name} "), style), area.intersection(main));
    }
    let from = tabs(main).last().map_or(main.x, |area| area.right() + 2);
    let glyphs = theme.glyphs();
    let (state, role) = match (&check.phase, &check.report) {
        (Phase::Idle, _) => (String::new(), Role::Dim),
        (Phase::Running(text), _) => (format!("{} {text}", glyphs.running), Role::Warn),
        (Phase::Aborted { ours: true, .. }, _) => ("no verdict: the environment is at fault".into(), Role::Warn),
        (Phase::Aborted { .. }, _) => ("your program did not start".into(), Role::Bad),
        (Phase::Finished, Some(report)) => {
            let good = report.results.iter().filter(|r| matches!(r.verdict, Verdict::Pass { .. })).count();
            let all = report.results.len();
            let seconds = report.took.as_secs_f64();
            let role = match report.exit_code() {
                0 => Role::Good,
                1 => Role::Bad,
                _ => Role::Warn,
            };
            (format!("{good} of {all} passed in {seconds:.1} s, seed {}", report.seed), role)
        }
        (Phase::Finished, None) => ("finished".into(), Role::Good),
    };
    let state = text::clean(&state).into_owned();
    let area = Rect { x: from, y: main.y, width: main.right().saturating_sub(from), height: 1 }.intersection(main);
    frame.render_widget(Span::styled(state, theme.style(role)), area);
}

/// Where the list of checks and the detail are.
pub fn areas(model: &Model, unit: &UnitId, main: Rect) -> (Rect, Rect) {
    let body = Rect { y: main.y + 1, height: main.height.saturating_sub(1), ..main };
    let Some(check) = model.checks.get(unit).filter(|check| !check.zoom) else {
        return (Rect { height: 0, ..body }, body);
    };
    if body.width >= 110 {
        let left = body.width * 2 / 5;
        let list = Rect { width: left, ..body };
        return (list, Rect { x: body.x + left + 2, width: body.width - left - 2, ..body });
    }
    let rows = (check.rows.len() as u16).min(body.height.saturating_sub(1) / 2 + 1);
    let list = Rect { height: rows, ..body };
    let below = Rect { y: body.y + rows, height: body.height - rows, ..body };
    (list, below)
}

fn rows(check: &CheckScreen, frame: &mut Frame<'_>, area: Rect, theme: Theme) {
    let height = usize::from(area.height);
    let first = (check.selected + 1).saturating_sub(height);
    for (at, row) in check.rows.iter().enumerate().skip(first).take(height) {
        let place = Rect { y: area.y + (at - first) as u16, height: 1, ..area };
        let selected = at == check.selected;
        let (mark, role, tail) = mark(row, theme);
        let style = |role: Role| if selected { Style::new() } else { theme.style(role) };
        if selected {
            frame.buffer_mut().set_style(place, theme.style(Role::Selected));
        }
        let title = text::clean(&row.info.title);
        let tail = text::cut(&tail, usize::from(area.width) / 3, theme.glyphs().ellipsis).into_owned();
        let room = usize::from(area.width).saturating_sub(text::width(&tail) + 5);
        let title = text::cut(&title, room, theme.glyphs().ellipsis).into_owned();
        let pad = " ".repeat(room.saturating_sub(text::width(&title)) + 1);
        let line = Line::from(vec![
            Span::styled(format!(" {mark} "), style(role)),
            Span::raw(title),
            Span::raw(pad),
            Span::styled(tail, style(Role::Dim)),
        ]);
        frame.render_widget(line, place);
    }
}

/// Sign, colour and a few words of a check's state.
fn mark(row: &Row, theme: Theme) -> (&'static str, Role, String) {
    let glyphs = theme.glyphs();
    match &row.state {
        RowState::Waiting => (glyphs.dot, Role::Dim, String::new()),
        RowState::Running(text) => (glyphs.running, Role::Warn, text::clean(text).into_owned()),
        RowState::Judged(result) => {
            let took = format!("{:.1} s", result.took.as_secs_f64());
            match &result.verdict {
                Verdict::Pass { .. } => (glyphs.tick, Role::Good, took),
                Verdict::Fail(_) => (glyphs.cross, Role::Bad, took),
                Verdict::Broken { .. } => (glyphs.cross, Role::Bad, "broken".into()),
                Verdict::Inconclusive { .. } => ("?", Role::Warn, "inconclusive".into()),
                Verdict::Skipped { .. } => ("-", Role::Dim, "skipped".into()),
            }
        }
    }
}

fn detail(model: &Model, unit: &UnitId, check: &CheckScreen, frame: &mut Frame<'_>, area: Rect) {
    if area.height < 2 || area.width < 8 {
        return;
    }
    let theme = model.theme;
    let rule = theme.glyphs().rule.repeat(usize::from(area.width));
    frame.render_widget(Line::styled(rule, theme.style(Role::Border)), Rect { height: 1, ..area });
    let inner = Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 1 };
    let width = usize::from(inner.width.saturating_sub(1));
    let lines = match &check.phase {
        Phase::Aborted { text, output, .. } => {
            let mut lines = prose(text, Role::Text, width, theme);
            lines.extend(tail(output, theme));
            lines
        }
        _ => about(model, unit, check, width),
    };
    scrolled(frame, inner, &lines, check.scroll, theme);
}

/// What there is to know about the selected check.
fn about(model: &Model, unit: &UnitId, check: &CheckScreen, width: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let Some(row) = check.rows.get(check.selected) else { return Vec::new() };
    let mut lines = prose(&row.info.title, Role::Strong, width, theme);
    lines.push(Line::styled(format!("{unit}#{}", row.info.id), theme.style(Role::Dim)));
    match &row.state {
        RowState::Waiting if !row.info.after.is_empty() => {
            lines.extend(prose(&format!("judged after {}", row.info.after.join(", ")), Role::Dim, width, theme));
        }
        RowState::Waiting => {}
        RowState::Running(text) => lines.extend(prose(text, Role::Warn, width, theme)),
        RowState::Judged(result) => lines.extend(verdict(result, width, theme)),
    }
    lines
}

fn verdict(result: &CheckResult, width: usize, theme: Theme) -> Vec<Line<'static>> {
    match &result.verdict {
        Verdict::Pass { coverage } => prose(&format!("holds: {coverage}"), Role::Good, width, theme),
        Verdict::Inconclusive { reason } => prose(&format!("could not be told: {reason}"), Role::Warn, width, theme),
        Verdict::Skipped { because } => prose(&format!("skipped, because {because}"), Role::Dim, width, theme),
        Verdict::Broken { reason, output } => {
            let mut lines = prose(reason, Role::Bad, width, theme);
            lines.extend(tail(output, theme));
            lines
        }
        Verdict::Fail(failure) => failed(failure, width, theme),
    }
}

fn failed(failure: &Failure, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = prose(&failure.why, Role::Bad, width, theme);
    if let Some(looks) = &failure.looks_like {
        lines.extend(prose(&format!("This looks like: {looks}"), Role::Warn, width, theme));
    }
    for evidence in &failure.evidence {
        lines.extend(prose(evidence, Role::Text, width, theme));
    }
    if !failure.advice.is_empty() {
        lines.extend(prose(&format!("Try: {}", failure.advice), Role::Good, width, theme));
    }
    if let Some(example) = &failure.counterexample {
        lines.push(Line::default());
        lines.extend(lanes(example, width, theme));
    }
    if let Some(replay) = &failure.replay {
        lines.push(Line::default());
        lines.extend(prose(&format!("replay: {replay}"), Role::Dim, width, theme));
    }
    lines.extend(tail(&failure.output, theme));
    lines
}

/// Last lines of the program.
fn tail(output: &[String], theme: Theme) -> Vec<Line<'static>> {
    if output.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![Line::default(), Line::styled("your program's last lines", theme.style(Role::Heading))];
    lines.extend(output.iter().map(|line| Line::styled(text::clean(line).into_owned(), theme.style(Role::Dim))));
    lines
}

fn prose(content: &str, role: Role, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let style = theme.style(role);
    let line = |line: &str| wrap(&[Run { text: line.to_owned(), style, link: None }], width);
    content.lines().flat_map(line).map(|wrapped| Line::from(wrapped.spans)).collect()
}

fn output(check: &CheckScreen, frame: &mut Frame<'_>, area: Rect, theme: Theme) {
    let lines: Vec<Line<'static>> = check
        .output
        .iter()
        .map(|(instance, error, line)| {
            Line::from(vec![
                Span::styled(format!("{instance} "), theme.style(Role::Series(instance.saturating_sub(1) as u8))),
                Span::styled(text::clean(line).into_owned(), theme.style(if *error { Role::Warn } else { Role::Text })),
            ])
        })
        .collect();
    if lines.is_empty() {
        let none = Line::styled("What your program writes is shown here.", theme.style(Role::Dim));
        frame.render_widget(none, area);
        return;
    }
    scrolled(frame, area, &lines, check.scroll, theme);
}

/// The visible part of lines, with a scrollbar.
fn scrolled(frame: &mut Frame<'_>, area: Rect, lines: &[Line<'static>], scroll: usize, theme: Theme) {
    let height = usize::from(area.height);
    let scroll = scroll.min(lines.len().saturating_sub(height));
    for (at, line) in lines.iter().skip(scroll).take(height).enumerate() {
        let place = Rect { y: area.y + at as u16, height: 1, width: area.width.saturating_sub(1), ..area };
        frame.render_widget(line, place);
    }
    scrollbar(frame, area, scroll, lines.len(), theme);
}
