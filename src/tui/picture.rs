//! A frame as SVG: the README's pictures are made from real frames.
//!
//! Owns: from cells to SVG. Pure; must not know the model. Runs of cells with one look become one text
//! element, placed by columns, so that any monospaced font lines up.

use std::fmt::Write as _;

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

/// Width and height of a cell in pixels.
const CELL: (f64, f64) = (8.4, 18.0);
/// Distance to the edge.
const EDGE: f64 = 12.0;

/// Background, foreground, and the 16 named colours of the picture.
#[derive(Debug, Clone, Copy)]
pub struct Paper {
    /// Behind everything.
    pub background: &'static str,
    /// Text without a colour.
    pub foreground: &'static str,
    /// Black to bright white.
    pub named: [&'static str; 16],
}

/// A dark terminal.
pub const DARK: Paper = Paper {
    background: "#14181d",
    foreground: "#d7dce2",
    named: [
        "#20262d", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ced6", "#6b7480", "#f08a92",
        "#b0d796", "#f0d49a", "#84c3f5", "#d899ea", "#7fd0da", "#ffffff",
    ],
};

/// A light terminal.
pub const LIGHT: Paper = Paper {
    background: "#fbfbf8",
    foreground: "#2a2f36",
    named: [
        "#2a2f36", "#b3263a", "#3b7d23", "#8a6100", "#1f5fae", "#8a3a9c", "#0f7a86", "#8b929b", "#5c636c", "#c8384d",
        "#4c9630", "#a37400", "#2f74c8", "#a24cb6", "#1b909e", "#101215",
    ],
};

/// The frame as an SVG document.
pub fn svg(buffer: &Buffer, paper: &Paper) -> String {
    let area = buffer.area;
    let width = f64::from(area.width) * CELL.0 + 2.0 * EDGE;
    let height = f64::from(area.height) * CELL.1 + 2.0 * EDGE;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" \
         font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n",
        paper.background
    );
    for y in area.top()..area.bottom() {
        row(buffer, y, paper, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// How a cell looks.
#[derive(Debug, Clone, PartialEq)]
struct Look {
    front: String,
    back: Option<String>,
    modifier: Modifier,
}

impl Look {
    fn of(cell: &Cell, paper: &Paper) -> Self {
        let front = colour(cell.fg, paper).unwrap_or_else(|| paper.foreground.to_owned());
        let back = colour(cell.bg, paper);
        let modifier = cell.modifier;
        if modifier.contains(Modifier::REVERSED) {
            return Self { front: back.unwrap_or_else(|| paper.background.to_owned()), back: Some(front), modifier };
        }
        Self { front, back, modifier }
    }
}

fn row(buffer: &Buffer, y: u16, paper: &Paper, out: &mut String) {
    let area = buffer.area;
    let mut x = area.left();
    while x < area.right() {
        let look = Look::of(&buffer[(x, y)], paper);
        let from = x;
        let mut text = String::new();
        while x < area.right() && Look::of(&buffer[(x, y)], paper) == look {
            let symbol = buffer[(x, y)].symbol();
            text.push_str(if symbol.is_empty() { " " } else { symbol });
            x += crate::tui::text::width(symbol).max(1) as u16;
        }
        run(&look, (from - area.left(), x - from, y - area.top()), &text, out);
    }
}

/// One run of cells: column, columns, row.
fn run(look: &Look, place: (u16, u16, u16), text: &str, out: &mut String) {
    let (left, width) = (EDGE + f64::from(place.0) * CELL.0, f64::from(place.1) * CELL.0);
    let top = EDGE + f64::from(place.2) * CELL.1;
    // Writing into a String cannot fail.
    if let Some(back) = &look.back {
        let _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{back}\"/>",
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let mut style = String::new();
    let flags = [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
        (Modifier::CROSSED_OUT, " text-decoration=\"line-through\""),
        (Modifier::DIM, " opacity=\"0.6\""),
    ];
    for (_, attribute) in flags.iter().filter(|(modifier, _)| look.modifier.contains(*modifier)) {
        style.push_str(attribute);
    }
    let base = top + CELL.1 * 0.75;
    let _ = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{base:.1}\" textLength=\"{width:.1}\" fill=\"{}\" xml:space=\"preserve\"{style}>{}</text>",
        look.front,
        escape(text)
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A colour as SVG knows it; `None` is the terminal's own.
fn colour(colour: Color, paper: &Paper) -> Option<String> {
    let named = |at: usize| Some(paper.named[at].to_owned());
    match colour {
        Color::Reset => None,
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::LightRed => named(9),
        Color::LightGreen => named(10),
        Color::LightYellow => named(11),
        Color::LightBlue => named(12),
        Color::LightMagenta => named(13),
        Color::LightCyan => named(14),
        Color::White => named(15),
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        Color::Indexed(at @ 0..=15) => named(usize::from(at)),
        Color::Indexed(at @ 16..=231) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let at = at - 16;
            Some(format!("#{:02x}{:02x}{:02x}", level(at / 36), level(at / 6 % 6), level(at % 6)))
        }
        Color::Indexed(at) => {
            let grey = 8 + 10 * (at - 232);
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{layout::Rect, style::Style};

    use super::*;

    #[test]
    fn a_frame_becomes_text_at_its_place() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 2));
        buffer.set_string(0, 0, "a<b", Style::new().fg(Color::Green));
        buffer.set_string(3, 1, "日本", Style::new().bg(Color::Indexed(24)).add_modifier(Modifier::BOLD));
        let svg = svg(&buffer, &DARK);
        assert!(svg.contains(">a&lt;b</text>"), "{svg}");
        assert!(svg.contains("fill=\"#98c379\""), "{svg}");
        assert!(
            svg.contains("x=\"37.2\"") && svg.contains("textLength=\"33.6\"") && svg.contains(">日本</text>"),
            "{svg}"
        );
        assert!(svg.contains("fill=\"#005f87\"") && svg.contains("font-weight=\"bold\""), "{svg}");
    }
}
