//! A line chart over time: several series, marks on the time axis, level lines, linear or log scale.
//!
//! Owns: scales, plotting, labels. Must not know: labs, metrics. Series are told apart without colour: each
//! carries its marker on its line. Lines are braille dots; in ASCII the markers themselves are the line.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::Widget,
};

use crate::tui::{
    text,
    theme::{Role, Theme},
};

/// One line.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its sign.
    pub marker: &'static str,
    /// Its colour.
    pub role: Role,
    /// Time in seconds and value; `None` is a gap, never zero.
    pub points: Vec<(f64, Option<f64>)>,
    /// In the background.
    pub dim: bool,
}

/// A horizontal line at a value: a capacity, a guess.
#[derive(Debug, Clone)]
pub struct Level {
    /// Where.
    pub value: f64,
    /// What it is.
    pub label: String,
    /// Its colour.
    pub role: Role,
}

/// How values become heights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From zero to the largest value, or to this one if it is larger.
    Linear(f64),
    /// Exactly from zero to this.
    Fixed(f64),
    /// Powers of ten around the values.
    Log,
}

/// A chart to be drawn.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What is shown.
    pub title: String,
    /// The same in a word or two, for a narrow chart.
    pub short: String,
    /// The latest value of the line in the foreground.
    pub latest: Option<(Role, f64)>,
    /// `ms`, `%`, nothing.
    pub unit: String,
    /// The lines; the last is drawn on top.
    pub series: Vec<Series>,
    /// Level lines.
    pub levels: Vec<Level>,
    /// Seconds and label of marks on the time axis.
    pub marks: Vec<(f64, String)>,
    /// Length of the time axis in seconds.
    pub seconds: f64,
    /// Heights.
    pub scale: Scale,
    /// How things look.
    pub theme: Theme,
}

/// A scale with its ends.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    low: f64,
    high: f64,
    log: bool,
}

impl Range {
    /// 0 at the bottom, 1 at the top.
    fn height(self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.low).ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    /// The value at a height.
    fn value(self, share: f64) -> f64 {
        if self.log {
            (self.low.ln() + share * (self.high.ln() - self.low.ln())).exp()
        } else {
            self.low + share * (self.high - self.low)
        }
    }
}

impl Chart {
    fn range(&self) -> Range {
        let values = || self.series.iter().flat_map(|series| series.points.iter().filter_map(|(_, value)| *value));
        let levels = self.levels.iter().map(|level| level.value);
        let highest = values().chain(levels.clone()).fold(0.0, f64::max);
        match self.scale {
            Scale::Fixed(high) => Range { low: 0.0, high, log: false },
            Scale::Linear(least) => Range { low: 0.0, high: nice(highest.max(least)), log: false },
            Scale::Log => {
                let positive = values().chain(levels).filter(|value| *value > 0.0);
                let lowest = positive.fold(f64::INFINITY, f64::min).min(highest);
                let low = if lowest > 0.0 && lowest.is_finite() { 10f64.powf(lowest.log10().floor()) } else { 0.1 };
                let high = if highest > low { 10f64.powf(highest.log10().ceil()) } else { low * 10.0 };
                Range { low, high: high.max(low * 10.0), log: true }
            }
        }
    }

    fn label_rows(range: Range, rows: u16) -> Vec<(u16, f64)> {
        let last = f64::from(rows.saturating_sub(1)).max(1.0);
        let at = |value: f64| ((1.0 - range.height(value)) * last).round() as u16;
        if range.log {
            let decades = (range.high / range.low).log10().round() as i32;
            let step = (decades / (i32::from(rows) / 2).max(1)).max(1) as usize;
            return (0..=decades).step_by(step).map(|n| range.low * 10f64.powi(n)).map(|v| (at(v), v)).collect();
        }
        let steps = if rows >= 9 {
            4
        } else if rows >= 5 {
            2
        } else {
            1
        };
        (0..=steps).map(|n| range.value(f64::from(n) / f64::from(steps))).map(|v| (at(v), v)).collect()
    }
}

/// The next number of 1, 2, 5 times a power of ten.
fn nice(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|digit| value <= digit * power * 1.000_001);
    digit.unwrap_or(10.0) * power
}

/// A value in at most six columns: `0.3`, `12`, `4.2k`.
pub fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size >= 9_999_500.0 => format!("{:.0}M", value / 1e6),
        _ if size >= 999_500.0 => format!("{:.1}M", value / 1e6),
        _ if size >= 99_950.0 => format!("{:.0}k", value / 1e3),
        _ if size >= 9_999.5 => format!("{:.1}k", value / 1e3),
        _ if size >= 99.95 || (size.fract() < 1e-9 && size >= 1.0) || size == 0.0 => format!("{value:.0}"),
        _ if size >= 9.995 => format!("{value:.1}"),
        _ if size >= 0.01 => format!("{value:.2}"),
        _ => format!("{value:.0e}"),
    }
}

impl Widget for &Chart {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width < 12 || area.height < 4 {
            return;
        }
        let theme = self.theme;
        let dim = theme.style(Role::Dim);
        let unit = if self.unit.is_empty() { String::new() } else { format!(" ({})", self.unit) };
        let log = if matches!(self.scale, Scale::Log) { ", log" } else { "" };
        let unit = if unit.is_empty() { unit } else { unit.replace(')', &format!("{log})")) };
        let latest = self.latest.map_or_else(String::new, |(_, value)| format!(" {} ", short(value)));
        let room = usize::from(area.width).saturating_sub(unit.len() + latest.len() + 1);
        let title = if text::width(&self.title) <= room { &self.title } else { &self.short };
        let title = text::cut(title, room, theme.glyphs().ellipsis);
        let head =
            Line::from(vec![Span::styled(title.into_owned(), theme.style(Role::Strong)), Span::styled(unit, dim)]);
        head.render(Rect { height: 1, ..area }, buffer);
        if let Some((role, _)) = self.latest {
            let wide = latest.len() as u16;
            let place = Rect { x: area.right() - wide, width: wide, height: 1, ..area };
            Span::styled(latest, theme.style(role)).render(place, buffer);
        }

        let range = self.range();
        let rows = area.height - 2;
        let labels: Vec<(u16, String)> =
            Chart::label_rows(range, rows).into_iter().map(|(row, value)| (row, short(value))).collect();
        let left = labels.iter().map(|(_, label)| label.len()).max().unwrap_or(0) as u16 + 1;
        let plot = Rect { x: area.x + left, y: area.y + 1, width: area.width - left, height: rows };
        for (row, label) in &labels {
            let line = Line::styled(label.as_str(), dim).right_aligned();
            line.render(Rect { x: area.x, y: plot.y + row, width: left - 1, height: 1 }, buffer);
        }
        self.levels(plot, range, buffer);
        self.axis(plot, buffer);
        for series in &self.series {
            if theme.ascii {
                self.letters(series, plot, range, buffer);
            } else {
                self.dots(series, plot, range, buffer);
            }
        }
        self.level_names(plot, range, buffer);
    }
}

impl Chart {
    fn column(&self, seconds: f64, columns: usize) -> usize {
        let share = if self.seconds > 0.0 { seconds / self.seconds } else { 0.0 };
        ((share * columns as f64) as usize).min(columns.saturating_sub(1))
    }

    fn levels(&self, plot: Rect, range: Range, buffer: &mut Buffer) {
        let glyph = if self.theme.ascii { "-" } else { "╌" };
        for level in &self.levels {
            let row = ((1.0 - range.height(level.value)) * f64::from(plot.height - 1)).round() as u16;
            let style = self.theme.style(level.role);
            let y = plot.y + row;
            buffer.set_string(plot.x, y, glyph.repeat(usize::from(plot.width)), style);
        }
    }

    /// Names of the levels, over the lines.
    fn level_names(&self, plot: Rect, range: Range, buffer: &mut Buffer) {
        for level in &self.levels {
            let row = ((1.0 - range.height(level.value)) * f64::from(plot.height - 1)).round() as u16;
            let style = self.theme.style(level.role);
            let y = plot.y + if row > 0 { row - 1 } else { (row + 1).min(plot.height - 1) };
            let label = text::cut(&level.label, usize::from(plot.width), self.theme.glyphs().ellipsis).into_owned();
            let x = plot.right().saturating_sub(text::width(&label) as u16);
            buffer.set_string(x, y, label, style);
        }
    }

    /// Seconds, and a mark where something was done.
    fn axis(&self, plot: Rect, buffer: &mut Buffer) {
        let y = plot.bottom();
        let dim = self.theme.style(Role::Dim);
        let end = format!("{} s", short(self.seconds));
        buffer.set_string(plot.x, y, "0", dim);
        let x = plot.right().saturating_sub(end.len() as u16);
        buffer.set_string(x, y, &end, dim);
        let warn = self.theme.style(Role::Warn);
        let glyph = if self.theme.ascii { "^" } else { "▲" };
        let column = |at: f64| plot.x + self.column(at, usize::from(plot.width)) as u16;
        for (number, (at, label)) in self.marks.iter().enumerate() {
            let x = column(*at);
            buffer.set_string(x, y, glyph, warn);
            let next = self.marks.get(number + 1).map_or(plot.right(), |(next, _)| column(*next) + 1);
            let room = next.min(plot.right().saturating_sub(end.len() as u16)).saturating_sub(x + 2);
            let shown = text::cut(label, usize::from(room), self.theme.glyphs().ellipsis).into_owned();
            if text::width(&shown) > 2 {
                buffer.set_string(x + 1, y, shown, warn);
            }
        }
    }

    /// Braille: two by four dots a cell.
    fn dots(&self, series: &Series, plot: Rect, range: Range, buffer: &mut Buffer) {
        let (columns, rows) = (usize::from(plot.width) * 2, usize::from(plot.height) * 4);
        let mut cells = vec![0u8; usize::from(plot.width) * usize::from(plot.height)];
        let mut previous: Option<(usize, usize)> = None;
        let mut last = None;
        for (at, value) in &series.points {
            let Some(value) = value else {
                previous = None;
                continue;
            };
            let x = self.column(*at, columns);
            let y = ((1.0 - range.height(*value)) * (rows - 1) as f64).round() as usize;
            for (x, y) in line(previous.unwrap_or((x, y)), (x, y)) {
                cells[(y / 4) * usize::from(plot.width) + x / 2] |= DOTS[y % 4][x % 2];
            }
            previous = Some((x, y));
            last = Some((x / 2, y / 4));
        }
        let style = self.line_style(series);
        for (at, dots) in cells.iter().enumerate().filter(|(_, dots)| **dots != 0) {
            let x = plot.x + (at % usize::from(plot.width)) as u16;
            let y = plot.y + (at / usize::from(plot.width)) as u16;
            let glyph = char::from_u32(0x2800 + u32::from(*dots)).unwrap_or(' ');
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.set_char(glyph).set_style(style);
            }
        }
        if let Some((x, y)) = last {
            buffer.set_string(plot.x + x as u16, plot.y + y as u16, series.marker, style);
        }
    }

    /// ASCII: the marker in every column.
    fn letters(&self, series: &Series, plot: Rect, range: Range, buffer: &mut Buffer) {
        let style = self.line_style(series);
        for (at, value) in &series.points {
            let Some(value) = value else { continue };
            let x = plot.x + self.column(*at, usize::from(plot.width)) as u16;
            let y = plot.y + ((1.0 - range.height(*value)) * f64::from(plot.height - 1)).round() as u16;
            buffer.set_string(x, y, series.marker, style);
        }
    }

    fn line_style(&self, series: &Series) -> ratatui::style::Style {
        use ratatui::style::Modifier;
        let style = self.theme.style(series.role);
        if series.dim { style.add_modifier(Modifier::DIM) } else { style.add_modifier(Modifier::BOLD) }
    }
}

/// Bits of a braille cell by row and column.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// All dots from one to another, none further than one step from the next.
fn line(from: (usize, usize), to: (usize, usize)) -> Vec<(usize, usize)> {
    let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
    let between = |a: usize, b: usize, step: usize| {
        let moved = (a.abs_diff(b) * step * 2 + steps) / (steps * 2);
        if b >= a { a + moved } else { a - moved }
    };
    (0..=steps).map(|step| (between(from.0, to.0, step), between(from.1, to.1, step))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, Option<f64>)>, scale: Scale, ascii: bool) -> Chart {
        let theme = Theme { ascii, ..Theme::default() };
        let marker = theme.marker(0);
        Chart {
            title: "latency".into(),
            short: "latency".into(),
            latest: None,
            unit: "ms".into(),
            series: vec![Series { marker, role: Role::Series(0), points, dim: false }],
            levels: Vec::new(),
            marks: vec![(5.0, "kill".into())],
            seconds: 10.0,
            scale,
            theme,
        }
    }

    fn drawn(chart: &Chart, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        chart.render(area, &mut buffer);
        (0..height)
            .map(|y| (0..width).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>().trim_end().to_owned())
            .collect()
    }

    #[test]
    fn ascii_draws_the_marker_where_the_value_is() {
        let points = vec![(0.0, Some(0.0)), (5.0, Some(5.0)), (9.9, Some(10.0))];
        insta::assert_snapshot!(drawn(&chart(points, Scale::Linear(1.0), true), 24, 7).join("\n"), @r"
        latency (ms)
        10                     A

         5           A

         0 A
           0         ^kill  10 s
        ");
    }

    #[test]
    fn a_log_axis_has_decades_and_a_gap_is_no_zero() {
        let points = vec![(0.0, Some(1.0)), (3.0, None), (6.0, Some(100.0))];
        let lines = drawn(&chart(points, Scale::Log, true), 30, 8);
        assert!(lines[1].trim_start().starts_with("100"), "{lines:?}");
        assert!(lines[6].trim_start().starts_with('1'), "{lines:?}");
        assert_eq!(lines.iter().map(|l| l.matches('A').count()).sum::<usize>(), 2, "{lines:?}");
    }

    #[test]
    fn any_size_and_any_value_is_drawn_without_panic() {
        let wild = vec![(0.0, Some(f64::MAX)), (1.0, Some(-1.0)), (2.0, Some(1e-9)), (99.0, Some(3.0)), (3.0, None)];
        for scale in [Scale::Linear(0.0), Scale::Fixed(1.0), Scale::Log] {
            for ascii in [true, false] {
                for (width, height) in [(0, 0), (1, 1), (12, 4), (13, 5), (60, 16), (200, 60)] {
                    drawn(&chart(wild.clone(), scale, ascii), width, height);
                    drawn(&chart(Vec::new(), scale, ascii), width, height);
                }
            }
        }
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (0.5, "0.50"),
            (12.0, "12"),
            (12.34, "12.3"),
            (1234.0, "1234"),
            (45_678.0, "45.7k"),
            (2e6, "2.0M"),
        ];
        for (value, wanted) in cases {
            assert_eq!(short(value), wanted);
        }
    }

    #[test]
    fn lines_connect_their_ends() {
        for (from, to) in [((0, 0), (5, 3)), ((5, 3), (0, 0)), ((2, 9), (2, 1)), ((0, 4), (0, 4))] {
            let dots = line(from, to);
            assert_eq!((dots.first(), dots.last()), (Some(&from), Some(&to)));
            assert!(dots.windows(2).all(|w| w[0].0.abs_diff(w[1].0) <= 1 && w[0].1.abs_diff(w[1].1) <= 1));
        }
    }
}
