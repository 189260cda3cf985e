//! A counterexample as lanes: one column a buyer, the server at the right, time downwards.
//!
//! A pure function to lines of styled pieces, so that the plain terminal and the TUI show the same.
//! Knows no terminal: colours are classes, characters are plain or ASCII as asked for.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Counterexample, StepKind, TraceStep};

/// What a piece of a line is; a front end gives it a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tint {
    /// Running text.
    Plain,
    /// Frames, step numbers, idle lanes.
    Dim,
    /// Names of the lanes.
    Heading,
    /// A command to the server.
    Command,
    /// A call to the origin.
    Origin,
    /// A request or an answer.
    Request,
    /// What came back.
    Reply,
    /// Time passes, or a fault is placed.
    Fault,
    /// A remark at a step.
    Note,
    /// The step that broke the property, and its remark.
    Violation,
}

/// A line: pieces from left to right.
pub type Line = Vec<(Tint, String)>;

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawing {
    /// Columns there are.
    pub width: usize,
    /// Only ASCII characters.
    pub ascii: bool,
}

/// Columns of a lane below which the narrow form is drawn.
const NARROWEST_LANE: usize = 23;
const NUMBER: usize = 4;

struct Marks {
    live: char,
    line: char,
    head: char,
    time: char,
    note: &'static str,
    wrong: &'static str,
    ellipsis: &'static str,
}

const UNICODE: Marks =
    Marks { live: '│', line: '─', head: '▶', time: '╌', note: "└ ", wrong: " ◀◀◀", ellipsis: "…" };
const ASCII: Marks = Marks { live: '|', line: '-', head: '>', time: '~', note: "` ", wrong: " <<<", ellipsis: "..." };

/// Draws a counterexample: lanes side by side where there is room, else one step a line.
pub fn draw(example: &Counterexample, drawing: Drawing) -> Vec<Line> {
    let marks = if drawing.ascii { &ASCII } else { &UNICODE };
    let longest =
        example.steps.iter().filter_map(|s| s.reply.as_deref()).map(UnicodeWidthStr::width).max().unwrap_or(0);
    let reply = longest.clamp(8, 30) + marks.wrong.len().min(4);
    let lanes = example.lanes.len().max(1);
    let lane = drawing.width.saturating_sub(NUMBER + 2 + reply) / lanes;
    let pen = Pen { marks, ascii: drawing.ascii, width: drawing.width };
    if lane >= NARROWEST_LANE { pen.wide(example, lane.min(44)) } else { pen.narrow(example) }
}

struct Pen<'m> {
    marks: &'m Marks,
    ascii: bool,
    width: usize,
}

/// A row of cells that later writing goes over.
struct Row {
    cells: Vec<(Tint, String)>,
}

impl Row {
    fn put(&mut self, at: usize, tint: Tint, text: &str) -> usize {
        let mut column = at;
        for c in text.chars() {
            let wide = c.width().unwrap_or(0);
            while self.cells.len() < column + wide {
                self.cells.push((Tint::Plain, " ".to_owned()));
            }
            if wide == 0 {
                continue;
            }
            self.cells[column] = (tint, c.to_string());
            if wide == 2 {
                self.cells[column + 1] = (tint, String::new());
            }
            column += wide;
        }
        column
    }

    fn finish(self) -> Line {
        let mut line: Line = Vec::new();
        for (tint, text) in self.cells {
            match line.last_mut() {
                Some((last, piece)) if *last == tint => piece.push_str(&text),
                _ => line.push((tint, text)),
            }
        }
        if let Some((_, piece)) = line.last_mut() {
            piece.truncate(piece.trim_end().len());
        }
        line
    }
}

fn tint(step: &TraceStep) -> Tint {
    match step.kind {
        _ if step.violates => Tint::Violation,
        StepKind::Command => Tint::Command,
        StepKind::Origin => Tint::Origin,
        StepKind::Request | StepKind::Response => Tint::Request,
        StepKind::Clock | StepKind::Fault => Tint::Fault,
    }
}

impl Pen<'_> {
    fn wide(&self, example: &Counterexample, lane: usize) -> Vec<Line> {
        let start = |index: usize| NUMBER + index * lane;
        let right = start(example.lanes.len()) + 1;
        let mut head = Row { cells: Vec::new() };
        head.put(0, Tint::Dim, " #");
        for (index, name) in example.lanes.iter().enumerate() {
            head.put(start(index), Tint::Heading, &self.cut(name, lane - 1));
        }
        head.put(right, Tint::Heading, "answer");
        let mut lines = vec![head.finish()];
        for (number, step) in example.steps.iter().enumerate() {
            let mut row = Row { cells: Vec::new() };
            row.put(0, Tint::Dim, &format!("{:>2}", number + 1));
            self.live(&mut row, example, number, &start);
            match step.lane {
                Some(index) => self.step(&mut row, step, start(index), right),
                None => self.across(&mut row, step, right),
            }
            lines.push(row.finish());
            if let Some(note) = &step.note {
                let mut row = Row { cells: Vec::new() };
                self.live(&mut row, example, number, &start);
                let at = step.lane.map_or(NUMBER, start);
                let tint = if step.violates { Tint::Violation } else { Tint::Note };
                let text = self.cut(&format!("{}{note}", self.marks.note), self.width.saturating_sub(at));
                row.put(at, tint, &text);
                lines.push(row.finish());
            }
        }
        lines
    }

    /// A mark in every lane that has begun and is not at its end.
    fn live(&self, row: &mut Row, example: &Counterexample, number: usize, start: &dyn Fn(usize) -> usize) {
        for index in 0..example.lanes.len() {
            let mine = |s: &TraceStep| s.lane == Some(index);
            let begun = example.steps[..=number].iter().any(mine);
            if begun && example.steps[number..].iter().any(mine) {
                row.put(start(index), Tint::Dim, &self.marks.live.to_string());
            }
        }
    }

    fn step(&self, row: &mut Row, step: &TraceStep, at: usize, right: usize) {
        let text = self.cut(&step.text, right.saturating_sub(at + 3));
        let end = row.put(at, tint(step), &text);
        let Some(reply) = &step.reply else {
            if step.violates {
                row.put(end, Tint::Violation, self.marks.wrong);
            }
            return;
        };
        // The arrow goes over idle lanes: what it crosses is not touched by it.
        let line: String = std::iter::repeat_n(self.marks.line, (right - 2).saturating_sub(end + 1)).collect();
        row.put(end, Tint::Dim, &format!(" {line}{}", self.marks.head));
        let room = self.width.saturating_sub(right + if step.violates { 4 } else { 0 });
        let end = row.put(right, if step.violates { Tint::Violation } else { Tint::Reply }, &self.cut(reply, room));
        if step.violates {
            row.put(end, Tint::Violation, self.marks.wrong);
        }
    }

    fn across(&self, row: &mut Row, step: &TraceStep, right: usize) {
        let text = self.cut(&step.text, right.saturating_sub(NUMBER + 8));
        let room = right.saturating_sub(NUMBER + text.width() + 2);
        let dashes = |n: usize| std::iter::repeat_n(self.marks.time, n).collect::<String>();
        let line = format!("{} {text} {}", dashes(room / 2), dashes(room - room / 2));
        row.put(NUMBER, tint(step), &line);
    }

    fn narrow(&self, example: &Counterexample) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for (index, name) in example.lanes.iter().enumerate() {
            lines.push(vec![(
                Tint::Heading,
                format!("{}  {}", super::trace::letter(index), self.cut(name, self.width.saturating_sub(3))),
            )]);
        }
        for (number, step) in example.steps.iter().enumerate() {
            let who = step.lane.map_or(self.marks.time.to_string(), |index| super::trace::letter(index).to_string());
            let mut line = vec![(Tint::Dim, format!("{:>2} ", number + 1)), (Tint::Heading, format!("{who} "))];
            let mut left = self.width.saturating_sub(5);
            let wrong = if step.violates { self.marks.wrong } else { "" };
            let text = self.cut(&step.text, left.saturating_sub(wrong.width()));
            left = left.saturating_sub(text.width());
            line.push((tint(step), text));
            if let Some(reply) = &step.reply {
                let arrow = format!(" {}{} ", self.marks.line, self.marks.head);
                let reply = self.cut(reply, self.width.saturating_sub(9));
                let needed = arrow.width() + reply.width() + wrong.width();
                if needed > left {
                    lines.push(std::mem::take(&mut line));
                    line.push((Tint::Plain, "     ".to_owned()));
                }
                line.push((Tint::Dim, arrow));
                line.push((if step.violates { Tint::Violation } else { Tint::Reply }, reply));
            }
            if step.violates {
                line.push((Tint::Violation, wrong.to_owned()));
            }
            lines.push(line);
            if let Some(note) = &step.note {
                let tint = if step.violates { Tint::Violation } else { Tint::Note };
                let text = self.cut(&format!("{}{note}", self.marks.note), self.width.saturating_sub(5));
                lines.push(vec![(Tint::Plain, "     ".to_owned()), (tint, text)]);
            }
        }
        lines
    }

    /// At most `width` columns, with an ellipsis where something was left out.
    fn cut(&self, text: &str, width: usize) -> String {
        let text = if self.ascii { ascii(text) } else { text.to_owned() };
        if text.width() <= width {
            return text;
        }
        let room = width.saturating_sub(self.marks.ellipsis.width());
        let mut used = 0;
        let mut out = String::new();
        for c in text.chars() {
            used += c.width().unwrap_or(0);
            if used > room {
                break;
            }
            out.push(c);
        }
        out + self.marks.ellipsis
    }
}

fn ascii(text: &str) -> String {
    text.replace('…', "...").chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// The lines as text, without tints.
pub fn plain(lines: &[Line]) -> String {
    lines
        .iter()
        .map(|line| line.iter().map(|(_, text)| text.as_str()).collect::<String>())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(lane: Option<usize>, kind: StepKind, text: &str, reply: Option<&str>) -> TraceStep {
        TraceStep { lane, kind, text: text.into(), reply: reply.map(str::to_owned), note: None, violates: false }
    }

    fn example() -> Counterexample {
        let mut steps = vec![
            step(Some(0), StepKind::Command, "SET lock 7f3a NX PX 500", Some("OK")),
            step(Some(0), StepKind::Command, "GET lock", Some("7f3a")),
            step(None, StepKind::Clock, "the TTL of lock elapses", None),
            step(Some(1), StepKind::Command, "SET lock 9b2c NX PX 500", Some("OK")),
            step(Some(0), StepKind::Command, "DEL lock", Some("1")),
            step(Some(1), StepKind::Origin, "PUT /stock/shoe {\"stock\":4}", Some("200 {\"stock\":4}")),
        ];
        steps[3].note = Some("B owns the lock".into());
        steps[4].note = Some("A removed B's lock".into());
        steps[4].violates = true;
        Counterexample {
            headline: "2 buyers".into(),
            lanes: vec!["buyer A (instance 1)".into(), "buyer B (instance 2)".into()],
            steps,
        }
    }

    #[test]
    fn wide() {
        let text = plain(&draw(&example(), Drawing { width: 100, ascii: false }));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn narrow_and_ascii() {
        let text = plain(&draw(&example(), Drawing { width: 50, ascii: true }));
        assert!(text.is_ascii());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn no_line_is_wider_than_asked_for() {
        let mut example = example();
        example.steps[0].text =
            "EVALSHA 3f1a55 2 sale:{shoe-1a2b3c}:lock sale:{shoe-1a2b3c}:fence 9b2c77 29700 日本語日本語日本語".into();
        example.steps[0].reply = Some("a reply that is much longer than any column could ever be, truly".into());
        for width in [20, 37, 60, 80, 100, 133, 200] {
            for line in draw(&example, Drawing { width, ascii: false }) {
                let wide: usize = line.iter().map(|(_, text)| text.width()).sum();
                assert!(wide <= width, "{width}: {wide} {line:?}");
            }
        }
    }
}
