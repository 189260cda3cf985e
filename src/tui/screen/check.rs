//! The check screen.

use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::Line,
};

use crate::{
    course::UnitId,
    tui::{
        effect::Effect,
        keymap::{self, Action, Binding},
        model::Model,
    },
};

/// The state of one check.
#[derive(Debug, Clone, Default)]
pub struct CheckScreen {}

/// Keys valid now.
pub fn bindings(_model: &Model) -> Vec<Binding> {
    keymap::scrolling(Vec::new())
}

/// Prepares the screen.
pub fn open(_model: &mut Model, _unit: &UnitId) -> Vec<Effect> {
    Vec::new()
}

/// Does what a key asks for.
pub fn act(_model: &mut Model, _unit: &UnitId, _action: &Action) -> Vec<Effect> {
    Vec::new()
}

/// A click.
pub fn click(_model: &mut Model, _unit: &UnitId, _main: Rect, _at: Position) -> Vec<Effect> {
    Vec::new()
}

/// From the run.
pub fn event(_model: &mut Model, _event: crate::check::CheckEvent) -> Vec<Effect> {
    Vec::new()
}

/// The run is over.
pub fn ended(_model: &mut Model) {}

/// Draws it.
pub fn view(_model: &Model, unit: &UnitId, frame: &mut Frame<'_>, main: Rect) {
    frame.render_widget(Line::from(format!("check {unit}")), main);
}
