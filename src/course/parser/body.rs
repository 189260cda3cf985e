//! The markdown after the front matter, block by block.

use std::{iter::Peekable, ops::Range};

use pulldown_cmark::{Alignment, BlockQuoteKind, CodeBlockKind, Event, HeadingLevel, OffsetIter, Parser, Tag, TagEnd};

use super::{
    Body,
    fence::{self, Fence, Seen},
    inline::{Collector, HTML, options},
};
use crate::course::{
    Block, Inline,
    lesson::{AlertKind, Align, anchor, plain},
    load::File,
};

/// Reads the body that starts at byte `start` of the file.
pub(super) fn read(file: &File, start: usize) -> Body {
    let events = Parser::new_ext(&file.text[start..], options()).into_offset_iter().peekable();
    let mut reader = Reader {
        file,
        start,
        events,
        body: Body::default(),
        seen: Seen::default(),
        level: 1,
        depth: 0,
        anchors: Vec::new(),
    };
    let blocks = reader.blocks();
    if blocks.is_empty() && reader.body.mistakes.is_empty() {
        reader.mistake(0..0, "the lesson has no text", None);
    }
    reader.body.blocks = blocks;
    reader.body
}

struct Reader<'a> {
    file: &'a File,
    /// Offset of the body in the file.
    start: usize,
    events: Peekable<OffsetIter<'a>>,
    body: Body,
    seen: Seen,
    /// Level of the heading before.
    level: u8,
    /// Lists, quotes and tables around the present block.
    depth: usize,
    /// Of the headings so far.
    anchors: Vec<String>,
}

impl Reader<'_> {
    /// Blocks up to and with the end of the container (or of the file).
    fn blocks(&mut self) -> Vec<Block> {
        let mut blocks = Vec::new();
        while let Some((event, range)) = self.events.next() {
            match event {
                Event::End(_) => break,
                Event::Start(tag) if !is_inline(&tag) => blocks.extend(self.block(tag, range)),
                Event::Rule => blocks.push(Block::Rule),
                // A tight list item holds its text without a paragraph.
                event => {
                    let text = self.inlines(Some((event, range)));
                    blocks.push(Block::Paragraph(text));
                }
            }
        }
        blocks
    }

    fn block(&mut self, tag: Tag<'_>, range: Range<usize>) -> Option<Block> {
        Some(match tag {
            Tag::Paragraph => Block::Paragraph(self.closed_inlines()),
            Tag::Heading { level, .. } => self.heading(level, range),
            Tag::BlockQuote(kind) => {
                let blocks = self.nested();
                match kind {
                    Some(kind) => Block::Alert { kind: alert(kind), blocks },
                    None => Block::Quote(blocks),
                }
            }
            Tag::List(start) => Block::List { start, items: self.items() },
            Tag::Table(align) => self.table(&align),
            Tag::CodeBlock(kind) => return self.code(&kind, range),
            Tag::HtmlBlock => {
                self.html(range);
                return None;
            }
            _ => {
                self.mistake(range, "this kind of markdown is not known to lessons", None);
                self.blocks();
                return None;
            }
        })
    }

    fn nested(&mut self) -> Vec<Block> {
        self.depth += 1;
        let blocks = self.blocks();
        self.depth -= 1;
        blocks
    }

    fn items(&mut self) -> Vec<Vec<Block>> {
        let mut items = Vec::new();
        while let Some((event, _)) = self.events.next() {
            match event {
                Event::Start(Tag::Item) => items.push(self.nested()),
                _ => break,
            }
        }
        items
    }

    fn heading(&mut self, level: HeadingLevel, range: Range<usize>) -> Block {
        let level = level as u8;
        let text = self.closed_inlines();
        let name = plain(&text);
        if self.depth > 0 {
            self.mistake(
                range.clone(),
                "a heading inside a list or quote",
                Some("move it out, or make it **strong** text"),
            );
        }
        if level == 1 {
            let help = "the title is in the front matter; sections begin with ##";
            self.mistake(range.clone(), "a heading of level 1", Some(help));
        } else if level > self.level + 1 {
            let message = format!("heading of level {level} under one of level {}", self.level);
            self.mistake(range.clone(), message, Some("go down one level at a time"));
        }
        if name.trim().is_empty() {
            self.mistake(range.clone(), "a heading without text", None);
        }
        let anchor = anchor(&name);
        if self.anchors.contains(&anchor) {
            let help = "links and checks point to headings by name: give it another";
            self.mistake(range, format!("a second heading {name:?}"), Some(help));
        }
        self.anchors.push(anchor);
        self.level = level.max(2);
        Block::Heading { level, text }
    }

    fn table(&mut self, align: &[Alignment]) -> Block {
        let (mut head, mut rows, mut cells) = (Vec::new(), Vec::new(), Vec::new());
        while let Some((event, _)) = self.events.next() {
            match event {
                Event::Start(Tag::TableCell) => cells.push(self.closed_inlines()),
                Event::End(TagEnd::TableHead) => head = std::mem::take(&mut cells),
                Event::End(TagEnd::TableRow) => rows.push(std::mem::take(&mut cells)),
                Event::End(TagEnd::Table) => break,
                _ => {}
            }
        }
        let align = align.iter().map(|a| match a {
            Alignment::None | Alignment::Left => Align::Left,
            Alignment::Center => Align::Centre,
            Alignment::Right => Align::Right,
        });
        Block::Table { align: align.collect(), head, rows }
    }

    fn code(&mut self, kind: &CodeBlockKind<'_>, range: Range<usize>) -> Option<Block> {
        let mut fence = Fence::default();
        for (event, range) in self.events.by_ref() {
            match event {
                Event::Text(text) => fence.push(&text, self.start + range.start),
                _ => break,
            }
        }
        let CodeBlockKind::Fenced(info) = kind else {
            return Some(Block::Code { language: String::new(), text: fence.text.trim_end_matches('\n').to_owned() });
        };
        let place = self.start + range.start..self.start + range.end;
        let opening = self.file.text[place.clone()].lines().next().unwrap_or("").len();
        info.trim().clone_into(&mut fence.info);
        fence.opening = place.start..place.start + opening;
        fence.nested = self.depth > 0;
        if !is_closed(&self.file.text[place]) {
            let help = "a fence ends with a line of as many ` or ~ as it began with";
            self.mistake(range.start..range.start + opening, "this fence is never closed", Some(help));
        }
        fence::block(self.file, &fence, &mut self.seen, &mut self.body)
    }

    /// A comment is for authors; other HTML has nowhere to go.
    fn html(&mut self, range: Range<usize>) {
        for (event, _) in self.events.by_ref() {
            if matches!(event, Event::End(_)) {
                break;
            }
        }
        if !self.file.text[self.start..][range.clone()].trim_start().starts_with("<!--") {
            self.mistake(range, HTML, None);
        }
    }

    /// Inline content and the end of the block around it.
    fn closed_inlines(&mut self) -> Vec<Inline> {
        let inlines = self.inlines(None);
        self.events.next();
        inlines
    }

    /// Inline content, up to what is not.
    fn inlines(&mut self, first: Option<(Event<'_>, Range<usize>)>) -> Vec<Inline> {
        let mut collector = Collector::default();
        if let Some((event, range)) = first {
            collector.take(&event, &range);
        }
        while let Some((event, range)) = self.events.peek() {
            if !collector.take(event, range) {
                break;
            }
            self.events.next();
        }
        let start = self.start;
        let links = collector.links.drain(..);
        self.body.links.extend(links.map(|(target, r)| (target, r.start + start..r.end + start)));
        for (message, range) in std::mem::take(&mut collector.refused) {
            self.mistake(range, message, None);
        }
        collector.finish()
    }

    /// A mistake at a place in the body.
    fn mistake(&mut self, range: Range<usize>, message: impl Into<String>, help: Option<&str>) {
        let text = &self.file.text[self.start..];
        // A block's range takes its line break along: the carets should not.
        let end = range.start + text[range.clone()].trim_end().len();
        let mut mistake = self.file.mistake(range.start + self.start..end + self.start, message);
        mistake.help = help.map(str::to_owned);
        self.body.mistakes.push(mistake);
    }
}

fn is_inline(tag: &Tag<'_>) -> bool {
    matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. })
}

fn alert(kind: BlockQuoteKind) -> AlertKind {
    match kind {
        BlockQuoteKind::Note => AlertKind::Note,
        BlockQuoteKind::Tip => AlertKind::Tip,
        BlockQuoteKind::Important => AlertKind::Important,
        BlockQuoteKind::Warning => AlertKind::Warning,
        BlockQuoteKind::Caution => AlertKind::Caution,
    }
}

fn is_closed(block: &str) -> bool {
    let mut lines = block.trim_end().lines();
    let opening = lines.next().unwrap_or("").trim_start();
    let marker = opening.chars().next().unwrap_or('`');
    let width = opening.chars().take_while(|c| *c == marker).count();
    lines.next_back().is_some_and(|last| {
        let last = last.trim_start_matches([' ', '>']).trim_end();
        last.len() >= width && last.chars().all(|c| c == marker)
    })
}
