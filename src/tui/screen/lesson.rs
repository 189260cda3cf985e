//! The lesson reader: a laid-out document, a place in it, and one thing in it that has the focus.
//!
//! Owns: scrolling, focus, answering in place. Must not know: how a block runs, how progress is kept.

use std::sync::Arc;

use ratatui::{
    Frame,
    layout::Rect,
    style::Modifier,
    text::{Line, Span},
};

use crate::{
    course::{Block, UnitId, lesson::anchor},
    progress::{Change, UnitProgress},
    tui::{
        effect::Effect,
        layout::{self, GUTTER},
        model::{Model, Pane},
        quiz::Answer,
        theme::{Role, Theme},
        widget::{
            card::{BlockRun, Cards, Guess, StepState},
            markdown::{self, Context, Document, Spot, SpotKind},
        },
    },
};

/// A lesson that was opened.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Which.
    pub unit: UnitId,
    /// Laid out.
    pub document: Document,
    /// For this width.
    pub width: u16,
    /// With these looks.
    pub theme: Theme,
    /// First line shown.
    pub scroll: usize,
    /// Position among the document's spots.
    pub focus: Option<usize>,
    /// Answers, guesses, runs.
    pub cards: Cards,
    /// Scrolled to the end.
    pub read: bool,
}

impl Reader {
    /// A lesson as the learner left it.
    pub fn new(unit: UnitId, done: &UnitProgress) -> Self {
        let mut cards = Cards::default();
        for (id, answer) in &done.quizzes {
            cards.answers.insert(id.clone(), Answer { first: Some(answer.first_try), ..Answer::default() });
        }
        for (id, guess) in &done.predictions {
            let guess = Guess { input: guess.value.to_string(), kept: Some(guess.value) };
            cards.guesses.insert(id.clone(), guess);
        }
        Self {
            unit,
            document: Document::default(),
            width: 0,
            theme: Theme::default(),
            scroll: 0,
            focus: None,
            cards,
            read: done.read.is_some(),
        }
    }

    /// What has the focus.
    pub fn focused(&self) -> Option<&Spot> {
        self.document.spots.get(self.focus?)
    }

    /// The lesson's block at the top of the screen.
    pub fn top_block(&self) -> usize {
        self.document.blocks.partition_point(|row| *row <= self.scroll).saturating_sub(1)
    }

    fn last_scroll(&self, height: usize) -> usize {
        self.document.lines.len().saturating_sub(height)
    }

    /// Scrolls to a line, as far as there are lines.
    pub fn scroll_to(&mut self, row: usize, height: usize) {
        self.scroll = row.min(self.last_scroll(height));
    }

    /// Moves the focus to the next spot in a direction; the first press takes the first that is in sight.
    pub fn move_focus(&mut self, forward: bool, height: usize) {
        let spots = &self.document.spots;
        if spots.is_empty() {
            return;
        }
        let sight = self.scroll..self.scroll + height;
        let in_sight = |spot: &Spot| spot.rows.start < sight.end && spot.rows.end > sight.start;
        let current = self.focus.filter(|at| spots.get(*at).is_some_and(in_sight));
        let wanted = match (current, forward) {
            (Some(at), true) => (at + 1).min(spots.len() - 1),
            (Some(at), false) => at.saturating_sub(1),
            (None, true) => spots.iter().position(|spot| spot.rows.start >= sight.start).unwrap_or(spots.len() - 1),
            (None, false) => spots.iter().rposition(|spot| spot.rows.end <= sight.end).unwrap_or(0),
        };
        self.focus = Some(wanted);
        self.show_focus(height);
    }

    /// Scrolls so that the focused spot is in sight.
    pub fn show_focus(&mut self, height: usize) {
        let Some(rows) = self.focused().map(|spot| spot.rows.clone()) else { return };
        if rows.start < self.scroll || rows.len() > height {
            self.scroll_to(rows.start.saturating_sub(1), height);
        } else if rows.end > self.scroll + height {
            self.scroll_to(rows.end - height, height);
        }
    }
}

/// Lays the open lesson out anew if its width, its looks or its content (`force`) changed; the block
/// at the top stays at the top.
pub fn refresh(model: &mut Model, force: bool) {
    let main = layout::panes(model).main;
    let width = layout::text_width(main);
    let (theme, course) = (model.theme, Arc::clone(&model.course));
    let height = usize::from(main.height);
    let crate::tui::model::Route::Lesson(unit) = &model.route else { return };
    let code = &model.code;
    let Some(reader) = model.readers.get_mut(unit) else { return };
    if main.height == 0 || (!force && reader.width == width && reader.theme == theme) {
        return;
    }
    let Some(unit) = course.unit(unit) else { return };
    let top = reader.top_block();
    let offset = reader.scroll.saturating_sub(reader.document.row_of(top));
    let same_width = reader.width == width;
    let kind = reader.focused().map(|spot| spot.kind.clone());
    let context = Context { theme, code, cards: &reader.cards };
    let about = format!("{} minutes. {}", unit.lesson.minutes, unit.lesson.summary);
    reader.document = markdown::titled(Some((&unit.lesson.title, &about)), &unit.lesson.blocks, width, context);
    (reader.width, reader.theme) = (width, theme);
    reader.focus = kind.and_then(|kind| reader.document.spots.iter().position(|spot| spot.kind == kind));
    let start = reader.document.row_of(top);
    reader.scroll_to(start + if same_width { offset } else { 0 }, height);
}

/// Opens a lesson where it was left.
pub fn open(model: &mut Model, unit: &UnitId) -> Vec<Effect> {
    let done = model.progress.unit(unit).clone();
    let new = !model.readers.contains_key(unit);
    model.readers.entry(unit.clone()).or_insert_with(|| Reader::new(unit.clone(), &done));
    refresh(model, true);
    let height = usize::from(layout::panes(model).main.height);
    let Some(reader) = model.readers.get_mut(unit) else { return Vec::new() };
    if new {
        let row = reader.document.row_of(done.block);
        reader.scroll_to(row, height);
    }
    let mut effects = vec![Effect::Record { unit: unit.clone(), change: Change::Here { block: reader.top_block() } }];
    effects.extend(noticed(model, height));
    if let Some(lesson) = model.lesson(unit).filter(|_| !model.asked.contains(unit)) {
        let code = markdown::code_blocks(&lesson.blocks);
        model.asked.insert(unit.clone());
        if !code.is_empty() {
            effects.push(Effect::Highlight(code));
        }
    }
    effects
}

/// Scrolls to a heading by its anchor, if the lesson has it.
pub fn to_heading(model: &mut Model, wanted: &str) -> Vec<Effect> {
    let height = usize::from(layout::panes(model).main.height);
    let Some(reader) = model.reader_mut() else { return Vec::new() };
    let found = reader.document.headings.iter().find(|(_, _, text)| anchor(text) == wanted);
    let Some(row) = found.map(|(row, _, _)| *row) else { return Vec::new() };
    reader.scroll_to(row, height);
    reader.focus = None;
    scrolled(model)
}

/// After scrolling: remember the place; at the end the lesson counts as read.
pub fn scrolled(model: &mut Model) -> Vec<Effect> {
    let height = usize::from(layout::panes(model).main.height);
    let mut effects = noticed(model, height);
    if let Some(reader) = model.reader() {
        effects.push(Effect::Remember { unit: reader.unit.clone(), block: reader.top_block() });
    }
    effects
}

fn noticed(model: &mut Model, height: usize) -> Vec<Effect> {
    let Some(reader) = model.reader_mut() else { return Vec::new() };
    if !reader.read && height > 0 && reader.scroll >= reader.last_scroll(height) {
        reader.read = true;
        return vec![Effect::Record { unit: reader.unit.clone(), change: Change::Read }];
    }
    Vec::new()
}

/// Runs the focused redis block.
pub fn run_block(model: &mut Model, index: usize) -> Vec<Effect> {
    let Some(unit) = model.reader().map(|reader| reader.unit.clone()) else { return Vec::new() };
    let block = model.lesson(&unit).and_then(|lesson| {
        lesson.blocks.iter().find_map(|block| match block {
            Block::Redis(block) if block.index == index => Some(block.clone()),
            _ => None,
        })
    });
    let Some(block) = block else { return Vec::new() };
    if let Some(reader) = model.reader_mut() {
        let steps = vec![StepState::Waiting; block.steps.len()];
        reader.cards.runs.insert(index, BlockRun { steps, problem: None });
    }
    model.running.block = Some((unit.clone(), index));
    refresh(model, true);
    vec![Effect::RunBlock { unit, block }]
}

/// What came of a run.
pub fn block_ran(
    model: &mut Model,
    unit: &UnitId,
    index: usize,
    outcome: &crate::console::BlockOutcome,
) -> Vec<Effect> {
    model.running.block = None;
    let lesson = model.lesson(unit).cloned();
    let steps = lesson.iter().flat_map(|lesson| &lesson.blocks).find_map(|block| match block {
        Block::Redis(block) if block.index == index => Some(block.steps.clone()),
        _ => None,
    });
    let Some(steps) = steps else { return Vec::new() };
    let states = steps.iter().enumerate().map(|(at, step)| match outcome.steps.get(at) {
        None => StepState::Waiting,
        Some(came) if !came.matched => {
            StepState::Differs(came.reply.iter().map(crate::console::ReplyLine::text).collect())
        }
        Some(_) if step.expected.is_empty() => StepState::Ran,
        Some(_) => StepState::Matched,
    });
    let run = BlockRun { steps: states.collect(), problem: outcome.stopped.clone() };
    let matched = outcome.passed();
    let ran = outcome.stopped.is_none();
    if let Some(reader) = model.readers.get_mut(unit) {
        reader.cards.runs.insert(index, run);
    }
    refresh(model, true);
    if !ran {
        return Vec::new();
    }
    vec![Effect::Record { unit: unit.clone(), change: Change::BlockRun { block: index, matched } }]
}

/// Draws it.
pub fn view(model: &Model, frame: &mut Frame<'_>, main: Rect) {
    let Some(reader) = model.reader() else { return };
    let theme = model.theme;
    let height = usize::from(main.height);
    let text = Rect { x: main.x + GUTTER.min(main.width), width: main.width.saturating_sub(GUTTER + 1), ..main };
    for (at, line) in reader.document.lines.iter().skip(reader.scroll).take(height).enumerate() {
        frame.render_widget(line, Rect { y: main.y + at as u16, height: 1, ..text });
    }
    if model.focus == Pane::Main
        && let Some(spot) = reader.focused()
    {
        mark_focus(frame, reader, spot, main, theme);
    }
    scrollbar(frame, main, reader.scroll, reader.document.lines.len(), theme);
}

fn mark_focus(frame: &mut Frame<'_>, reader: &Reader, spot: &Spot, main: Rect, theme: Theme) {
    let height = usize::from(main.height);
    let on_screen = |row: usize| row.checked_sub(reader.scroll).filter(|at| *at < height).map(|at| main.y + at as u16);
    let style = theme.style(Role::Focus);
    for (at, row) in spot.rows.clone().enumerate() {
        let glyph = if at == 0 { theme.glyphs().pointer } else { " " };
        if let Some(y) = on_screen(row) {
            frame.render_widget(Span::styled(glyph, style), Rect { x: main.x, y, width: 1.min(main.width), height: 1 });
        }
    }
    if let SpotKind::Link(..) = spot.kind {
        for (row, columns) in &spot.cells {
            if let Some(y) = on_screen(*row) {
                let area =
                    Rect { x: main.x + GUTTER + columns.start, y, width: columns.end - columns.start, height: 1 };
                frame.buffer_mut().set_style(area.intersection(main), style.add_modifier(Modifier::REVERSED));
            }
        }
    }
}

/// A scrollbar at the right edge, where there is something to scroll.
pub fn scrollbar(frame: &mut Frame<'_>, area: Rect, scroll: usize, lines: usize, theme: Theme) {
    let height = usize::from(area.height);
    if lines <= height || height == 0 || area.width == 0 {
        return;
    }
    let thumb = (height * height / lines).clamp(1, height);
    let top = (height - thumb) * scroll / (lines - height).max(1);
    for row in 0..height {
        let inside = (top..top + thumb).contains(&row);
        let glyph = if inside { theme.glyphs().thumb } else { theme.glyphs().bar };
        let role = if inside { Role::Dim } else { Role::Border };
        let at = Rect { x: area.right() - 1, y: area.y + row as u16, width: 1, height: 1 };
        frame.render_widget(Line::styled(glyph, theme.style(role)), at);
    }
}
