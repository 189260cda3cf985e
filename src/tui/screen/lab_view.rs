//! Drawing of the lab screen: introduction, legend, charts, totals, claims, as many as fit.
//!
//! Owns: what goes where at which size. Must not know: keys, runs.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::{Line, Span},
    widgets::{Paragraph, Wrap},
};

use super::{
    lab::{LabScreen, Phase},
    lab_charts::charts,
    lab_results::{claims, predictions, totals},
};
use crate::{
    course::UnitId,
    lab::LabStarted,
    tui::{
        model::Model,
        text,
        theme::Role,
        widget::chart::{Chart, short},
    },
};

/// Draws it.
pub fn view(model: &Model, unit: &UnitId, frame: &mut Frame<'_>, main: Rect) {
    let Some(lab) = model.labs.get(unit) else { return };
    let Some(started) = &lab.started else { return introduction(model, unit, lab, frame, main) };
    let [status, names, below] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(legend_rows(model, unit, main)),
        Constraint::Fill(1),
    ])
    .areas(main);
    frame.render_widget(status_line(model, lab, started, status.width), status);
    for (area, line) in legend(model, unit, main) {
        frame.render_widget(line, area.intersection(names));
    }
    let charts = charts(model, unit, lab, started);
    let (chart_area, table_area, claim_area) = divide(below, lab, charts.len());
    draw_charts(frame, chart_area, &charts, lab.page);
    totals(model, lab, started, frame, table_area);
    if let Some(area) = claim_area {
        claims(model, unit, lab, frame, area);
    }
}

/// Charts above; totals below, with the claims beside them or, once there are claims, in their place.
fn divide(below: Rect, lab: &LabScreen, charts: usize) -> (Rect, Rect, Option<Rect>) {
    let rows = lab.variants.len() as u16 + if below.height >= 19 { 2 } else { 1 };
    let lower = if charts == 0 { below.height } else { rows.min(below.height.saturating_sub(6)) };
    let finished = !lab.claims.is_empty();
    let lower = if finished { lower.max((lab.claims.len() as u16 * 2).min(below.height / 2)) } else { lower };
    let [upper, lower] = Layout::vertical([Constraint::Fill(1), Constraint::Length(lower)]).areas(below);
    if finished && below.width >= 110 {
        let [left, _, right] =
            Layout::horizontal([Constraint::Percentage(50), Constraint::Length(2), Constraint::Fill(1)]).areas(lower);
        return (upper, left, Some(right));
    }
    if finished {
        let [table, claims] = Layout::vertical([Constraint::Length(rows.min(upper.height)), Constraint::Fill(1)])
            .areas(Rect { y: upper.y, height: upper.height + lower.height, ..upper });
        // On a small screen the charts give way to what came of them; Tab brings them back.
        if upper.height + lower.height < rows + 8 + 8 {
            if lab.page % 2 == 1 {
                return (Rect { height: upper.height + lower.height, ..upper }, Rect { height: 0, ..lower }, None);
            }
            return (Rect { height: 0, ..upper }, table, Some(claims));
        }
        let third = (upper.height + lower.height).saturating_sub(rows) / 2;
        let [charts, table, claims] =
            Layout::vertical([Constraint::Length(third), Constraint::Length(rows), Constraint::Fill(1)]).areas(Rect {
                y: upper.y,
                height: upper.height + lower.height,
                ..upper
            });
        return (charts, table, Some(claims));
    }
    (upper, lower, None)
}

/// Before the first run: the question, what will be compared, what can be done.
fn introduction(model: &Model, unit: &UnitId, lab: &LabScreen, frame: &mut Frame<'_>, main: Rect) {
    let theme = model.theme;
    let Some(experiment) = model.course.unit(unit).and_then(|unit| unit.lab.as_ref()?.experiment.as_ref()) else {
        return;
    };
    let dim = theme.style(Role::Dim);
    let mut lines = vec![
        Line::styled(text::clean(&experiment.title).into_owned(), theme.style(Role::Title)),
        Line::from(text::clean(&experiment.question).into_owned()),
        Line::default(),
        Line::styled("Compared", theme.style(Role::Heading)),
    ];
    for (at, variant) in experiment.variants.iter().enumerate() {
        lines.push(Line::from(vec![
            Span::styled(format!("  {} ", theme.marker(at)), theme.style(Role::Series(at as u8))),
            Span::raw(text::clean(&variant.label).into_owned()),
        ]));
    }
    let seconds = experiment.workload.duration * experiment.variants.len() as f64;
    lines.push(Line::styled(format!("  one after the other, about {} s in all", short(seconds.round())), dim));
    lines.push(Line::default());
    if !experiment.faults.is_empty() {
        lines.push(Line::styled("What you can do to it", theme.style(Role::Heading)));
        for fault in &experiment.faults {
            lines.push(Line::from(vec![
                Span::styled(format!("  {} ", fault.key), theme.style(Role::Key)),
                Span::raw(text::clean(&fault.label).into_owned()),
            ]));
        }
        lines.push(Line::default());
    }
    let guesses = predictions(model, unit);
    for (predict, guess) in &guesses {
        let question: String = predict.question.iter().map(|inline| inline.text.as_str()).collect();
        lines.push(Line::from(vec![
            Span::styled("your prediction: ", theme.style(Role::Important)),
            Span::raw(format!("{} {}", short(*guess), predict.unit)),
            Span::styled(format!("  {}", text::clean(&question)), dim),
        ]));
    }
    let state = match &lab.phase {
        Phase::Starting => Line::styled("starting", theme.style(Role::Warn)),
        Phase::Failed(why) => Line::styled(text::clean(why).into_owned(), theme.style(Role::Bad)),
        _ => Line::from(vec![Span::styled("Enter", theme.style(Role::Key)), Span::raw(" starts it")]),
    };
    lines.push(state);
    let scroll = lab.scroll.min(lines.len().saturating_sub(usize::from(main.height)));
    let inner = Rect { x: main.x + 2.min(main.width), width: main.width.saturating_sub(4).min(92), ..main };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).scroll((scroll as u16, 0)), inner);
}

fn status_line(model: &Model, lab: &LabScreen, started: &LabStarted, width: u16) -> Line<'static> {
    let theme = model.theme;
    let (state, role) = match &lab.phase {
        Phase::Idle | Phase::Starting => ("starting".to_owned(), Role::Warn),
        Phase::Running => {
            let at = lab.current.map_or(0.0, |variant| lab.elapsed(variant));
            let seconds = short(started.duration.as_secs_f64());
            let number = lab.current.map_or(0, |variant| variant + 1);
            let of = format!("{number}/{}", lab.variants.len());
            (format!("{} {of}  {at:.1} of {seconds} s", theme.glyphs().running), Role::Good)
        }
        Phase::Paused => ("paused".to_owned(), Role::Warn),
        Phase::Finished => (format!("{} finished", theme.glyphs().tick), Role::Good),
        Phase::Failed(why) => (format!("{} {why}", theme.glyphs().cross), Role::Bad),
    };
    let warning = lab.warnings.last().map_or_else(String::new, |warning| format!("  ! {warning}"));
    let knobs: Vec<String> = started
        .knobs
        .iter()
        .zip(&lab.knobs)
        .enumerate()
        .map(|(at, (knob, position))| {
            let value = knob.values.get(*position).copied().unwrap_or_default();
            let here = if at == lab.knob && lab.active() { theme.glyphs().pointer } else { "" };
            format!("{here}{} {}{}", knob.label, short(value), knob.unit)
        })
        .collect();
    let rest = format!("  {}  {}{warning}", started.workload, knobs.join("  "));
    let state = text::clean(&state).into_owned();
    let room = usize::from(width).saturating_sub(text::width(&state));
    let rest = text::cut(&text::clean(&rest), room, theme.glyphs().ellipsis).into_owned();
    Line::from(vec![Span::styled(state, theme.style(role)), Span::styled(rest, theme.style(Role::Dim))])
}

/// Rows that the variants' names need.
fn legend_rows(model: &Model, unit: &UnitId, main: Rect) -> u16 {
    legend(model, unit, main).last().map_or(0, |(area, _)| area.bottom() - main.y - 1)
}

/// Variants as tabs: area and text, in order, below the status line.
pub fn legend(model: &Model, unit: &UnitId, main: Rect) -> Vec<(Rect, Line<'static>)> {
    let Some(lab) = model.labs.get(unit) else { return Vec::new() };
    let Some(started) = &lab.started else { return Vec::new() };
    let theme = model.theme;
    let glyphs = theme.glyphs();
    // On a small screen the table below has the names: only the one in the foreground needs its own.
    let small = main.height < 18;
    let (mut x, mut y) = (main.x, main.y + 1);
    let mut areas = Vec::new();
    for (at, variant) in started.variants.iter().enumerate() {
        let done = lab.variants.get(at).is_some_and(|run| run.totals.is_some());
        let state = match (done, lab.current == Some(at)) {
            (true, _) => glyphs.tick,
            (_, true) => glyphs.running,
            _ => " ",
        };
        // A label that would take half a line is named by its short name instead.
        let label = if variant.label.len() <= 22 || main.width >= 150 { &variant.label } else { &variant.name };
        let label = if small && lab.selected != at { "" } else { label };
        let name = format!("{} {state} ", text::clean(label)).trim_start().to_owned();
        let mark = format!(" {} ", theme.marker(at));
        let width = (text::width(&name) + text::width(&mark)) as u16;
        if x > main.x && x + width > main.right() {
            (x, y) = (main.x, y + 1);
        }
        let selected = lab.selected == at;
        let style = if selected { theme.style(Role::Selected) } else { Style::new() };
        let series = theme.style(Role::Series(at as u8));
        let mark_style = if selected { style.add_modifier(Modifier::BOLD) } else { series };
        let line = Line::from(vec![Span::styled(mark, mark_style), Span::styled(name, style)]);
        areas.push((Rect { x, y, width: width.min(main.right().saturating_sub(x)), height: 1 }, line));
        x += width + 1;
    }
    areas
}

/// Draws as many charts as fit at a readable size.
fn draw_charts(frame: &mut Frame<'_>, area: Rect, charts: &[Chart], page: usize) {
    if area.height < 4 || charts.is_empty() {
        return;
    }
    let fit = (usize::from(area.width) / 38).clamp(1, 3);
    let columns = match charts.len() {
        1 => 1,
        2 | 4 => fit.min(2),
        _ => fit,
    };
    let rows = (usize::from(area.height) / 9).clamp(1, charts.len().div_ceil(columns));
    let pages = charts.len().div_ceil(columns * rows);
    let shown = charts.iter().skip((page % pages) * columns * rows).take(columns * rows).collect::<Vec<_>>();
    let columns = columns.min(shown.len());
    let rows = shown.len().div_ceil(columns);
    let (width, height) = (area.width / columns as u16, area.height / rows as u16);
    for (at, chart) in shown.into_iter().enumerate() {
        let (column, row) = ((at % columns) as u16, (at / columns) as u16);
        let gap = u16::from(column + 1 < columns as u16) * 2;
        let place = Rect { x: area.x + column * width, y: area.y + row * height, width: width - gap, height };
        frame.render_widget(chart, place);
    }
}
