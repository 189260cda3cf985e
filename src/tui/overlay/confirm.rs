//! A question to be answered with yes or no.

use ratatui::{Frame, style::Style, text::Line};

use super::{boxed, text_width};
use crate::tui::{
    model::{Confirm, Model},
    theme::Role,
    widget::wrap::{Run, wrap},
};

/// Draws it.
pub fn view(model: &Model, frame: &mut Frame<'_>, confirm: &Confirm) {
    let theme = model.theme;
    let (title, text) = match confirm {
        Confirm::Quit(what) => ("Leave?", format!("{what} is running and would be stopped.")),
        Confirm::Starter(unit) => (
            "No program yet",
            format!(
                "Write a starter in Python to ./{}? It holds the contract and a service that answers; you add the rest in \
                 your editor.\n\nAnother language: cachelab start {unit} --lang node",
                crate::course::starter::folder_name(unit)
            ),
        ),
        Confirm::Command(command, why) => ("Send this command?", format!("{command}\n{why}")),
    };
    let runs = [Run { text, style: Style::new(), link: None }];
    let mut lines: Vec<Line<'static>> =
        wrap(&runs, text_width(frame)).into_iter().map(|line| Line::from(line.spans)).collect();
    lines.push(Line::default());
    lines.push(Line::styled("y yes    n no", theme.style(Role::Key)));
    boxed(frame, theme, title, &lines, 0);
}
