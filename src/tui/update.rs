//! `update(model, message) -> effects`: synchronous, no IO, no clock.
//!
//! Owns: what a key means by way of the keymap, and where replies go. Must not know: terminals, tasks.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    effect::Effect,
    keymap::{self, Action, Edit},
    layout,
    message::Message,
    model::{Confirm, Model, Overlay, Pane, Route, ServerState},
    screen::{answer, check, console, home, lab, lesson},
    theme::Role,
    widget::markdown::SpotKind,
};
use crate::{
    course::UnitId,
    progress::{self, Change},
};

/// Applies a message and says what is to be done outside.
pub fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    match message {
        Message::Key(event) if event.kind != KeyEventKind::Release => key(model, event),
        Message::Key(_) => Vec::new(),
        Message::Mouse(event) => super::mouse::mouse(model, event),
        Message::Paste(text) => paste(model, &text),
        Message::Resize(width, height) => {
            model.size = (width, height);
            resized(model);
            Vec::new()
        }
        Message::Continued => vec![Effect::Redraw],
        Message::Terminate => quit(model),
        Message::FirstFrame => ensure_server(model).into_iter().collect(),
        other => reply(model, other),
    }
}

/// Replies of effects.
fn reply(model: &mut Model, message: Message) -> Vec<Effect> {
    match message {
        Message::ServerProgress { text, fraction } => model.server = ServerState::Starting(text, fraction),
        Message::ServerReady(what) => {
            model.server = ServerState::Ready(what);
            return vec![Effect::OpenConsole];
        }
        Message::ServerFailed(why) => {
            console::failed(model, &why);
            model.notice = Some((Role::Bad, "no server: labs and redis blocks can't run; : shows why".into()));
            model.server = ServerState::Failed(why);
        }
        Message::Console(event) => return console::event(model, event),
        Message::History(history) => return console::opened(model, history),
        Message::Assist(assist) => console::assisted(model, assist),
        Message::BlockRan { unit, block, outcome } => return lesson::block_ran(model, &unit, block, &outcome),
        Message::Highlighted(blocks) => {
            model.code.extend(blocks);
            lesson::refresh(model, true);
        }
        Message::Lab(event) => return lab::event(model, event),
        Message::LabEnded => lab::ended(model),
        Message::Folder(unit, folder) => return check::folder(model, &unit, folder),
        Message::Starter { unit, folder, written } => check::starter(model, &unit, folder, written),
        Message::Check(event) => return check::event(model, event),
        Message::CheckEnded => check::ended(model),
        Message::Progress(progress) => model.progress = progress,
        Message::ProgressFailed(why) => model.notice = Some((Role::Bad, format!("progress not kept: {why}"))),
        _ => {}
    }
    Vec::new()
}

/// Starts the server if none is there or coming.
pub fn ensure_server(model: &mut Model) -> Option<Effect> {
    match model.server {
        ServerState::Starting(..) | ServerState::Ready(_) => None,
        ServerState::Off | ServerState::Failed(_) => {
            model.server = ServerState::Starting("looking for a server".into(), None);
            Some(Effect::StartServer)
        }
    }
}

fn resized(model: &mut Model) {
    lesson::refresh(model, false);
    check::refresh(model);
    let at = model.home.at;
    let height = usize::from(home::areas(layout::panes(model).main).1.height);
    home::Home::select(model, at, height);
}

fn key(model: &mut Model, event: KeyEvent) -> Vec<Effect> {
    model.notice = None;
    if model.overlays.is_empty() && model.focus == Pane::Main && model.question_focused() {
        // Numbers are typed before any key of the lesson is asked.
        let input = match event.code {
            KeyCode::Char(c) if c.is_ascii_digit() || matches!(c, '.' | '-') => Some(typed(c)),
            KeyCode::Backspace => Some(answer::Input::Backspace),
            _ => None,
        };
        if let Some(effects) = input.and_then(|input| answer::answer(model, input)) {
            return effects;
        }
    }
    if let Some(action) = keymap::resolve(model, event) {
        return act(model, action);
    }
    let plain = !event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    match event.code {
        KeyCode::Char(c) if plain && model.focus == Pane::Console && model.overlays.is_empty() => {
            console::insert(model, c.encode_utf8(&mut [0; 4]))
        }
        _ => Vec::new(),
    }
}

fn typed(c: char) -> answer::Input {
    match c.to_digit(10) {
        Some(digit @ 1..=9) => answer::Input::Pick(digit as usize - 1),
        _ => answer::Input::Type(c),
    }
}

fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    if model.focus == Pane::Console && model.overlays.is_empty() { console::insert(model, text) } else { Vec::new() }
}

/// Does what a key or a click asks for.
pub fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => leave_pane(model),
        Action::Interrupt => interrupt(model),
        Action::Suspend => vec![Effect::Suspend],
        Action::Redraw => vec![Effect::Redraw],
        Action::Help => {
            model.overlays.push(Overlay::Help { scroll: 0 });
            Vec::new()
        }
        Action::Close => close(model),
        Action::Confirm => confirm(model),
        Action::Back => back(model),
        Action::Forward => forward(model),
        Action::Console => switch_console(model),
        Action::Zoom if model.focus == Pane::Console => {
            model.zoom = !model.zoom;
            lesson::refresh(model, false);
            Vec::new()
        }
        Action::Edit(edit) => edit_prompt(model, edit),
        Action::Lab => model.unit().cloned().map_or_else(Vec::new, |unit| go(model, Route::Lab(unit))),
        Action::Check => model.unit().cloned().map_or_else(Vec::new, |unit| go(model, Route::Check(unit))),
        other if !model.overlays.is_empty() => scroll_overlay(model, &other),
        other => match model.route.clone() {
            Route::Home => act_home(model, &other),
            Route::Lesson(unit) => act_lesson(model, &unit, &other),
            Route::Lab(unit) => lab::act(model, &unit, &other),
            Route::Check(unit) => check::act(model, &unit, &other),
        },
    }
}

fn edit_prompt(model: &mut Model, edit: Edit) -> Vec<Effect> {
    let rows = layout::panes(model).console.map_or(10, |area| usize::from(area.height.saturating_sub(3)).max(1));
    let effects = console::edit(model, edit, rows);
    lesson::refresh(model, false);
    effects
}

pub(super) fn switch_console(model: &mut Model) -> Vec<Effect> {
    if model.focus == Pane::Console {
        let effects = console::escape(model);
        lesson::refresh(model, false);
        return effects;
    }
    model.focus = Pane::Console;
    lesson::refresh(model, false);
    ensure_server(model).into_iter().collect()
}

/// `q`: leaves the pane; at the top, the program.
fn leave_pane(model: &mut Model) -> Vec<Effect> {
    if !model.overlays.is_empty() {
        return close(model);
    }
    match model.route {
        Route::Home => ask_quit(model),
        _ if model.back.is_empty() => go(model, Route::Home),
        _ => back(model),
    }
}

fn interrupt(model: &mut Model) -> Vec<Effect> {
    match model.overlays.last() {
        Some(Overlay::Confirm(Confirm::Quit(_))) => return quit(model),
        Some(_) => return close(model),
        None => {}
    }
    if model.focus == Pane::Console { console::interrupt(model) } else { ask_quit(model) }
}

fn ask_quit(model: &mut Model) -> Vec<Effect> {
    match model.busy() {
        Some(what) => {
            model.overlays.push(Overlay::Confirm(Confirm::Quit(what)));
            Vec::new()
        }
        None => quit(model),
    }
}

/// Leaves, with the place written down.
fn quit(model: &mut Model) -> Vec<Effect> {
    let place = model
        .reader()
        .map(|reader| Effect::Record { unit: reader.unit.clone(), change: Change::Here { block: reader.top_block() } });
    place.into_iter().chain([Effect::Quit]).collect()
}

/// Closes what lies on top; a question is answered with no.
pub(super) fn close(model: &mut Model) -> Vec<Effect> {
    match model.overlays.pop() {
        Some(Overlay::Confirm(Confirm::Command(..))) => vec![Effect::ConfirmCommand(false)],
        _ => Vec::new(),
    }
}

fn confirm(model: &mut Model) -> Vec<Effect> {
    match model.overlays.pop() {
        Some(Overlay::Confirm(Confirm::Command(..))) => vec![Effect::ConfirmCommand(true)],
        Some(Overlay::Confirm(Confirm::Quit(_))) => quit(model),
        Some(Overlay::Confirm(Confirm::Starter(unit))) => vec![Effect::WriteStarter(unit)],
        _ => Vec::new(),
    }
}

pub(super) fn scroll_overlay(model: &mut Model, action: &Action) -> Vec<Effect> {
    let page = usize::from(model.size.1.saturating_sub(6)).max(1);
    if let Some(Overlay::Help { scroll } | Overlay::Notice { scroll, .. }) = model.overlays.last_mut() {
        *scroll = scrolled(*scroll, action, page);
    }
    Vec::new()
}

/// A scroll position after an action; the view keeps it inside.
pub fn scrolled(at: usize, action: &Action, page: usize) -> usize {
    match action {
        Action::Up => at.saturating_sub(1),
        Action::Down => at + 1,
        Action::PageUp => at.saturating_sub(page),
        Action::PageDown => at + page,
        Action::Top => 0,
        Action::Bottom => usize::MAX / 2,
        _ => at,
    }
}

/// The next of `count` positions, going round.
pub fn step(at: usize, by: i8, count: usize) -> usize {
    let count = count.max(1);
    (at + count).saturating_add_signed(isize::from(by)) % count
}

/// Goes somewhere, and remembers from where.
pub fn go(model: &mut Model, route: Route) -> Vec<Effect> {
    if model.route == route {
        return Vec::new();
    }
    let from = std::mem::replace(&mut model.route, route);
    model.back.push(from);
    model.forward.clear();
    arrive(model)
}

fn back(model: &mut Model) -> Vec<Effect> {
    let Some(route) = model.back.pop() else { return Vec::new() };
    let from = std::mem::replace(&mut model.route, route);
    model.forward.push(from);
    arrive(model)
}

fn forward(model: &mut Model) -> Vec<Effect> {
    let Some(route) = model.forward.pop() else { return Vec::new() };
    let from = std::mem::replace(&mut model.route, route);
    model.back.push(from);
    arrive(model)
}

/// Prepares the screen we came to.
fn arrive(model: &mut Model) -> Vec<Effect> {
    match model.route.clone() {
        Route::Home => {
            resized(model);
            Vec::new()
        }
        Route::Lesson(unit) => lesson::open(model, &unit),
        Route::Lab(unit) => lab::open(model, &unit),
        Route::Check(unit) => check::open(model, &unit),
    }
}

fn act_home(model: &mut Model, action: &Action) -> Vec<Effect> {
    let height = usize::from(home::areas(layout::panes(model).main).1.height);
    let at = model.home.at;
    match action {
        Action::Open => return model.unit().cloned().map_or_else(Vec::new, |unit| go(model, Route::Lesson(unit))),
        Action::NextUnit => {
            let next = progress::next(&model.course, &model.progress);
            model.home.pending = false;
            if let Some(at) = next.and_then(|next| model.course.units().position(|unit| unit.id == next.unit)) {
                home::Home::select(model, at, height);
            }
        }
        Action::Pending => home::Home::toggle_pending(model),
        other => home::Home::select(model, scrolled(at, other, height.max(1)), height),
    }
    Vec::new()
}

fn act_lesson(model: &mut Model, unit: &UnitId, action: &Action) -> Vec<Effect> {
    let height = usize::from(layout::panes(model).main.height);
    match action {
        Action::Next | Action::Previous => {
            if let Some(reader) = model.reader_mut() {
                reader.move_focus(*action == Action::Next, height);
            }
            lesson::scrolled(model)
        }
        Action::Open => open_focused(model, height),
        Action::Pick(at) => answer::answer(model, answer::Input::Pick(*at)).unwrap_or_default(),
        Action::Again => answer::answer(model, answer::Input::Again).unwrap_or_default(),
        Action::NextUnit | Action::PreviousUnit => neighbour(model, unit, *action == Action::NextUnit),
        other => {
            if let Some(reader) = model.reader_mut() {
                let to = scrolled(reader.scroll, other, height.saturating_sub(2).max(1));
                reader.scroll_to(to, height);
            }
            lesson::scrolled(model)
        }
    }
}

/// The unit after or before, as the lesson's end invites.
fn neighbour(model: &mut Model, unit: &UnitId, forward: bool) -> Vec<Effect> {
    let ids: Vec<&UnitId> = model.course.units().map(|unit| &unit.id).collect();
    let at = ids.iter().position(|id| *id == unit);
    let to = at.and_then(|at| if forward { at.checked_add(1) } else { at.checked_sub(1) });
    if let Some(id) = to.and_then(|to| ids.get(to)) {
        let route = Route::Lesson((*id).clone());
        return go(model, route);
    }
    let edge = if forward { "this is the last unit" } else { "this is the first unit" };
    model.notice = Some((Role::Info, edge.into()));
    Vec::new()
}

/// Enter in a lesson: what it does depends on what has the focus.
pub(super) fn open_focused(model: &mut Model, height: usize) -> Vec<Effect> {
    let Some(kind) = model.reader().and_then(|reader| reader.focused()).map(|spot| spot.kind.clone()) else {
        if let Some(reader) = model.reader_mut() {
            reader.move_focus(true, height);
        }
        return lesson::scrolled(model);
    };
    match kind {
        SpotKind::Redis(index) => {
            let mut effects: Vec<Effect> = ensure_server(model).into_iter().collect();
            effects.extend(lesson::run_block(model, index));
            effects
        }
        SpotKind::Quiz(_) | SpotKind::Predict(_) => answer::answer(model, answer::Input::Enter).unwrap_or_default(),
        SpotKind::Lab(unit) => go(model, Route::Lab(unit)),
        SpotKind::Link(_, target) => follow(model, &target),
    }
}

/// A link to a unit or a heading leads there; another is shown, to be opened by hand: we start no
/// browser unasked.
fn follow(model: &mut Model, target: &str) -> Vec<Effect> {
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let here = model.route.unit().cloned();
    let unit = if path.is_empty() { here } else { path.parse::<UnitId>().ok() };
    let Some(unit) = unit.filter(|unit| model.course.unit(unit).is_some()) else {
        model.notice = Some((Role::Info, format!("link: {target}")));
        return Vec::new();
    };
    let mut effects = go(model, Route::Lesson(unit));
    effects.extend(lesson::to_heading(model, heading));
    effects
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
