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

use super::lab::{LabScreen, Phase};
use crate::{
    course::{Block, UnitId, lesson::Predict},
    lab::{LabStarted, Sample},
    tui::{
        model::Model,
        screen::lesson::scrollbar,
        text,
        theme::{Role, Theme},
        widget::chart::{Chart, Level, Scale, Series, short},
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

/// A value of a sample, where there is one.
type Metric = fn(&Sample) -> Option<f64>;

/// All charts of a lab, the most telling first.
fn charts(model: &Model, unit: &UnitId, lab: &LabScreen, started: &LabStarted) -> Vec<Chart> {
    let guesses = predictions(model, unit);
    let levels = |metric: &str| -> Vec<Level> {
        let about =
            |predict: &&(&Predict, f64)| predict.0.metric.split_once('.').is_some_and(|(_, name)| name == metric);
        let level = |(predict, guess): &(&Predict, f64)| {
            let variant = predict.metric.split('.').next().unwrap_or_default();
            Level { value: *guess, label: format!("your guess for {variant}"), role: Role::Important }
        };
        guesses.iter().filter(about).map(level).collect()
    };
    let base = |title: &str, unit: &str, scale: Scale| empty_chart(model.theme, lab, started, title, unit, scale);
    let mut all = Vec::new();
    let samples = || lab.variants.iter().flat_map(|variant| &variant.samples);
    for (at, extra) in started.extra.iter().enumerate() {
        // A share of nothing is no number.
        let value = |sample: &Sample| sample.extra.get(at).copied().filter(|value| value.is_finite());
        let mut chart = base(&extra.label, &extra.unit, Scale::Linear(1.0));
        chart.short = text::clean(&extra.name.replace('_', " ")).into_owned();
        chart.series = series(model.theme, lab, &value);
        chart.levels = levels(&extra.name);
        all.push(chart);
    }
    if samples().any(|sample| sample.hits + sample.misses > 0) {
        let ratio: Metric = |s| (s.hits + s.misses > 0).then(|| 100.0 * s.hits as f64 / (s.hits + s.misses) as f64);
        let mut chart = base("hit ratio", "%", Scale::Fixed(100.0));
        chart.series = series(model.theme, lab, &ratio);
        chart.levels =
            levels("hit_ratio").into_iter().map(|l| Level { value: l.value * percent(l.value), ..l }).collect();
        all.insert(0, chart);
    }
    let mut latency = base("response time p50 and p99", "ms", Scale::Log);
    latency.series = latencies(model.theme, lab);
    latency.levels = levels("p50").into_iter().chain(levels("p99")).chain(levels("mean")).collect();
    all.insert(1.min(all.len()), latency);
    if samples().any(|sample| sample.origin_calls > 0) {
        let mut chart = base("origin calls in flight", "", Scale::Linear(1.0));
        let peak: Metric = |s| Some(s.origin_peak as f64);
        chart.series = series(model.theme, lab, &peak);
        if let Some(capacity) = started.origin_capacity {
            let label = format!("capacity {capacity}");
            chart.levels.push(Level { value: f64::from(capacity), label, role: Role::Warn });
        }
        chart.levels.extend(levels("origin.peak"));
        all.insert(2.min(all.len()), chart);
    }
    for chart in &mut all {
        let front = chart.series.iter().rev().find(|series| !series.dim);
        let value = front.and_then(|series| series.points.iter().rev().find_map(|(_, value)| *value));
        chart.latest = front.zip(value).map(|(series, value)| (series.role, value));
    }
    all
}

/// The variant in the foreground with its median and its 99th percentile; the others with the
/// percentile, or with the median where too few requests were made to tell the percentile.
fn latencies(theme: Theme, lab: &LabScreen) -> Vec<Series> {
    let (p50, p99): (Metric, Metric) = (|s| s.latency.p50, |s| s.latency.p99);
    let told = |series: &Series| series.points.iter().any(|(_, value)| value.is_some());
    let mut all: Vec<Series> = series(theme, lab, &p99)
        .into_iter()
        .zip(series(theme, lab, &p50))
        .flat_map(|(high, middle)| match (told(&high), high.dim) {
            (true, true) => vec![high],
            (true, false) => vec![high, middle],
            (false, _) => vec![middle],
        })
        .collect();
    all.sort_by_key(|series| !series.dim);
    all
}

/// A guess of a share may have been given as 0.95 or as 95.
fn percent(guess: f64) -> f64 {
    if guess <= 1.0 { 100.0 } else { 1.0 }
}

fn empty_chart(theme: Theme, lab: &LabScreen, started: &LabStarted, title: &str, unit: &str, scale: Scale) -> Chart {
    let marks = lab.variants.get(lab.selected).map_or_else(Vec::new, |variant| variant.marks.clone());
    let longest = (0..lab.variants.len()).map(|variant| lab.elapsed(variant)).fold(0.0, f64::max);
    Chart {
        title: text::clean(title).into_owned(),
        short: text::clean(title).into_owned(),
        latest: None,
        unit: unit.to_owned(),
        series: Vec::new(),
        levels: Vec::new(),
        marks,
        seconds: started.duration.as_secs_f64().max(longest),
        scale,
        theme,
    }
}

/// One line a variant; the one in the foreground is last, so it is drawn over the others.
fn series(theme: Theme, lab: &LabScreen, value: &dyn Fn(&Sample) -> Option<f64>) -> Vec<Series> {
    let mut order: Vec<usize> = (0..lab.variants.len()).collect();
    order.sort_by_key(|at| *at == lab.selected);
    order
        .into_iter()
        .map(|at| Series {
            marker: theme.marker(at),
            role: Role::Series(at as u8),
            points: lab.variants[at].samples.iter().map(|sample| (sample.at.as_secs_f64(), value(sample))).collect(),
            dim: at != lab.selected,
        })
        .collect()
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
fn totals(model: &Model, lab: &LabScreen, started: &LabStarted, frame: &mut Frame<'_>, area: Rect) {
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
        let text: String = cells.map(|(head, width)| format!("{:>width$}", part(head))).collect();
        Line::styled(format!("{}{text}", " ".repeat(longest)), dim)
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
fn claims(model: &Model, unit: &UnitId, lab: &LabScreen, frame: &mut Frame<'_>, area: Rect) {
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
    use crate::tui::widget::wrap::{Run, wrap};
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
fn predictions<'a>(model: &'a Model, unit: &UnitId) -> Vec<(&'a Predict, f64)> {
    let Some(lesson) = model.lesson(unit) else { return Vec::new() };
    let done = model.progress.unit(unit);
    let predict = |block: &'a Block| match block {
        Block::Predict(predict) => done.predictions.get(&predict.id).map(|guess| (predict, guess.value)),
        _ => None,
    };
    lesson.blocks.iter().filter_map(predict).collect()
}
