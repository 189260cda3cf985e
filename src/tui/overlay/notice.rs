//! A message to be read: an error in full, an explanation.

use ratatui::{Frame, style::Style, text::Line};

use super::{boxed, text_width};
use crate::tui::{
    model::Model,
    widget::wrap::{Run, wrap},
};

/// Draws it.
pub fn view(model: &Model, frame: &mut Frame<'_>, title: &str, text: &str, scroll: usize) {
    let width = text_width(frame);
    let lines: Vec<Line<'static>> = text
        .lines()
        .flat_map(|line| {
            let runs = [Run { text: line.to_owned(), style: Style::new(), link: None }];
            let mut lines: Vec<Line<'static>> = wrap(&runs, width).into_iter().map(|w| Line::from(w.spans)).collect();
            if lines.is_empty() {
                lines.push(Line::default());
            }
            lines
        })
        .collect();
    boxed(frame, model.theme, title, &lines, scroll);
}
