//! A lesson's blocks into lines of a given width.
//!
//! Owns: headings, text, lists, quotes, alerts, code, and where everything that can have the focus ended up.
//! Tables are in `table`, blocks that can be answered or run in `card`. Must not know: scrolling, screens.

use std::{collections::HashMap, ops::Range};

use ratatui::{
    style::{Modifier, Style},
    text::{Line, Span},
};

use super::{
    card::{self, Cards},
    highlight::Coloured,
    table,
    wrap::{Run, Wrapped, wrap},
};
use crate::{
    course::{Block, Inline, UnitId, lesson::AlertKind},
    tui::{
        text,
        theme::{Role, Theme},
    },
};

/// A lesson laid out for one width.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// All lines.
    pub lines: Vec<Line<'static>>,
    /// Everything that can have the focus, in order.
    pub spots: Vec<Spot>,
    /// First line of each top-level block.
    pub blocks: Vec<usize>,
    /// First line of each heading, with level and text.
    pub headings: Vec<(usize, u8, String)>,
}

/// Something that can have the focus.
#[derive(Debug, Clone, PartialEq)]
pub struct Spot {
    /// What it is.
    pub kind: SpotKind,
    /// Its lines.
    pub rows: Range<usize>,
    /// For links: line and columns; for choices of a quiz: line and columns of each choice, in order.
    pub cells: Vec<(usize, Range<u16>)>,
}

/// What has the focus; its identity survives a new layout.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SpotKind {
    /// The n-th redis block.
    Redis(usize),
    /// A quiz by its id.
    Quiz(String),
    /// A prediction by its id.
    Predict(String),
    /// A way into a lab.
    Lab(UnitId),
    /// The n-th link, and where it leads.
    Link(usize, String),
}

/// What the layout needs beside the blocks: everything that changes while reading.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// How things look.
    pub theme: Theme,
    /// Highlighted code by [`code_key`].
    pub code: &'a HashMap<u64, Option<Coloured>>,
    /// Answers, guesses and runs.
    pub cards: &'a Cards,
}

/// Identity of a code block for the cache of highlighted code.
pub fn code_key(language: &str, text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (language, text).hash(&mut hasher);
    hasher.finish()
}

/// All code blocks of a document, also nested ones: language and text.
pub fn code_blocks(blocks: &[Block]) -> Vec<(String, String)> {
    blocks
        .iter()
        .flat_map(|block| match block {
            Block::Code { language, text } => vec![(language.clone(), text.clone())],
            Block::List { items, .. } => items.iter().flat_map(|item| code_blocks(item)).collect(),
            Block::Quote(blocks) | Block::Alert { blocks, .. } => code_blocks(blocks),
            _ => Vec::new(),
        })
        .collect()
}

/// Lays blocks out.
pub fn layout(blocks: &[Block], width: u16, context: Context<'_>) -> Document {
    titled(None, blocks, width, context)
}

/// Lays blocks out under a title and a line about it.
pub fn titled(head: Option<(&str, &str)>, blocks: &[Block], width: u16, context: Context<'_>) -> Document {
    let mut composer = Composer::new(usize::from(width).max(8), context);
    if let Some((title, about)) = head {
        let text = |text: &str| [Inline { text: text.to_owned(), ..Inline::default() }];
        let (bold, dim) = (composer.style(Role::Title), composer.style(Role::Dim));
        composer.paragraph(&text(title), bold);
        composer.paragraph(&text(about), dim);
        composer.blank();
    }
    composer.blocks(blocks);
    while composer.document.lines.last().is_some_and(|line| line.width() == 0) {
        composer.document.lines.pop();
    }
    composer.document
}

/// What stands before a line: once, then on all further lines.
#[derive(Debug, Clone)]
struct Prefix {
    first: Option<Span<'static>>,
    rest: Span<'static>,
}

/// Builds a document line by line under a stack of prefixes.
pub(super) struct Composer<'a> {
    pub(super) context: Context<'a>,
    pub(super) document: Document,
    width: usize,
    prefixes: Vec<Prefix>,
    links: usize,
    depth: usize,
}

impl Document {
    /// The first line of a block; the first block begins with the title.
    pub fn row_of(&self, block: usize) -> usize {
        if block == 0 { 0 } else { self.blocks.get(block).copied().unwrap_or(0) }
    }
}

impl<'a> Composer<'a> {
    fn new(width: usize, context: Context<'a>) -> Self {
        Self { context, document: Document::default(), width, prefixes: Vec::new(), links: 0, depth: 0 }
    }

    pub(super) fn style(&self, role: Role) -> Style {
        self.context.theme.style(role)
    }

    /// Columns left for content.
    pub(super) fn room(&self) -> usize {
        self.width.saturating_sub(self.indent()).max(4)
    }

    fn indent(&self) -> usize {
        self.prefixes.iter().map(|prefix| text::width(&prefix.rest.content)).sum()
    }

    pub(super) fn row(&self) -> usize {
        self.document.lines.len()
    }

    /// Writes one line under the prefixes.
    pub(super) fn line(&mut self, spans: Vec<Span<'static>>) {
        let mut all: Vec<Span<'static>> =
            self.prefixes.iter_mut().map(|prefix| prefix.first.take().unwrap_or_else(|| prefix.rest.clone())).collect();
        all.extend(spans);
        self.document.lines.push(Line::from(all));
    }

    pub(super) fn blank(&mut self) {
        self.line(Vec::new());
    }

    /// Runs `body` with a prefix on every line.
    pub(super) fn with_prefix(
        &mut self,
        first: Option<Span<'static>>,
        rest: Span<'static>,
        body: impl FnOnce(&mut Self),
    ) {
        self.prefixes.push(Prefix { first, rest });
        body(self);
        self.prefixes.pop();
    }

    fn blocks(&mut self, blocks: &[Block]) {
        for (at, block) in blocks.iter().enumerate() {
            if self.prefixes.is_empty() {
                self.document.blocks.push(self.row());
            }
            self.block(block);
            let tight = self.depth > 0 && !matches!(block, Block::Code { .. } | Block::Table { .. });
            if at + 1 < blocks.len() && !tight {
                self.blank();
            }
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading { level, text } => self.heading(*level, text),
            Block::Paragraph(inlines) => self.paragraph(inlines, Style::new()),
            Block::List { start, items } => self.list(*start, items),
            Block::Quote(blocks) => {
                let bar = Span::styled(format!("{} ", self.context.theme.glyphs().bar), self.style(Role::Dim));
                self.with_prefix(None, bar, |c| c.blocks(blocks));
            }
            Block::Alert { kind, blocks } => self.alert(*kind, blocks),
            Block::Table { align, head, rows } => table::table(self, align, head, rows),
            Block::Rule => {
                let rule = self.context.theme.glyphs().rule.repeat(self.room().min(24));
                self.line(vec![Span::styled(rule, self.style(Role::Dim))]);
            }
            Block::Code { language, text } => self.code(language, text),
            Block::Redis(block) => card::redis(self, block),
            Block::Quiz(quiz) => card::quiz(self, quiz),
            Block::Predict(predict) => card::predict(self, predict),
            Block::Lab(unit) => card::lab(self, unit),
        }
    }

    fn heading(&mut self, level: u8, inlines: &[Inline]) {
        let style = self.style(if level <= 1 { Role::Title } else { Role::Heading });
        let title: String = inlines.iter().map(|inline| inline.text.as_str()).collect();
        self.document.headings.push((self.row(), level, text::clean(&title).into_owned()));
        let width = self.room();
        let lines = wrap(&[Run { text: title.clone(), style, link: None }], width);
        let longest = lines.iter().map(|line| line.width).max().unwrap_or(0);
        for line in lines {
            self.line(line.spans);
        }
        if level <= 2 {
            let rule = self.context.theme.glyphs().rule.repeat(longest);
            self.line(vec![Span::styled(rule, self.style(Role::Dim))]);
        }
    }

    /// Wraps inlines under the prefixes; links become spots.
    pub(super) fn paragraph(&mut self, inlines: &[Inline], base: Style) {
        let (runs, targets) = self.runs(inlines, base);
        let width = self.room();
        let lines = wrap(&runs, width);
        self.wrapped(lines, &targets);
    }

    /// Writes wrapped lines and registers their links.
    fn wrapped(&mut self, lines: Vec<Wrapped>, targets: &[(usize, String)]) {
        let indent = self.indent() as u16;
        let first = self.row();
        let mut cells: HashMap<usize, Vec<(usize, Range<u16>)>> = HashMap::new();
        for line in lines {
            let row = self.row();
            for (link, from, to) in &line.links {
                cells.entry(*link).or_default().push((row, indent + from..indent + to));
            }
            self.line(line.spans);
        }
        for (number, target) in targets {
            let cells = cells.remove(number).unwrap_or_default();
            let rows = cells.first().map_or(first, |(row, _)| *row)..cells.last().map_or(first, |(row, _)| *row) + 1;
            self.document.spots.push(Spot { kind: SpotKind::Link(*number, target.clone()), rows, cells });
        }
    }

    /// Inlines as runs, and the links in them by number.
    pub(super) fn runs(&mut self, inlines: &[Inline], base: Style) -> (Vec<Run>, Vec<(usize, String)>) {
        let mut targets: Vec<(usize, String)> = Vec::new();
        let mut previous: Option<&str> = None;
        let mut runs = Vec::with_capacity(inlines.len());
        for inline in inlines {
            let link = inline.link.as_deref().map(|target| {
                if previous != Some(target) {
                    targets.push((self.links, target.to_owned()));
                    self.links += 1;
                }
                self.links - 1
            });
            previous = inline.link.as_deref();
            runs.push(Run { text: inline.text.clone(), style: self.inline_style(inline, base), link });
        }
        (runs, targets)
    }

    /// The style of one inline.
    pub(super) fn inline_style(&self, inline: &Inline, base: Style) -> Style {
        let mut style = base;
        if inline.code {
            style = style.patch(self.style(Role::Code));
        }
        if inline.link.is_some() {
            style = style.patch(self.style(Role::Link));
        }
        let flags = [
            (inline.strong, Modifier::BOLD),
            (inline.emphasis, Modifier::ITALIC),
            (inline.strikethrough, Modifier::CROSSED_OUT),
        ];
        flags.iter().filter(|(on, _)| *on).fold(style, |style, (_, modifier)| style.add_modifier(*modifier))
    }

    fn list(&mut self, start: Option<u64>, items: &[Vec<Block>]) {
        let glyphs = self.context.theme.glyphs();
        let widest = start.map_or(0, |start| (start + items.len() as u64).saturating_sub(1).to_string().len());
        let spaced = items.iter().any(|item| item.len() > 1 && !matches!(item.get(1), Some(Block::List { .. })));
        for (at, item) in items.iter().enumerate() {
            let marker = match start {
                Some(start) => format!("{:>widest$}. ", start + at as u64),
                None => format!("{} ", glyphs.bullets[self.depth.min(2)]),
            };
            let rest = Span::raw(" ".repeat(text::width(&marker)));
            let first = Span::styled(marker, self.style(Role::Dim));
            self.depth += 1;
            self.with_prefix(Some(first), rest, |c| c.blocks(item));
            self.depth -= 1;
            if spaced && at + 1 < items.len() {
                self.blank();
            }
        }
    }

    fn alert(&mut self, kind: AlertKind, blocks: &[Block]) {
        let (title, role) = match kind {
            AlertKind::Note => ("Note", Role::Info),
            AlertKind::Tip => ("Tip", Role::Good),
            AlertKind::Important => ("Important", Role::Important),
            AlertKind::Warning => ("Warning", Role::Warn),
            AlertKind::Caution => ("Caution", Role::Bad),
        };
        let style = self.style(role);
        let bar = Span::styled(format!("{} ", self.context.theme.glyphs().thick), style);
        self.with_prefix(None, bar, |c| {
            c.line(vec![Span::styled(title, style.add_modifier(Modifier::BOLD))]);
            c.blocks(blocks);
        });
    }

    fn code(&mut self, language: &str, code: &str) {
        let known = self.context.code.get(&code_key(language, code)).and_then(Option::as_ref).cloned();
        let bar = Span::styled(format!("{} ", self.context.theme.glyphs().bar), self.style(Role::Border));
        self.with_prefix(None, bar, |c| match known {
            Some(lines) => {
                for line in lines {
                    let spans = line
                        .into_iter()
                        .map(|(role, piece)| Span::styled(text::clean(&piece).into_owned(), c.style(role)));
                    c.code_line(spans.collect());
                }
            }
            None => {
                for line in code.split('\n') {
                    c.code_line(vec![Span::styled(text::clean(line).into_owned(), c.style(Role::Code))]);
                }
            }
        });
    }

    /// One line of code: what does not fit goes on below, marked, so that nothing is hidden.
    pub(super) fn code_line(&mut self, spans: Vec<Span<'static>>) {
        let room = self.room();
        let mut line: Vec<Span<'static>> = Vec::new();
        let mut used = 0;
        for span in spans {
            let mut rest: &str = &span.content;
            while !rest.is_empty() {
                let (head, wide) = text::prefix(rest, room - used);
                if !head.is_empty() {
                    line.push(Span::styled(head.to_owned(), span.style));
                    used += wide;
                }
                rest = &rest[head.len()..];
                if !rest.is_empty() {
                    if head.is_empty() && used <= 2 {
                        break;
                    }
                    self.line(std::mem::take(&mut line));
                    line.push(Span::styled("  ", self.style(Role::Dim)));
                    used = 2;
                }
            }
        }
        self.line(line);
    }
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;
