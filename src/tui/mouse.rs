//! The mouse: the wheel scrolls what is under it, a click selects, a second click opens.
//!
//! Owns: from a place on the screen to what is there. Must not know: what the actions do.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::{
    effect::Effect,
    keymap::Action,
    layout,
    model::{Model, Overlay, Pane, Route},
    screen::{answer, check, console, home, lab},
    update::{act, close, open_focused, scroll_overlay, switch_console},
    widget::markdown::SpotKind,
};

/// Lines per turn of the wheel.
const WHEEL: usize = 3;

/// What the mouse did.
pub(super) fn mouse(model: &mut Model, event: MouseEvent) -> Vec<Effect> {
    let at = Position::new(event.column, event.row);
    match event.kind {
        MouseEventKind::ScrollUp => wheel(model, at, true),
        MouseEventKind::ScrollDown => wheel(model, at, false),
        MouseEventKind::Down(MouseButton::Left) => click(model, at),
        _ => Vec::new(),
    }
}

fn wheel(model: &mut Model, at: Position, up: bool) -> Vec<Effect> {
    let action = if up { Action::Up } else { Action::Down };
    if !model.overlays.is_empty() {
        return (0..WHEEL).flat_map(|_| scroll_overlay(model, &action)).collect();
    }
    let panes = layout::panes(model);
    if panes.console.is_some_and(|area| area.contains(at)) {
        return console::scroll(model, WHEEL, up);
    }
    let mut effects: Vec<Effect> = (0..WHEEL).flat_map(|_| act(model, action.clone())).collect();
    effects.dedup();
    effects
}

fn click(model: &mut Model, at: Position) -> Vec<Effect> {
    model.notice = None;
    if !model.overlays.is_empty() {
        let confirm = matches!(model.overlays.last(), Some(Overlay::Confirm(_)));
        return if confirm { Vec::new() } else { close(model) };
    }
    let panes = layout::panes(model);
    if panes.console.is_some_and(|area| area.contains(at)) {
        return if model.focus == Pane::Console { Vec::new() } else { switch_console(model) };
    }
    if panes.footer.contains(at) {
        return super::view::footer_action(model, at.x).map_or_else(Vec::new, |action| act(model, action));
    }
    if !panes.main.contains(at) {
        return Vec::new();
    }
    model.focus = Pane::Main;
    match model.route.clone() {
        Route::Home => click_home(model, panes.main, at),
        Route::Lesson(_) => click_lesson(model, panes.main, at),
        Route::Lab(unit) => lab::click(model, &unit, panes.main, at),
        Route::Check(unit) => check::click(model, &unit, panes.main, at),
    }
}

/// A click selects a unit; a click on the selected one opens it.
fn click_home(model: &mut Model, main: Rect, at: Position) -> Vec<Effect> {
    let list = home::areas(main).1;
    if !list.contains(at) {
        return Vec::new();
    }
    let row = usize::from(at.y - list.y) + model.home.scroll;
    let items = home::items(model);
    let Some(home::Item::Unit(id)) = items.get(row) else { return Vec::new() };
    if model.home.selected(model) == Some(id) {
        return act(model, Action::Open);
    }
    let before = items[..row].iter().filter(|item| matches!(item, home::Item::Unit(_))).count();
    home::Home::select(model, before, usize::from(list.height));
    Vec::new()
}

/// A click gives the focus; on a link it follows, on a choice it picks, on what has the focus it does what Enter does.
fn click_lesson(model: &mut Model, main: Rect, at: Position) -> Vec<Effect> {
    let Some(reader) = model.reader_mut() else { return Vec::new() };
    let row = usize::from(at.y - main.y) + reader.scroll;
    let column = (at.x - main.x).saturating_sub(layout::GUTTER);
    let is_link = |kind: &SpotKind| matches!(kind, SpotKind::Link(..));
    let on_link = reader.document.spots.iter().position(|spot| {
        is_link(&spot.kind) && spot.cells.iter().any(|(line, columns)| *line == row && columns.contains(&column))
    });
    let on_card = || reader.document.spots.iter().position(|spot| !is_link(&spot.kind) && spot.rows.contains(&row));
    let Some(hit) = on_link.or_else(on_card) else {
        reader.focus = None;
        return Vec::new();
    };
    let again = reader.focus == Some(hit);
    reader.focus = Some(hit);
    let spot = reader.document.spots[hit].clone();
    let choice = spot.cells.iter().find(|(line, _)| *line == row && !is_link(&spot.kind)).map(|(_, c)| c.start);
    match choice {
        Some(choice) => answer::answer(model, answer::Input::Pick(usize::from(choice))).unwrap_or_default(),
        None if again || is_link(&spot.kind) => open_focused(model, usize::from(main.height)),
        None => Vec::new(),
    }
}
