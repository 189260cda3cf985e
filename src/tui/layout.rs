//! Where the panes are.
//!
//! Owns: the division of the terminal, used by the view to draw and by the update to scroll and to
//! find what was clicked. Must not know: what is in the panes.

use ratatui::layout::Rect;

use super::model::{Model, Pane, Route};

/// From this width on the console stands beside the lesson.
pub const BESIDE: u16 = 100;
/// Text wider than this is hard to read.
pub const MEASURE: u16 = 88;
/// Columns left of a lesson's text, where the focus is marked.
pub const GUTTER: u16 = 2;
/// Smaller than this nothing useful can be shown.
pub const LEAST: (u16, u16) = (20, 5);

/// The panes of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panes {
    /// Where we are, and the server.
    pub header: Rect,
    /// The screen.
    pub main: Rect,
    /// The console, where it is shown.
    pub console: Option<Rect>,
    /// Keys.
    pub footer: Rect,
}

/// Divides the terminal.
pub fn panes(model: &Model) -> Panes {
    let (width, height) = model.size;
    let bar = u16::from(height >= LEAST.1);
    let header = Rect::new(0, 0, width, bar);
    let footer = Rect::new(0, height.saturating_sub(bar), width, bar);
    let body = Rect::new(0, bar, width, height.saturating_sub(2 * bar));
    let focused = model.focus == Pane::Console;
    let lesson = matches!(model.route, Route::Lesson(_));
    let (main, console) = if focused && model.zoom {
        (Rect { height: 0, ..body }, Some(body))
    } else if width >= BESIDE && (lesson || focused) {
        let wanted = (u32::from(width) * 55 / 100) as u16;
        let left = wanted.min(MEASURE + GUTTER + 2);
        let left = if lesson { left } else { wanted };
        (Rect { width: left, ..body }, Some(Rect { x: left, width: width - left, ..body }))
    } else if focused && body.height >= 18 {
        let below = body.height / 2;
        let above = body.height - below;
        (Rect { height: above, ..body }, Some(Rect { y: body.y + above, height: below, ..body }))
    } else if focused {
        (Rect { height: 0, ..body }, Some(body))
    } else {
        (body, None)
    };
    Panes { header, main, console, footer }
}

/// Columns for a lesson's text in a pane: without gutter and scrollbar, and not too wide to read.
pub fn text_width(main: Rect) -> u16 {
    main.width.saturating_sub(GUTTER + 2).min(MEASURE)
}
