//! The lab screen: start it, watch its variants, break it, see what came of it.
//!
//! Owns: what a run has told so far, and what its keys do. Drawing is in `lab_view`. Must not know: how a
//! lab runs.

use ratatui::layout::{Position, Rect};

pub use super::lab_view::view;
use crate::{
    course::UnitId,
    lab::{ClaimResult, LabCommand, LabEvent, LabStarted, Sample},
    progress::Change,
    tui::{
        effect::{Effect, Key},
        keymap::{self, Action, Binding},
        model::{Model, Route},
        theme::Role,
        update::step,
    },
};

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Phase {
    /// Not started.
    #[default]
    Idle,
    /// Waiting for the server and the first sample.
    Starting,
    /// Traffic flows.
    Running,
    /// Traffic is held.
    Paused,
    /// Over; claims are judged.
    Finished,
    /// Could not go on.
    Failed(String),
}

/// What is known of one variant.
#[derive(Debug, Clone, Default)]
pub struct VariantRun {
    /// In order.
    pub samples: Vec<Sample>,
    /// Seconds since its start, and label.
    pub marks: Vec<(f64, String)>,
    /// When it is over.
    pub totals: Option<Vec<(String, f64)>>,
}

/// The state of one lab.
#[derive(Debug, Clone, Default)]
pub struct LabScreen {
    /// Where the run is.
    pub phase: Phase,
    /// What is being run.
    pub started: Option<LabStarted>,
    /// In the lab's order.
    pub variants: Vec<VariantRun>,
    /// Which one runs.
    pub current: Option<usize>,
    /// Which one is in the foreground.
    pub selected: usize,
    /// The foreground was chosen by hand, so it no longer follows the run.
    pub chosen: bool,
    /// Knobs' positions.
    pub knobs: Vec<usize>,
    /// Which knob the arrows turn.
    pub knob: usize,
    /// Judged claims.
    pub claims: Vec<ClaimResult>,
    /// What the learner should know.
    pub warnings: Vec<String>,
    /// Which charts are shown, where not all fit.
    pub page: usize,
    /// First line of the text shown (before a run: the introduction; after it: the claims).
    pub scroll: usize,
}

impl LabScreen {
    /// Traffic flows or is about to.
    pub fn active(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Running | Phase::Paused)
    }

    /// Seconds of a variant shown so far.
    pub fn elapsed(&self, variant: usize) -> f64 {
        let last = self.variants.get(variant).and_then(|variant| variant.samples.last());
        last.map_or(0.0, |sample| sample.at.as_secs_f64())
    }
}

fn screen<'a>(model: &'a Model, unit: &UnitId) -> Option<&'a LabScreen> {
    model.labs.get(unit)
}

/// The open lab, if a lab is open.
fn open_lab(model: &Model) -> Option<&LabScreen> {
    match &model.route {
        Route::Lab(unit) => screen(model, unit),
        _ => None,
    }
}

/// Keys valid now: a lab's own fault keys come first.
pub fn bindings(model: &Model) -> Vec<Binding> {
    use crossterm::event::KeyCode;
    let Some(lab) = open_lab(model) else { return Vec::new() };
    let mut all = Vec::new();
    if lab.active() {
        let faults = lab.started.iter().flat_map(|started| &started.faults);
        all.extend(faults.map(|fault| keymap::dynamic(fault.key, Action::Fault(fault.name.clone()), &fault.label, 6)));
        let hold = if lab.phase == Phase::Paused { "go on" } else { "pause" };
        all.push(keymap::named(&[KeyCode::Char(' ')], Action::Pause, hold, 5));
        all.push(keymap::chars(&['n', '>'], Action::NextVariant, "next variant", 4));
        all.push(keymap::chars(&['x'], Action::Stop, "stop", 4));
        if lab.started.as_ref().is_some_and(|started| !started.knobs.is_empty()) {
            all.push(keymap::named(&[KeyCode::Char('+'), KeyCode::Char('=')], Action::Turn(1), "turn knob up", 3));
            all.push(keymap::named(&[KeyCode::Char('-')], Action::Turn(-1), "turn knob down", 0));
            all.push(keymap::named(&[KeyCode::Down], Action::Knob(1), "another knob", 0));
            all.push(keymap::named(&[KeyCode::Up], Action::Knob(-1), "another knob", 0));
        }
    } else {
        let label = if lab.started.is_some() { "run again" } else { "start" };
        all.push(keymap::named(&[KeyCode::Enter, KeyCode::Char('r')], Action::Start, label, 9));
        if lab.started.is_none() || !lab.claims.is_empty() {
            all = keymap::scrolling(all);
        }
    }
    if lab.started.is_some() {
        all.push(keymap::named(&[KeyCode::Right], Action::Variant(1), "variant", 3));
        all.push(keymap::named(&[KeyCode::Left], Action::Variant(-1), "variant before", 0));
        all.push(keymap::named(
            &[KeyCode::Tab],
            Action::Tab(1),
            if lab.claims.is_empty() { "other charts" } else { "charts, results" },
            2,
        ));
        all.push(keymap::named(&[KeyCode::BackTab], Action::Tab(-1), "charts before", 0));
    }
    all
}

/// Prepares the screen.
pub fn open(model: &mut Model, unit: &UnitId) -> Vec<Effect> {
    model.labs.entry(unit.clone()).or_default();
    Vec::new()
}

/// Does what a key asks for.
pub fn act(model: &mut Model, unit: &UnitId, action: &Action) -> Vec<Effect> {
    if *action == Action::Start {
        return start(model, unit);
    }
    let page = usize::from(model.size.1.saturating_sub(6)).max(1);
    let Some(lab) = model.labs.get_mut(unit) else { return Vec::new() };
    match action {
        Action::Pause if lab.phase == Phase::Paused => {
            lab.phase = Phase::Running;
            return vec![Effect::Lab(LabCommand::Resume)];
        }
        Action::Pause => {
            lab.phase = Phase::Paused;
            return vec![Effect::Lab(LabCommand::Pause)];
        }
        Action::NextVariant => {
            lab.chosen = false;
            return vec![Effect::Lab(LabCommand::Next)];
        }
        Action::Stop => return vec![Effect::Lab(LabCommand::Stop)],
        Action::Fault(name) => return vec![Effect::Lab(LabCommand::Fault(name.clone()))],
        Action::Turn(by) => return turn(lab, *by),
        Action::Knob(by) => lab.knob = step(lab.knob, *by, lab.knobs.len()),
        Action::Variant(by) => {
            lab.selected = step(lab.selected, *by, lab.variants.len());
            lab.chosen = true;
        }
        Action::Tab(by) => lab.page = lab.page.wrapping_add_signed(isize::from(*by)),
        other => lab.scroll = crate::tui::update::scrolled(lab.scroll, other, page),
    }
    Vec::new()
}

fn turn(lab: &mut LabScreen, by: i8) -> Vec<Effect> {
    let Some(knob) = lab.started.as_ref().and_then(|started| started.knobs.get(lab.knob)) else { return Vec::new() };
    let Some(position) = lab.knobs.get_mut(lab.knob) else { return Vec::new() };
    let wanted = position.saturating_add_signed(isize::from(by)).min(knob.values.len().saturating_sub(1));
    if wanted == *position {
        return Vec::new();
    }
    *position = wanted;
    vec![Effect::Lab(LabCommand::Knob { name: knob.name.clone(), index: wanted })]
}

/// Starts a run; one at a time, wherever it was started.
fn start(model: &mut Model, unit: &UnitId) -> Vec<Effect> {
    if let Some(other) = model.running.lab.clone() {
        model.notice = Some((Role::Warn, format!("the lab {other} is still running: stop it first")));
        return Vec::new();
    }
    let server = crate::tui::update::ensure_server(model);
    model.running.lab = Some(unit.clone());
    model.labs.insert(unit.clone(), LabScreen { phase: Phase::Starting, ..LabScreen::default() });
    server.into_iter().chain([Effect::StartLab(unit.clone())]).collect()
}

/// A click on a variant's name brings it to the foreground.
pub fn click(model: &mut Model, unit: &UnitId, main: Rect, at: Position) -> Vec<Effect> {
    let hit = super::lab_view::legend(model, unit, main).into_iter().position(|(area, _)| area.contains(at));
    if let (Some(variant), Some(lab)) = (hit, model.labs.get_mut(unit)) {
        lab.selected = variant;
        lab.chosen = true;
    }
    Vec::new()
}

/// From the run.
pub fn event(model: &mut Model, event: LabEvent) -> Vec<Effect> {
    let Some(unit) = model.running.lab.clone() else { return Vec::new() };
    let Some(lab) = model.labs.get_mut(&unit) else { return Vec::new() };
    match event {
        LabEvent::Started(started) => {
            lab.variants = vec![VariantRun::default(); started.variants.len()];
            lab.knobs = started.knobs.iter().map(|knob| knob.start).collect();
            lab.started = Some(started);
            lab.phase = Phase::Running;
        }
        LabEvent::VariantStarted { variant } => {
            lab.current = Some(variant);
            if !lab.chosen {
                lab.selected = variant;
            }
        }
        LabEvent::Sample(sample) => {
            if let Some(run) = lab.variants.get_mut(sample.variant) {
                run.samples.push(sample);
            }
        }
        LabEvent::Mark { at, variant, label } => {
            if let Some(run) = lab.variants.get_mut(variant) {
                run.marks.push((at.as_secs_f64(), label));
            }
        }
        LabEvent::Warning { text } => lab.warnings.push(text),
        LabEvent::VariantFinished { variant, totals } => {
            if let Some(run) = lab.variants.get_mut(variant) {
                run.totals = Some(totals);
            }
        }
        LabEvent::Finished { claims } => {
            lab.phase = Phase::Finished;
            lab.current = None;
            lab.scroll = 0;
            let whole = lab.variants.iter().all(|variant| variant.totals.is_some());
            lab.claims = claims;
            if whole {
                return vec![Effect::Record { unit, change: Change::LabRun }];
            }
        }
        LabEvent::Failed { text } => lab.phase = Phase::Failed(text),
    }
    Vec::new()
}

/// The run is over, and everything it started is gone.
pub fn ended(model: &mut Model) {
    let Some(unit) = model.running.lab.take() else { return };
    if let Some(lab) = model.labs.get_mut(&unit)
        && lab.active()
    {
        lab.phase = Phase::Failed("the run ended without a result".into());
    }
}

/// Ends the run that is under way.
pub fn cancel() -> Effect {
    Effect::Cancel(Key::Lab)
}
