//! A lesson as lines of text, with or without colours.
//!
//! Owns: the layout of blocks in a given width. Must not know: where the lines go, what was done.

mod table;
mod words;

use unicode_width::UnicodeWidthStr;

use super::common::{Ink, printable};
use crate::{
    console::BlockOutcome,
    course::{
        Block, Inline,
        lesson::{AlertKind, Choice, Expected, Predict, Quiz, QuizKind, RedisBlock},
    },
};

/// What to show beside the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Show<'a> {
    /// How to write.
    pub ink: Ink,
    /// Answers and explanations of quizzes.
    pub answers: bool,
    /// What came of each redis block, in order; empty: they were not run, and the lesson's replies are shown.
    pub outcomes: &'a [BlockOutcome],
}

impl Show<'_> {
    /// The text as it stands.
    pub fn text(ink: Ink) -> Self {
        Show { ink, answers: false, outcomes: &[] }
    }
}

/// The blocks in lines of at most `width` columns (code is never broken), with an empty line between blocks.
pub(super) fn blocks(blocks: &[Block], show: Show<'_>, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        // A list belongs to the sentence before it when both stand in a list item.
        if index > 0 {
            lines.push(String::new());
        }
        lines.extend(one(block, show, width));
    }
    lines
}

fn one(block: &Block, show: Show<'_>, width: usize) -> Vec<String> {
    let ink = show.ink;
    match block {
        Block::Heading { level, text } => heading(*level, text, ink, width),
        Block::Paragraph(text) => words::wrap(text, ink, width),
        Block::List { start, items } => list(*start, items, show, width),
        Block::Quote(inner) => prefixed(&bar(ink, "2"), &blocks(inner, show, width.saturating_sub(2))),
        Block::Alert { kind, blocks } => alert(*kind, blocks, show, width),
        Block::Table { align, head, rows } => table::lines(align, head, rows, ink, width),
        Block::Rule => vec![ink.paint("2", &(if ink.drawing { "─" } else { "-" }).repeat(width))],
        Block::Code { text, .. } => text
            .lines()
            .map(|line| {
                format!("    {}", ink.paint("32", &printable(line).replace('\t', "    "))).trim_end().to_owned()
            })
            .collect(),
        Block::Redis(block) => redis(block, show),
        Block::Quiz(quiz) => self::quiz(quiz, show, width),
        Block::Predict(predict) => self::predict(predict, ink, width),
        Block::Lab(id) => vec![format!("{} cachelab lab {id}", ink.paint("1;35", "Lab:"))],
    }
}

fn heading(level: u8, text: &[Inline], ink: Ink, width: usize) -> Vec<String> {
    let marks = "#".repeat(usize::from(level));
    if !ink.colour {
        let lines = words::wrap(text, ink, width.saturating_sub(marks.len() + 1));
        return prefixed_first(&format!("{marks} "), &" ".repeat(marks.len() + 1), &lines);
    }
    let style = if level <= 2 { "1;4" } else { "1" };
    let text: Vec<Inline> = text.iter().map(|i| Inline { text: i.text.clone(), ..Inline::default() }).collect();
    words::wrap(&text, ink, width).iter().map(|line| ink.paint(style, line)).collect()
}

fn list(start: Option<u64>, items: &[Vec<Block>], show: Show<'_>, width: usize) -> Vec<String> {
    let last = start.map(|start| start + items.len() as u64);
    let marker_width = last.map_or(2, |last| last.to_string().len() + 2);
    let loose = items.iter().any(|item| item.iter().filter(|block| matches!(block, Block::Paragraph(_))).count() > 1);
    let mut lines = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if loose && index > 0 {
            lines.push(String::new());
        }
        let bullet = if show.ink.drawing { "•" } else { "-" };
        let marker = start.map_or_else(|| bullet.to_owned(), |start| format!("{}.", start + index as u64));
        let marker = format!("{marker:<marker_width$}");
        let inner = item_lines(item, show, width.saturating_sub(marker_width));
        lines.extend(prefixed_first(&marker, &" ".repeat(marker_width), &inner));
    }
    lines
}

fn item_lines(item: &[Block], show: Show<'_>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for block in item {
        if !lines.is_empty() && !matches!(block, Block::List { .. }) {
            lines.push(String::new());
        }
        lines.extend(one(block, show, width));
    }
    lines
}

fn alert(kind: AlertKind, inner: &[Block], show: Show<'_>, width: usize) -> Vec<String> {
    let (name, style) = match kind {
        AlertKind::Note => ("Note", "34"),
        AlertKind::Tip => ("Tip", "32"),
        AlertKind::Important => ("Important", "35"),
        AlertKind::Warning => ("Warning", "33"),
        AlertKind::Caution => ("Caution", "31"),
    };
    let mut lines = vec![show.ink.paint(&format!("1;{style}"), name)];
    lines.extend(blocks(inner, show, width.saturating_sub(2)));
    prefixed(&bar(show.ink, style), &lines)
}

/// The commands as at a prompt, each with what it answers: what the lesson says, or what came.
fn redis(block: &RedisBlock, show: Show<'_>) -> Vec<String> {
    let ink = show.ink;
    let outcome = show.outcomes.get(block.index);
    let mut lines = Vec::new();
    for (index, step) in block.steps.iter().enumerate() {
        lines.push(format!("    {} {}", ink.paint("2", "redis>"), ink.paint("1", &printable(&step.command))));
        let came = outcome.and_then(|outcome| outcome.steps.get(index));
        let replies: Vec<String> = match (outcome, came) {
            (Some(_), Some(step)) => step.reply.iter().map(crate::console::ReplyLine::text).collect(),
            (Some(_), None) => Vec::new(),
            (None, _) => step.expected.iter().map(expected).collect(),
        };
        lines.extend(replies.iter().map(|line| format!("    {}", printable(line)).trim_end().to_owned()));
        if came.is_some_and(|step| !step.matched) {
            let says = step.expected.iter().map(expected).collect::<Vec<_>>().join(" / ");
            lines.push(ink.paint("31", &format!("    not what the lesson says: {says}")));
        }
    }
    let stopped = outcome.and_then(|outcome| outcome.stopped.as_deref());
    lines.extend(stopped.map(|reason| ink.paint("31", &format!("    stopped: {}", printable(reason)))));
    lines
}

fn expected(line: &Expected) -> String {
    match line {
        Expected::Exact(line) => printable(line),
        Expected::Pattern(pattern) => printable(&pattern.replace('*', "…")),
    }
}

fn quiz(quiz: &Quiz, show: Show<'_>, width: usize) -> Vec<String> {
    let ink = show.ink;
    let task = match &quiz.kind {
        QuizKind::Single(_) => "pick one".to_owned(),
        QuizKind::Multiple(_) => "pick all that apply".to_owned(),
        QuizKind::Ordering(_) => "put in order".to_owned(),
        QuizKind::Numeric { unit, .. } if unit.is_empty() => "a number".to_owned(),
        QuizKind::Numeric { unit, .. } => format!("a number, in {unit}"),
    };
    let mut lines = vec![format!("{} ({task})", ink.paint("1;34", "Question"))];
    lines.extend(words::wrap(&quiz.question, ink, width));
    match &quiz.kind {
        QuizKind::Single(choices) | QuizKind::Multiple(choices) => lines.extend(choice_lines(choices, show, width)),
        QuizKind::Ordering(choices) => lines.extend(ordering_lines(choices, show, width)),
        QuizKind::Numeric { answer, unit, .. } if show.answers => {
            lines.push(format!("  {}", ink.paint("32", format!("right: {answer} {unit}").trim_end())));
        }
        QuizKind::Numeric { .. } => {}
    }
    if show.answers {
        lines.extend(prefixed("  ", &words::wrap(&quiz.explanation, ink, width.saturating_sub(2))));
    }
    lines
}

fn choice_lines(choices: &[Choice], show: Show<'_>, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (letter, choice) in ('a'..).zip(choices) {
        let text = words::wrap(&choice.text, show.ink, width.saturating_sub(5));
        lines.extend(prefixed_first(&format!("  {letter}) "), "     ", &text));
        if show.answers {
            let verdict = if choice.correct { show.ink.paint("32", "right") } else { show.ink.paint("31", "wrong") };
            let because = words::wrap(&choice.because, show.ink, width.saturating_sub(12));
            if because.is_empty() {
                lines.push(format!("     {verdict}"));
            } else {
                lines.extend(prefixed_first(&format!("     {verdict}: "), "            ", &because));
            }
        }
    }
    lines
}

/// The choices stand in the right order in the course: shown sorted by a fixed hash instead, and never as they stand.
fn ordering_lines(choices: &[Choice], show: Show<'_>, width: usize) -> Vec<String> {
    let mut order: Vec<usize> = (0..choices.len()).collect();
    if !show.answers {
        let hash = |choice: &Choice| {
            let bytes = choice.text.iter().flat_map(|inline| inline.text.bytes());
            bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        };
        order.sort_by_key(|index| hash(&choices[*index]));
        if order.is_sorted() && order.len() > 1 {
            order.rotate_left(1);
        }
    }
    let mut lines = Vec::new();
    for (position, index) in order.into_iter().enumerate() {
        let marker = if show.answers { format!("  {}. ", position + 1) } else { "  - ".to_owned() };
        let text = words::wrap(&choices[index].text, show.ink, width.saturating_sub(marker.len()));
        lines.extend(prefixed_first(&marker, &" ".repeat(marker.len()), &text));
    }
    lines
}

fn predict(predict: &Predict, ink: Ink, width: usize) -> Vec<String> {
    let unit = if predict.unit.is_empty() { String::new() } else { format!(" (in {})", predict.unit) };
    let mut lines = vec![format!("{}{unit}", ink.paint("1;35", "Predict before you run the lab"))];
    lines.extend(words::wrap(&predict.question, ink, width));
    lines
}

fn bar(ink: Ink, style: &str) -> String {
    if ink.drawing { format!("{} ", ink.paint(style, "│")) } else { "> ".to_owned() }
}

fn prefixed(prefix: &str, lines: &[String]) -> Vec<String> {
    prefixed_first(prefix, prefix, lines)
}

fn prefixed_first(first: &str, rest: &str, lines: &[String]) -> Vec<String> {
    let prefix = |index| if index == 0 { first } else { rest };
    let line = |(index, line): (usize, &String)| {
        if line.is_empty() { prefix(index).trim_end().to_owned() } else { format!("{}{line}", prefix(index)) }
    };
    lines.iter().enumerate().map(line).collect()
}

/// A paragraph of plain text, wrapped.
pub(super) fn paragraph(text: &str, ink: Ink, width: usize) -> Vec<String> {
    words::wrap(&[Inline { text: text.to_owned(), ..Inline::default() }], ink, width)
}

/// Pads to a number of columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}
