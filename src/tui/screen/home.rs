//! Home: weeks and units with what was done, the selected unit, and what is next and why.
//!
//! Owns: the list and its selection. Must not know: how anything it opens works.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::{Paragraph, Wrap},
};

use crate::{
    course::{Block, Course, Unit, UnitId},
    progress::{CheckOutcome, Progress, State, Step, next, state},
    tui::{
        model::Model,
        text,
        theme::{Role, Theme},
    },
};

/// The state of the list.
#[derive(Debug, Clone, Default)]
pub struct Home {
    /// Selected unit, as a position among those shown.
    pub at: usize,
    /// First row shown.
    pub scroll: usize,
    /// Show only units that are not finished.
    pub pending: bool,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Position of a week in the course.
    Week(usize),
    /// A unit.
    Unit(UnitId),
}

impl Home {
    /// Selects what is next.
    pub fn new(course: &Course, progress: &Progress) -> Self {
        let next = next(course, progress);
        let at = next.and_then(|next| course.units().position(|unit| unit.id == next.unit)).unwrap_or(0);
        Self { at, ..Self::default() }
    }

    /// The selected unit.
    pub fn selected<'a>(&self, model: &'a Model) -> Option<&'a UnitId> {
        units(model, self.pending).get(self.at).copied()
    }

    /// Moves the selection and keeps it on the screen of `height` rows.
    pub fn select(model: &mut Model, at: usize, height: usize) {
        let count = units(model, model.home.pending).len();
        model.home.at = at.min(count.saturating_sub(1));
        let items = items(model);
        let row = row_of(&items, model.home.at);
        // The heading above the first unit of a week comes into sight with it.
        let first = if row > 0 && matches!(items.get(row - 1), Some(Item::Week(_))) { row - 1 } else { row };
        if first < model.home.scroll {
            model.home.scroll = first;
        } else if row >= model.home.scroll + height {
            model.home.scroll = row + 1 - height.max(1);
        }
    }

    /// Shows only what is not done, or all, with the same unit selected if it is there.
    pub fn toggle_pending(model: &mut Model) {
        let selected = model.home.selected(model).cloned();
        model.home.pending = !model.home.pending;
        let units = units(model, model.home.pending);
        let at = selected.and_then(|id| units.iter().position(|unit| **unit == id)).unwrap_or(0);
        model.home.scroll = 0;
        Self::select(model, at, usize::from(list_height(model)));
    }
}

/// Ids shown, in order.
fn units(model: &Model, pending: bool) -> Vec<&UnitId> {
    let wanted = |unit: &&Unit| !pending || state(unit, model.progress.unit(&unit.id)) != State::Done;
    model.course.units().filter(wanted).map(|unit| &unit.id).collect()
}

/// Rows of the list.
pub fn items(model: &Model) -> Vec<Item> {
    let shown = units(model, model.home.pending);
    let mut items = Vec::new();
    for (at, week) in model.course.weeks.iter().enumerate() {
        let units: Vec<Item> = week
            .units
            .iter()
            .filter(|unit| shown.contains(&&unit.id))
            .map(|unit| Item::Unit(unit.id.clone()))
            .collect();
        if !units.is_empty() || !model.home.pending {
            items.push(Item::Week(at));
            items.extend(units);
        }
    }
    items
}

/// Row of the n-th unit.
fn row_of(items: &[Item], at: usize) -> usize {
    items.iter().enumerate().filter(|(_, item)| matches!(item, Item::Unit(_))).nth(at).map_or(0, |(row, _)| row)
}

fn list_height(model: &Model) -> u16 {
    areas(crate::tui::layout::panes(model).main).1.height
}

/// Where the top line, the list and the details are.
pub fn areas(main: Rect) -> (Rect, Rect, Option<Rect>) {
    let (left, details) = if main.width >= 96 {
        let [left, gap, right] =
            Layout::horizontal([Constraint::Percentage(58), Constraint::Length(2), Constraint::Fill(1)]).areas(main);
        let _ = gap;
        (left, Some(right))
    } else if main.height >= 13 {
        let below = if main.height >= 20 { 8 } else { 5 };
        let [above, below] = Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(main);
        (above, Some(below))
    } else {
        (main, None)
    };
    let top = left.height.min(if main.height >= 8 { 2 } else { 0 });
    let [head, list] = Layout::vertical([Constraint::Length(top), Constraint::Fill(1)]).areas(left);
    (head, list, details)
}

/// Draws it.
pub fn view(model: &Model, frame: &mut Frame<'_>, main: Rect) {
    let (head, list, details) = areas(main);
    let theme = model.theme;
    if head.height > 0 {
        frame.render_widget(Line::from(next_line(model)), Rect { height: 1, ..head });
        let columns = Line::styled(COLUMNS, theme.style(Role::Dim)).right_aligned();
        frame.render_widget(columns, Rect { y: head.y + 1, height: 1, ..head });
    }
    let items = items(model);
    let selected = row_of(&items, model.home.at);
    for (row, item) in items.iter().enumerate().skip(model.home.scroll).take(usize::from(list.height)) {
        let area = Rect { y: list.y + (row - model.home.scroll) as u16, height: 1, ..list };
        match item {
            Item::Week(at) => {
                let week = &model.course.weeks[*at];
                let title = format!("Week {}  {}", week.number, text::clean(&week.title));
                frame.render_widget(Line::styled(title, theme.style(Role::Heading)), area);
            }
            Item::Unit(id) => unit_row(model, frame, area, id, row == selected),
        }
    }
    welcome(model, frame, list, items.len());
    if items.is_empty() {
        frame.render_widget(Line::styled("Everything is done.", theme.style(Role::Good)), list);
    }
    if let Some(area) = details {
        frame.render_widget(Paragraph::new(detail(model, area)).wrap(Wrap { trim: false }), area);
    }
}

fn next_line(model: &Model) -> Vec<Span<'static>> {
    let theme = model.theme;
    match next(&model.course, &model.progress) {
        Some(next) => {
            let what = match next.step {
                Step::Read => "read",
                Step::Lab => "run the lab of",
                Step::Exercise => "build",
            };
            vec![
                Span::styled(format!("next: {what} "), theme.style(Role::Dim)),
                Span::styled(next.unit.to_string(), theme.style(Role::Focus)),
                Span::styled(format!(", because {}", next.why), theme.style(Role::Dim)),
            ]
        }
        None => vec![Span::styled("all units are finished", theme.style(Role::Good))],
    }
}

const COLUMNS: &str = "read  run   lab   pass   min";

/// Marks of a unit: read, blocks run, lab run, exercise passed.
fn marks(model: &Model, unit: &Unit) -> [(String, Role); 4] {
    let glyphs = model.theme.glyphs();
    let done = model.progress.unit(&unit.id);
    let tick = |yes: bool| if yes { (glyphs.tick.to_owned(), Role::Good) } else { (glyphs.dot.to_owned(), Role::Dim) };
    let none = || (String::new(), Role::Dim);
    let blocks = unit.lesson.blocks.iter().filter(|block| matches!(block, Block::Redis(_))).count();
    let ran = done.blocks.len().min(blocks);
    let run = match (ran, blocks) {
        (_, 0) => none(),
        (ran, blocks) if ran == blocks => tick(true),
        (0, _) => tick(false),
        (ran, blocks) => (format!("{ran}/{blocks}"), Role::Text),
    };
    let lab = unit.lab.as_ref();
    let experiment = lab.is_some_and(|lab| lab.experiment.is_some());
    let pass = match lab.and_then(|lab| lab.exercise.as_ref()) {
        None => none(),
        Some(_) if done.exercise.passing => tick(true),
        Some(_) if done.exercise.passed.is_some() => (format!("{}!", glyphs.cross), Role::Bad),
        Some(_) if done.exercise.attempts > 0 => {
            let good = done.exercise.checks.values().filter(|o| **o == CheckOutcome::Pass).count();
            (format!("{good}/{}", done.exercise.checks.len()), Role::Warn)
        }
        Some(_) => tick(false),
    };
    [tick(done.read.is_some()), run, if experiment { tick(done.lab.runs > 0) } else { none() }, pass]
}

fn unit_row(model: &Model, frame: &mut Frame<'_>, area: Rect, id: &UnitId, selected: bool) {
    let Some(unit) = model.course.unit(id) else { return };
    let theme = model.theme;
    let glyphs = theme.glyphs();
    if selected {
        frame.buffer_mut().set_style(area, theme.style(Role::Selected));
    }
    let style = |role: Role| if selected { Style::new() } else { theme.style(role) };
    let marks_width = COLUMNS.len() as u16;
    let title_width = area.width.saturating_sub(marks_width + 3);
    let pointer = if selected { glyphs.pointer } else { " " };
    let title = text::clean(&unit.lesson.title).into_owned();
    let title = text::cut(&title, usize::from(title_width), glyphs.ellipsis).into_owned();
    frame.render_widget(Line::from(format!("{pointer} {title}")), area);
    if area.width > marks_width + 8 {
        let mut spans: Vec<Span<'static>> = marks(model, unit)
            .into_iter()
            .map(|(mark, role)| Span::styled(format!("{mark:<6}"), style(role)))
            .collect();
        spans.push(Span::styled(format!("{:>4}", unit.lesson.minutes), style(Role::Dim)));
        let at = Rect { x: area.right() - marks_width, width: marks_width, ..area };
        frame.render_widget(Line::from(spans), at);
    }
}

/// What there is to know about the selected unit.
fn detail(model: &Model, area: Rect) -> Vec<Line<'static>> {
    let theme = model.theme;
    let Some(unit) = model.home.selected(model).and_then(|id| model.course.unit(id)) else { return Vec::new() };
    let glyphs = theme.glyphs();
    let line = glyphs.rule.repeat(usize::from(area.width));
    let mut lines = vec![
        Line::styled(line, theme.style(Role::Border)),
        Line::from(vec![
            Span::styled(text::clean(&unit.lesson.title).into_owned(), theme.style(Role::Title)),
            Span::styled(format!("  {}  {} min", unit.id, unit.lesson.minutes), theme.style(Role::Dim)),
        ]),
        Line::from(text::clean(&unit.lesson.summary).into_owned()),
    ];
    if !unit.lesson.prerequisites.is_empty() {
        let mut spans = vec![Span::styled("know first: ", theme.style(Role::Dim))];
        for id in &unit.lesson.prerequisites {
            let read = model.progress.unit(id).read.is_some();
            let (mark, role) = if read { (glyphs.tick, Role::Good) } else { (glyphs.dot, Role::Warn) };
            spans.push(Span::styled(format!("{id} {mark}  "), theme.style(role)));
        }
        lines.push(Line::from(spans));
    }
    lines.extend(activities(unit, model, theme));
    lines.extend(contents(unit, model, theme));
    lines
}

/// Where there is room: what the lesson goes through, what the lab asks, what the exercise checks.
fn contents(unit: &Unit, model: &Model, theme: Theme) -> Vec<Line<'static>> {
    let (dim, glyphs) = (theme.style(Role::Dim), theme.glyphs());
    let mut lines = Vec::new();
    let headings: Vec<_> = unit.lesson.headings().filter(|(_, level, _)| *level <= 2).collect();
    if !headings.is_empty() {
        lines.extend([Line::default(), Line::styled("in the lesson", dim)]);
        lines.extend(headings.iter().map(|(_, _, title)| Line::from(format!("  {}", text::clean(title)))));
    }
    if let Some(experiment) = unit.lab.as_ref().and_then(|lab| lab.experiment.as_ref()) {
        let question = text::clean(&experiment.question).into_owned();
        lines.extend([Line::default(), Line::styled("the lab asks", dim), Line::from(format!("  {question}"))]);
    }
    if let Some(exercise) = unit.lab.as_ref().and_then(|lab| lab.exercise.as_ref()) {
        lines.extend([Line::default(), Line::styled("the exercise checks", dim)]);
        let outcomes = &model.progress.unit(&unit.id).exercise.checks;
        for check in &exercise.checks {
            let (mark, role) = match outcomes.get(check.id.get_ref()) {
                Some(CheckOutcome::Pass) => (glyphs.tick, Role::Good),
                Some(CheckOutcome::Fail) => (glyphs.cross, Role::Bad),
                _ => (glyphs.dot, Role::Dim),
            };
            let title = text::clean(&check.title).into_owned();
            lines.push(Line::from(vec![Span::styled(format!("  {mark} "), theme.style(role)), Span::raw(title)]));
        }
    }
    lines
}

/// What a newcomer should know, below the list while nothing was done yet.
const WELCOME: &str = "Every command in a lesson runs on a live server beside it. Every lab measures while you watch. \
    Every exercise is a program of yours, attacked until it holds. Enter opens the lesson.";

fn welcome(model: &Model, frame: &mut Frame<'_>, list: Rect, rows: usize) {
    let used = rows as u16 + 1;
    let untouched = model.course.units().all(|unit| state(unit, model.progress.unit(&unit.id)) == State::New);
    if !untouched || list.height < used + 4 {
        return;
    }
    let area = Rect { y: list.y + used, height: list.height - used, width: list.width.min(72), ..list };
    let style = model.theme.style(Role::Dim);
    frame.render_widget(Paragraph::new(WELCOME).style(style).wrap(Wrap { trim: true }), area);
}

fn activities(unit: &Unit, model: &Model, theme: Theme) -> Vec<Line<'static>> {
    let done = model.progress.unit(&unit.id);
    let mut lines = Vec::new();
    let dim = theme.style(Role::Dim);
    let lab = unit.lab.as_ref();
    if lab.is_some_and(|lab| lab.experiment.is_some()) {
        let runs = match done.lab.runs {
            0 => "not run yet".to_owned(),
            1 => "run once".to_owned(),
            runs => format!("run {runs} times"),
        };
        lines.push(Line::from(vec![Span::styled("lab: ", dim), Span::raw(runs)]));
    }
    if let Some(exercise) = lab.and_then(|lab| lab.exercise.as_ref()) {
        let state = match (&done.exercise, exercise.checks.len()) {
            (state, _) if state.passing => "passed".to_owned(),
            (state, _) if state.passed.is_some() => "passed once, does not now".to_owned(),
            (state, checks) if state.attempts > 0 => format!("checked {} times, {checks} checks", state.attempts),
            (_, checks) => format!("{checks} checks, not tried yet"),
        };
        let title = text::clean(&exercise.title).into_owned();
        lines.push(Line::from(vec![Span::styled("exercise: ", dim), Span::raw(format!("{title}, {state}"))]));
        if let Some(folder) = &done.exercise.folder {
            let folder = text::clean(&folder.display().to_string()).into_owned();
            lines.push(Line::from(vec![Span::styled("your folder: ", dim), Span::raw(folder)]));
        }
    }
    lines
}
