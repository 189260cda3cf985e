//! The terminal format, produced element by element from the frame's bytes.
//!
//! A printer keeps a frame and a stack of positions, so a page of a million-element reply costs one
//! page, and the next page goes on where the last one ended.

use super::{
    super::event::{ReplyLine, Span, Token},
    repr::{Repr, clipped, label, printable, quote},
};
use crate::resp::{Frame, Items, Node};

/// Where printed text goes.
pub trait Sink {
    /// A piece of the current line.
    fn text(&mut self, token: Token, bytes: &[u8]);
    /// The current line is whole.
    fn newline(&mut self);
}

/// Exact bytes, as redis-cli writes them.
impl Sink for Vec<u8> {
    fn text(&mut self, _token: Token, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn newline(&mut self) {
        self.push(b'\n');
    }
}

/// Lines with token classes, safe to draw.
#[derive(Debug, Default)]
struct Lines {
    done: Vec<ReplyLine>,
    current: ReplyLine,
}

impl Sink for Lines {
    fn text(&mut self, token: Token, bytes: &[u8]) {
        for (index, part) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if index > 0 {
                self.newline();
            }
            let part = part.strip_suffix(b"\r").unwrap_or(part);
            if part.is_empty() {
                continue;
            }
            let text = printable(part);
            match self.current.spans.last_mut() {
                Some(last) if last.token == token => last.text.push_str(&text),
                _ => self.current.spans.push(Span { token, text }),
            }
        }
    }

    fn newline(&mut self) {
        self.done.push(std::mem::take(&mut self.current));
    }
}

/// The lines of a reply that is shown as it is on a terminal too: INFO, CLIENT LIST, ….
pub fn lines_of_raw(text: &[u8]) -> Vec<ReplyLine> {
    let mut lines = Lines::default();
    lines.text(Token::Plain, text);
    if !lines.current.spans.is_empty() {
        lines.newline();
    }
    lines.done
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Set,
    Map,
    Attributes,
}

#[derive(Debug)]
struct Level {
    kind: Kind,
    /// Values to come; of a map keys and values each.
    remaining: usize,
    /// Elements or pairs begun.
    begun: usize,
    /// Columns of the largest index.
    width: usize,
    /// Blanks before this aggregate's lines.
    indent: usize,
}

impl Level {
    fn expects_value(&self) -> bool {
        matches!(self.kind, Kind::Map | Kind::Attributes) && self.remaining % 2 == 1
    }
}

/// Prints one frame, as much at a time as is asked for.
#[derive(Debug)]
pub struct Printer {
    frame: Frame,
    repr: Repr,
    offset: usize,
    stack: Vec<Level>,
    begun: bool,
    /// A scalar was written; its line is not ended yet, for ` => ` may follow.
    open_line: bool,
    lines: Lines,
}

impl Printer {
    /// A printer at the frame's beginning.
    pub fn new(frame: Frame, repr: Repr) -> Self {
        Self { frame, repr, offset: 0, stack: Vec::new(), begun: false, open_line: false, lines: Lines::default() }
    }

    /// Up to `limit` further lines; fewer only at the end (and a few more where one value has several).
    pub fn take_lines(&mut self, limit: usize) -> Vec<ReplyLine> {
        let mut lines = std::mem::take(&mut self.lines);
        while lines.done.len() < limit && self.step(&mut lines) {}
        let done = std::mem::take(&mut lines.done);
        self.lines = lines;
        done
    }

    /// Everything (still) to come.
    pub fn write_all(&mut self, sink: &mut impl Sink) {
        while self.step(sink) {}
    }

    /// Elements of the outermost aggregate that were not begun; `None` when all is printed.
    pub fn unshown(&self) -> Option<usize> {
        if self.begun && self.stack.is_empty() && !self.open_line {
            return None;
        }
        // The line that is open now is not shown yet; where it is an element of the outermost
        // aggregate, that element is not either.
        let open = usize::from(self.open_line && self.stack.len() == 1);
        Some(self.stack.first().map_or(0, |level| match level.kind {
            Kind::Map | Kind::Attributes => level.remaining / 2 + open,
            _ => level.remaining + open,
        }))
    }

    /// Writes one scalar with all that stands before it; false at the end.
    fn step(&mut self, sink: &mut impl Sink) -> bool {
        while self.stack.last().is_some_and(|level| level.remaining == 0) {
            let level = self.stack.pop();
            if level.is_some_and(|level| level.kind == Kind::Attributes) {
                // The attributes are printed; the value they describe, which took its place among the
                // elements with them, follows on a line of its own.
                self.end_line(sink);
                let indent = self.stack.last().map_or(0, |level| level.indent + level.width + 2);
                sink.text(Token::Index, &b" ".repeat(indent));
                self.value(false, sink);
                return true;
            }
        }
        if self.begun && self.stack.is_empty() {
            let open = self.open_line;
            self.end_line(sink);
            return open;
        }
        self.value(true, sink);
        true
    }

    fn end_line(&mut self, sink: &mut impl Sink) {
        if std::mem::take(&mut self.open_line) {
            sink.newline();
        }
    }

    /// Begins the next value: what stands before it (if it is an `element`), then the scalar, or the
    /// first scalar inside it.
    fn value(&mut self, mut element: bool, sink: &mut impl Sink) {
        let frame = self.frame.clone();
        let mut first_inside = false;
        self.begun = true;
        loop {
            let (node, next) = frame.node_at(self.offset);
            self.offset = next;
            if std::mem::replace(&mut element, true) {
                self.before(&node, first_inside, sink);
            }
            let Some(level) = self.open(&node) else {
                self.scalar(&node, sink);
                self.open_line = true;
                return;
            };
            self.stack.push(level);
            first_inside = true;
        }
    }

    /// Index, ` => ` and indentation before a value of the aggregate on top.
    fn before(&mut self, node: &Node<'_>, first: bool, sink: &mut impl Sink) {
        let Some(level) = self.stack.last_mut() else { return };
        let inner = level.indent + level.width + 2;
        if level.expects_value() {
            level.remaining -= 1;
            self.open_line = false;
            sink.text(Token::Index, b" => ");
            if is_multiline(node) {
                sink.newline();
                sink.text(Token::Index, &b" ".repeat(inner));
            }
            return;
        }
        let indent = if first { 0 } else { level.indent };
        level.remaining -= 1;
        level.begun += 1;
        let mark = match level.kind {
            Kind::List => ')',
            Kind::Set => '~',
            Kind::Map => '#',
            Kind::Attributes => '|',
        };
        let index = format!("{:indent$}{:>width$}{mark} ", "", level.begun, width = level.width);
        if std::mem::take(&mut self.open_line) {
            sink.newline();
        }
        sink.text(Token::Index, index.as_bytes());
    }

    /// The level a non-empty aggregate opens.
    fn open(&self, node: &Node<'_>) -> Option<Level> {
        let (kind, remaining) = match node {
            Node::Array(items) | Node::Push(items) => (Kind::List, items.count_left()),
            Node::Set(items) => (Kind::Set, items.count_left()),
            Node::Map(items) => (Kind::Map, items.count_left()),
            Node::Attributed(inner) => (Kind::Attributes, inner.attributes().count_left()),
            _ => return None,
        };
        if remaining == 0 && kind != Kind::Attributes {
            return None;
        }
        let elements = if matches!(kind, Kind::Map | Kind::Attributes) { remaining / 2 } else { remaining };
        let indent = self.stack.last().map_or(0, |level| level.indent + level.width + 2);
        Some(Level { kind, remaining, begun: 0, width: elements.to_string().len(), indent })
    }

    fn scalar(&self, node: &Node<'_>, sink: &mut impl Sink) {
        let is_key = self.stack.last().is_some_and(Level::expects_value);
        let mut labelled = |(token, text): (Token, &[u8]), value_token, value: &[u8]| {
            sink.text(token, text);
            sink.text(value_token, value);
        };
        match node {
            Node::Simple(text) => sink.text(Token::Status, text),
            Node::Error(text) | Node::BulkError(text) => {
                sink.text(Token::Error, b"(error) ");
                sink.text(Token::Error, text);
            }
            Node::Integer(text) => labelled(label("(integer) "), Token::Number, text),
            Node::Double(text) => labelled(label("(double) "), Token::Number, text),
            Node::BigNumber(text) => labelled(label("(big number) "), Token::Number, text),
            Node::Bulk(text) => {
                let mut quoted = Vec::with_capacity(text.len().min(self.repr.clip.unwrap_or(usize::MAX)) + 2);
                quote(text, self.repr, &mut quoted);
                sink.text(if is_key { Token::Key } else { Token::Text }, &quoted);
            }
            Node::Verbatim { text, .. } => self.verbatim(text, sink),
            Node::Boolean(yes) => sink.text(Token::Number, if *yes { b"(true)" } else { b"(false)" }),
            Node::Null(_) => sink.text(Token::Nil, b"(nil)"),
            Node::Array(_) => sink.text(Token::Nil, b"(empty array)"),
            Node::Set(_) => sink.text(Token::Nil, b"(empty set)"),
            Node::Map(_) => sink.text(Token::Nil, b"(empty hash)"),
            Node::Push(_) => sink.text(Token::Nil, b"(empty push)"),
            Node::Inline(text) => sink.text(Token::Plain, text),
            Node::Attributed(_) => {}
        }
    }

    fn verbatim(&self, text: &[u8], sink: &mut impl Sink) {
        let shown = clipped(text, self.repr);
        sink.text(Token::Text, shown);
        if shown.len() < text.len() {
            sink.text(Token::Note, format!("… ({} more bytes)", text.len() - shown.len()).as_bytes());
        }
    }
}

/// The whole frame as redis-cli prints it on a terminal, with the final newline.
pub fn exact(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.raw().len());
    Printer::new(frame.clone(), Repr::EXACT).write_all(&mut out);
    out
}

/// Whether a value takes more than one line.
fn is_multiline(node: &Node<'_>) -> bool {
    let several =
        |items: &Items<'_>, one: usize| items.count_left() > one || items.clone().any(|item| is_multiline(&item));
    match node {
        Node::Array(items) | Node::Push(items) | Node::Set(items) => several(items, 1),
        Node::Map(items) => several(items, 2),
        Node::Verbatim { text, .. } => text.contains(&b'\n'),
        Node::Attributed(_) => true,
        _ => false,
    }
}
