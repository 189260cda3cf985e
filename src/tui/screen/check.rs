//! The exercise: its text, the checks, their results, hints.
//!
//! Owns: what a run has told so far, and what its keys do. Drawing is in `check_view`. Must not know: how a
//! check works.

use std::{collections::VecDeque, path::PathBuf};

use ratatui::layout::{Position, Rect};

pub use super::check_view::view;
use crate::{
    check::{CheckEvent, CheckInfo, CheckResult, Report, Verdict},
    course::{Exercise, UnitId},
    progress::{Change, CheckOutcome},
    tui::{
        effect::{Effect, Key},
        keymap::{self, Action, Binding},
        model::{Model, Overlay, Route},
        theme::Role,
        widget::markdown::Document,
    },
};

/// Lines of the program's output that are kept.
const OUTPUT: usize = 2_000;

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Phase {
    /// Not started.
    #[default]
    Idle,
    /// Under way: what it is doing.
    Running(String),
    /// All judged.
    Finished,
    /// No verdict: ours or the program's fault, and why.
    Aborted {
        /// The environment or cachelab is at fault.
        ours: bool,
        /// What happened and what to do.
        text: String,
        /// Last lines the program wrote.
        output: Vec<String>,
    },
}

/// A page of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Page {
    /// What is to be built.
    #[default]
    Task,
    /// The checks and their results.
    Checks,
    /// What the program wrote.
    Output,
}

impl Page {
    /// In order.
    pub const ALL: [(Page, &'static str); 3] =
        [(Page::Task, "task"), (Page::Checks, "checks"), (Page::Output, "output")];
}

/// One check of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is.
    pub info: CheckInfo,
    /// How far it is.
    pub state: RowState,
}

/// How far a check is.
#[derive(Debug, Clone, PartialEq)]
pub enum RowState {
    /// Not yet.
    Waiting,
    /// Under way: what it is trying.
    Running(String),
    /// Judged.
    Judged(CheckResult),
}

/// The state of one exercise.
#[derive(Debug, Clone, Default)]
pub struct CheckScreen {
    /// Where the run is.
    pub phase: Phase,
    /// What is shown.
    pub page: Page,
    /// The checks.
    pub rows: Vec<Row>,
    /// Which one the detail is about.
    pub selected: usize,
    /// It was chosen by hand, so it no longer follows the run.
    pub chosen: bool,
    /// The detail has the whole screen.
    pub zoom: bool,
    /// First line shown of the task, the detail, the output.
    pub scroll: usize,
    /// The task, laid out for a width.
    pub task: Document,
    /// That width.
    pub width: u16,
    /// Where the program is.
    pub folder: Option<PathBuf>,
    /// What the program wrote.
    pub output: VecDeque<(usize, bool, String)>,
    /// The sum of the last run.
    pub report: Option<Report>,
    /// The last run was of all checks.
    whole: bool,
    /// A run was asked for and waits for the folder: which checks.
    wanted: Option<Vec<String>>,
}

/// The exercise of a unit.
pub fn exercise<'a>(model: &'a Model, unit: &UnitId) -> Option<&'a Exercise> {
    model.course.unit(unit)?.lab.as_ref()?.exercise.as_ref()
}

/// Keys valid now.
pub fn bindings(model: &Model) -> Vec<Binding> {
    use crossterm::event::KeyCode;
    let Route::Check(unit) = &model.route else { return Vec::new() };
    let Some(check) = model.checks.get(unit) else { return Vec::new() };
    let mut all = Vec::new();
    if matches!(check.phase, Phase::Running(_)) {
        all.push(keymap::chars(&['x'], Action::Stop, "stop", 8));
    } else {
        all.push(keymap::chars(&['r'], Action::Start, "run all checks", 9));
        if check.page == Page::Checks && !check.rows.is_empty() {
            all.push(keymap::chars(&['o'], Action::Only, "only this", 4));
        }
    }
    all.push(keymap::chars(&['h'], Action::Hint, "hint", 6));
    all.push(keymap::named(&[KeyCode::Tab], Action::Tab(1), "next page", 5));
    all.push(keymap::named(&[KeyCode::BackTab], Action::Tab(-1), "page before", 0));
    if check.page == Page::Checks {
        all.push(keymap::named(&[KeyCode::Char('j'), KeyCode::Down], Action::Next, "next check", 0));
        all.push(keymap::named(&[KeyCode::Char('k'), KeyCode::Up], Action::Previous, "previous check", 0));
        let label = if check.zoom { "list" } else { "detail" };
        all.push(keymap::named(&[KeyCode::Enter], Action::Zoom, label, 5));
    }
    keymap::scrolling(all)
}

/// Prepares the screen: before the first attempt the task is shown, later the checks.
pub fn open(model: &mut Model, unit: &UnitId) -> Vec<Effect> {
    let tried = model.progress.unit(unit).exercise.attempts > 0;
    let rows = exercise(model, unit).map_or_else(Vec::new, waiting);
    let check = model.checks.entry(unit.clone()).or_insert_with(|| CheckScreen {
        page: if tried { Page::Checks } else { Page::Task },
        rows,
        ..CheckScreen::default()
    });
    check.width = 0;
    refresh(model);
    vec![Effect::FindFolder(unit.clone())]
}

/// The checks of an exercise, none of them judged.
fn waiting(exercise: &Exercise) -> Vec<Row> {
    let info = |check: &crate::course::exercise::Check| CheckInfo {
        id: check.id.get_ref().clone(),
        title: check.title.clone(),
        after: check.after.iter().map(|id| id.get_ref().clone()).collect(),
    };
    exercise.checks.iter().map(|check| Row { info: info(check), state: RowState::Waiting }).collect()
}

/// Lays the task out anew if the width changed.
pub fn refresh(model: &mut Model) {
    let Route::Check(unit) = model.route.clone() else { return };
    let main = crate::tui::layout::panes(model).main;
    let width = crate::tui::layout::text_width(main);
    let folder = model.checks.get(&unit).and_then(|check| check.folder.clone());
    let Some(exercise) = exercise(model, &unit) else { return };
    let blocks = super::task::blocks(&unit, exercise, folder.as_deref());
    let cards = crate::tui::widget::card::Cards::default();
    let context = crate::tui::widget::markdown::Context { theme: model.theme, code: &model.code, cards: &cards };
    let task = crate::tui::widget::markdown::layout(&blocks, width, context);
    if let Some(check) = model.checks.get_mut(&unit) {
        check.task = task;
        check.width = width;
    }
}

/// Where the program is was found out; a run that waited for it begins.
pub fn folder(model: &mut Model, unit: &UnitId, folder: Option<PathBuf>) -> Vec<Effect> {
    let Some(check) = model.checks.get_mut(unit) else { return Vec::new() };
    check.folder = folder;
    let wanted = check.wanted.take();
    refresh(model);
    wanted.map_or_else(Vec::new, |only| begin(model, unit, only))
}

/// The starter was written, or why not.
pub fn starter(model: &mut Model, unit: &UnitId, folder: PathBuf, written: Result<String, String>) {
    let (title, text) = match written {
        Ok(program) => {
            let text = format!(
                "Write your program in\n{}\n\nThe contract is in README.md beside it. Then press r here, or run cachelab check there.",
                folder.join(program).display()
            );
            if let Some(check) = model.checks.get_mut(unit) {
                check.folder = Some(folder);
            }
            refresh(model);
            ("The starter is there", text)
        }
        Err(error) => ("No starter", error),
    };
    model.overlays.push(Overlay::Notice { title: title.into(), text, scroll: 0 });
}

/// Does what a key asks for.
pub fn act(model: &mut Model, unit: &UnitId, action: &Action) -> Vec<Effect> {
    let page = usize::from(model.size.1.saturating_sub(6)).max(1);
    match action {
        Action::Start => return start(model, unit, Vec::new()),
        Action::Only => {
            let selected = model.checks.get(unit).and_then(|check| check.rows.get(check.selected));
            let only = selected.map(|row| vec![row.info.id.clone()]).unwrap_or_default();
            return start(model, unit, only);
        }
        Action::Stop => return vec![Effect::Cancel(Key::Check)],
        Action::Hint => return hint(model, unit),
        _ => {}
    }
    let Some(check) = model.checks.get_mut(unit) else { return Vec::new() };
    match action {
        Action::Tab(by) => {
            let at = Page::ALL.iter().position(|(page, _)| *page == check.page).unwrap_or(0);
            show(check, Page::ALL[crate::tui::update::step(at, *by, Page::ALL.len())].0);
        }
        Action::Zoom => check.zoom = !check.zoom,
        Action::Next => select(check, check.selected + 1),
        Action::Previous => select(check, check.selected.saturating_sub(1)),
        other => check.scroll = crate::tui::update::scrolled(check.scroll.min(10_000), other, page),
    }
    Vec::new()
}

fn show(check: &mut CheckScreen, page: Page) {
    check.page = page;
    // The output is read from its end.
    check.scroll = if page == Page::Output { usize::MAX / 2 } else { 0 };
}

fn select(check: &mut CheckScreen, at: usize) {
    check.selected = at.min(check.rows.len().saturating_sub(1));
    check.chosen = true;
    check.scroll = 0;
}

fn start(model: &mut Model, unit: &UnitId, only: Vec<String>) -> Vec<Effect> {
    if let Some(other) = model.running.check.clone() {
        model.notice = Some((Role::Warn, format!("the check of {other} is still running: stop it first")));
        return Vec::new();
    }
    if let Some(check) = model.checks.get_mut(unit) {
        check.wanted = Some(only);
    }
    vec![Effect::FindFolder(unit.clone())]
}

/// Begins the run, if there is a program.
fn begin(model: &mut Model, unit: &UnitId, only: Vec<String>) -> Vec<Effect> {
    let rows = exercise(model, unit).map_or_else(Vec::new, waiting);
    let Some(check) = model.checks.get_mut(unit) else { return Vec::new() };
    let Some(folder) = check.folder.clone() else {
        model.overlays.push(Overlay::Confirm(crate::tui::model::Confirm::Starter(unit.clone())));
        return Vec::new();
    };
    check.phase = Phase::Running("starting".into());
    check.rows = rows;
    check.report = None;
    check.chosen = false;
    check.output.clear();
    check.whole = only.is_empty();
    show(check, Page::Checks);
    model.running.check = Some(unit.clone());
    vec![Effect::StartCheck { unit: unit.clone(), folder, only }]
}

/// The next hint: of the check that failed, else a general one.
fn hint(model: &mut Model, unit: &UnitId) -> Vec<Effect> {
    let Some(exercise) = exercise(model, unit) else { return Vec::new() };
    let done = &model.progress.unit(unit).exercise;
    let selected = model.checks.get(unit).filter(|check| check.page == Page::Checks);
    let failed = selected.and_then(|check| check.rows.get(check.selected)).filter(|row| failed(row));
    let about = failed.map(|row| row.info.id.as_str()).or(done.failing.as_deref());
    let (about, levels) = match about.and_then(|id| exercise.check(id)).filter(|check| !check.hints.is_empty()) {
        Some(check) => (check.id.get_ref().as_str(), check.hints.iter().map(String::as_str).collect::<Vec<_>>()),
        None => ("", exercise.hints.iter().map(|hint| hint.text.as_str()).collect()),
    };
    if levels.is_empty() {
        model.notice = Some((Role::Info, "this exercise has no hints".into()));
        return Vec::new();
    }
    let level = (done.hints.get(about).copied().unwrap_or(0) + 1).min(levels.len());
    let of = if about.is_empty() { String::new() } else { format!(" for {about}") };
    let title = format!("Hint {level} of {}{of}", levels.len());
    let text = levels[..level].join("\n\n");
    let change = Change::HintShown { check: about.to_owned(), level };
    model.overlays.push(Overlay::Notice { title, text, scroll: 0 });
    vec![Effect::Record { unit: unit.clone(), change }]
}

fn failed(row: &Row) -> bool {
    matches!(&row.state, RowState::Judged(r) if matches!(r.verdict, Verdict::Fail(_) | Verdict::Broken { .. }))
}

/// A click selects a check or a page.
pub fn click(model: &mut Model, unit: &UnitId, main: Rect, at: Position) -> Vec<Effect> {
    let tabs = super::check_view::tabs(main);
    let (list, _) = super::check_view::areas(model, unit, main);
    let Some(check) = model.checks.get_mut(unit) else { return Vec::new() };
    if let Some((page, _)) = Page::ALL.into_iter().zip(tabs).find(|(_, area)| area.contains(at)).map(|(page, _)| page) {
        show(check, page);
    } else if check.page == Page::Checks && list.contains(at) {
        select(check, usize::from(at.y - list.y));
    }
    Vec::new()
}

/// From the run.
pub fn event(model: &mut Model, event: CheckEvent) -> Vec<Effect> {
    let Some(unit) = model.running.check.clone() else { return Vec::new() };
    let Some(check) = model.checks.get_mut(&unit) else { return Vec::new() };
    match event {
        CheckEvent::Started { checks, .. } => {
            check.rows = checks.into_iter().map(|info| Row { info, state: RowState::Waiting }).collect();
            check.selected = 0;
        }
        CheckEvent::Phase { text } => check.phase = Phase::Running(text),
        CheckEvent::CheckStarted { check: id } => set(check, &id, RowState::Running(String::new())),
        CheckEvent::Progress { check: id, text } => set(check, &id, RowState::Running(text)),
        CheckEvent::CheckFinished { result } => {
            let id = result.check.clone();
            set(check, &id, RowState::Judged(result));
        }
        CheckEvent::Output { instance, stream, line } => {
            check.output.push_back((instance, stream == "stderr", line));
            if check.output.len() > OUTPUT {
                check.output.pop_front();
            }
        }
        CheckEvent::Finished { report } => return finished(model, &unit, report),
        CheckEvent::Aborted { ours, text, output } => check.phase = Phase::Aborted { ours, text, output },
    }
    Vec::new()
}

/// A check's state; the foreground follows the run until it meets a failure or is chosen by hand.
fn set(check: &mut CheckScreen, id: &str, state: RowState) {
    let Some(at) = check.rows.iter().position(|row| row.info.id == id) else { return };
    let follow = !check.chosen && !check.rows.get(check.selected).is_some_and(failed);
    check.rows[at].state = state;
    if follow && check.selected != at {
        check.selected = at;
        check.scroll = 0;
    }
}

fn finished(model: &mut Model, unit: &UnitId, report: Report) -> Vec<Effect> {
    let Some(check) = model.checks.get_mut(unit) else { return Vec::new() };
    let outcome = |verdict: &Verdict| match verdict {
        Verdict::Pass { .. } => CheckOutcome::Pass,
        Verdict::Fail(_) | Verdict::Broken { .. } => CheckOutcome::Fail,
        Verdict::Inconclusive { .. } => CheckOutcome::Inconclusive,
        Verdict::Skipped { .. } => CheckOutcome::Skipped,
    };
    let outcomes = report.results.iter().map(|r| (r.check.clone(), outcome(&r.verdict))).collect();
    let passed = check.whole && report.passed();
    check.phase = Phase::Finished;
    check.report = Some(report);
    vec![Effect::Record { unit: unit.clone(), change: Change::Checked { outcomes, passed } }]
}

/// The run is over, and everything it started is gone.
pub fn ended(model: &mut Model) {
    let Some(unit) = model.running.check.take() else { return };
    if let Some(check) = model.checks.get_mut(&unit)
        && matches!(check.phase, Phase::Running(_))
    {
        check.phase = Phase::Idle;
        for row in &mut check.rows {
            if matches!(row.state, RowState::Running(_)) {
                row.state = RowState::Waiting;
            }
        }
        model.notice = Some((Role::Info, "stopped".into()));
    }
}
