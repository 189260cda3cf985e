//! What lies on top of a screen, one file each, and the box they share.

pub mod confirm;
pub mod help;
pub mod notice;

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Clear,
};

use super::{
    screen::lesson::scrollbar,
    theme::{Role, Theme},
};

/// A titled box in the middle, as large as its lines need and the screen allows.
pub fn boxed(frame: &mut Frame<'_>, theme: Theme, title: &str, lines: &[Line<'static>], scroll: usize) {
    let area = frame.area();
    let widest = lines.iter().map(Line::width).max().unwrap_or(0).max(title.len() + 4) as u16;
    let width = (widest + 5).min(area.width);
    let height = (lines.len() as u16 + 2).min(area.height);
    let outer = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    frame.render_widget(Clear, outer);
    let inner = frame_of(frame, outer, theme, title);
    let last = lines.len().saturating_sub(usize::from(inner.height));
    let scroll = scroll.min(last);
    for (at, line) in lines.iter().skip(scroll).take(usize::from(inner.height)).enumerate() {
        frame.render_widget(
            line,
            Rect { y: inner.y + at as u16, height: 1, width: inner.width.saturating_sub(1), ..inner },
        );
    }
    scrollbar(frame, inner, scroll, lines.len(), theme);
}

/// Columns that text in a [`boxed`] may take at most.
pub fn text_width(frame: &Frame<'_>) -> usize {
    usize::from(frame.area().width.saturating_sub(6)).clamp(10, 76)
}

fn frame_of(frame: &mut Frame<'_>, outer: Rect, theme: Theme, title: &str) -> Rect {
    use ratatui::{
        symbols::border,
        widgets::{Block, BorderType, Widget},
    };
    const ASCII: border::Set<'static> = border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    };
    let block = Block::bordered()
        .border_style(theme.style(Role::Focus))
        .title(Span::styled(format!(" {title} "), theme.style(Role::Title)));
    let block = if theme.ascii { block.border_set(ASCII) } else { block.border_type(BorderType::Rounded) };
    let inner = block.inner(outer);
    block.render(outer, frame.buffer_mut());
    Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(1), ..inner }
}
