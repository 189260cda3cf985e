//! `view(model, frame)`: bars, panes, overlays; screens draw themselves.
//!
//! Owns: the order of drawing. Must not know: how anything changes.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    keymap::{self, Action, Binding},
    layout::{self, LEAST},
    model::{Model, Overlay, Route, ServerState},
    overlay,
    screen::{check, console, home, lab, lesson},
    text,
    theme::Role,
};

/// Draws one frame.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let message = format!("too small: {}x{}", area.width, area.height);
        frame.render_widget(Line::from(message), Rect { height: area.height.min(1), ..area });
        return;
    }
    let panes = layout::panes(model);
    let fits = |rect: Rect| rect.intersection(area);
    header(model, frame, fits(panes.header));
    let main = fits(panes.main);
    if main.height > 0 {
        match &model.route {
            Route::Home => home::view(model, frame, main),
            Route::Lesson(_) => lesson::view(model, frame, main),
            Route::Lab(unit) => lab::view(model, unit, frame, main),
            Route::Check(unit) => check::view(model, unit, frame, main),
        }
    }
    if let Some(console) = panes.console {
        console::view(model, frame, fits(console));
    }
    footer(model, frame, fits(panes.footer));
    if let Some(top) = model.overlays.last() {
        match top {
            Overlay::Help { scroll } => overlay::help::view(model, frame, *scroll),
            Overlay::Confirm(confirm) => overlay::confirm::view(model, frame, confirm),
            Overlay::Notice { title, text, scroll } => overlay::notice::view(model, frame, title, text, *scroll),
        }
    }
}

fn header(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let theme = model.theme;
    frame.buffer_mut().set_style(area, theme.style(Role::Bar));
    let (server, role) = server(model);
    let server = text::cut(&server, usize::from(area.width) / 2, theme.glyphs().ellipsis).into_owned();
    let right = text::width(&server) as u16 + 1;
    let room = usize::from(area.width.saturating_sub(right + 2));
    let place = text::cut(&place(model), room, theme.glyphs().ellipsis).into_owned();
    frame.render_widget(Line::from(Span::raw(format!(" {place}"))), area);
    let style = theme.style(Role::Bar).patch(theme.style(role));
    let at = Rect { x: area.right().saturating_sub(right), width: right.min(area.width), ..area };
    frame.render_widget(Line::from(Span::styled(server, style)), at);
}

/// Where we are, in words.
fn place(model: &Model) -> String {
    let title = |unit| model.lesson(unit).map_or_else(String::new, |lesson| text::clean(&lesson.title).into_owned());
    let separator = model.theme.glyphs().separator;
    match &model.route {
        Route::Home => "cachelab".into(),
        Route::Lesson(unit) => format!("{unit} {separator} {}", title(unit)),
        Route::Lab(unit) => format!("{unit} {separator} lab"),
        Route::Check(unit) => format!("{unit} {separator} exercise"),
    }
}

/// The server in a few words.
fn server(model: &Model) -> (String, Role) {
    match &model.server {
        ServerState::Off => (String::new(), Role::Dim),
        ServerState::Starting(text, fraction) => {
            let part = fraction.map_or_else(String::new, |f| format!(" {:.0}%", f * 100.0));
            (format!("{}{part}", text::clean(text)), Role::Warn)
        }
        ServerState::Ready(what) => (text::clean(what).into_owned(), Role::Good),
        ServerState::Failed(_) => ("no server".into(), Role::Bad),
    }
}

/// Footer entries with their columns: those that fit, the important ones first.
fn entries(model: &Model, width: u16) -> Vec<(u16, u16, Binding)> {
    let mut all: Vec<Binding> = keymap::scopes(model)
        .into_iter()
        .flat_map(|scope| keymap::bindings(scope, model))
        .filter(|binding| binding.footer > 0)
        .collect();
    let size = |binding: &Binding| (text::width(&shown(model, binding)) + text::width(&binding.label) + 3) as u16;
    while all.iter().map(size).sum::<u16>() > width {
        // The last of the least important gives way.
        let Some(least) = all.iter().map(|binding| binding.footer).min() else { break };
        let Some(at) = all.iter().rposition(|binding| binding.footer == least) else { break };
        all.remove(at);
    }
    let mut x = 1;
    all.into_iter()
        .map(|binding| {
            let from = x;
            x += size(&binding);
            (from, x, binding)
        })
        .collect()
}

fn shown(model: &Model, binding: &Binding) -> String {
    binding.keys.first().map_or_else(String::new, |chord| chord.show(!model.theme.ascii))
}

fn footer(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let theme = model.theme;
    let bar = theme.style(Role::Bar);
    frame.buffer_mut().set_style(area, bar);
    if let Some((role, notice)) = &model.notice {
        let notice = text::clean(notice).replace('\n', " ");
        frame.render_widget(Span::styled(format!(" {notice}"), bar.patch(theme.style(*role))), area);
        return;
    }
    for (from, _, binding) in entries(model, area.width) {
        let spans = vec![
            Span::styled(shown(model, &binding), bar.patch(theme.style(Role::Key))),
            Span::styled(format!(" {}", binding.label), bar),
        ];
        let at = Rect { x: area.x + from, width: area.width.saturating_sub(from), ..area };
        frame.render_widget(Line::from(spans), at);
    }
}

/// What a click on a column of the footer asks for.
pub fn footer_action(model: &Model, column: u16) -> Option<Action> {
    if model.notice.is_some() {
        return None;
    }
    let hit = |(from, to, _): &(u16, u16, Binding)| (*from..*to - 2).contains(&column);
    entries(model, model.size.0).into_iter().find(hit).map(|(_, _, binding)| binding.action)
}
