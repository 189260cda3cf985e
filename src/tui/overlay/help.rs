//! Help: every key that is valid now, from the keymap itself.

use ratatui::{
    Frame,
    text::{Line, Span},
};

use super::boxed;
use crate::tui::{
    keymap::{self, Scope},
    model::Model,
    theme::Role,
};

/// Draws it over the screen it explains.
pub fn view(model: &Model, frame: &mut Frame<'_>, scroll: usize) {
    boxed(frame, model.theme, "Keys", &lines(model), scroll);
}

/// One line a binding, by scope.
pub fn lines(model: &Model) -> Vec<Line<'static>> {
    let theme = model.theme;
    let mut lines = Vec::new();
    for scope in keymap::scopes_beneath(model) {
        let bindings = keymap::bindings(scope, model);
        if bindings.is_empty() {
            continue;
        }
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(scope.title(), theme.style(Role::Heading)));
        for binding in bindings.iter().filter(|binding| !matches!(binding.action, keymap::Action::Pick(at) if at > 0)) {
            let keys: Vec<String> = binding.keys.iter().map(|chord| chord.show(!theme.ascii)).collect();
            let (keys, label) = match binding.action {
                keymap::Action::Pick(_) => ("1 to 9".to_owned(), "pick a choice".to_owned()),
                _ => (keys.join(", "), binding.label.to_string()),
            };
            lines.push(Line::from(vec![
                Span::styled(format!("  {keys:<26}"), theme.style(Role::Key)),
                Span::raw(label),
            ]));
        }
        if scope == Scope::Lesson || scope == Scope::Home {
            lines.push(Line::styled(
                "  mouse: wheel scrolls, a click selects, a second click opens",
                theme.style(Role::Dim),
            ));
        }
    }
    lines
}
