//! A lazy, borrowed view of a frame that the decoder has found whole.

/// How a null was written; redis-cli prints them alike, a client may care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NullKind {
    /// `$-1`.
    Bulk,
    /// `*-1`.
    Array,
    /// `_` (RESP3).
    Resp3,
}

/// A RESP value, borrowed from its frame; elements are parsed as they are asked for.
#[derive(Debug, Clone)]
pub enum Node<'a> {
    /// `+OK`.
    Simple(&'a [u8]),
    /// `-ERR …`.
    Error(&'a [u8]),
    /// `:12`.
    Integer(&'a [u8]),
    /// `$5…`.
    Bulk(&'a [u8]),
    /// `$-1`, `*-1`, `_`.
    Null(NullKind),
    /// `,1.5`.
    Double(&'a [u8]),
    /// `#t`.
    Boolean(bool),
    /// `(123`.
    BigNumber(&'a [u8]),
    /// `!…`.
    BulkError(&'a [u8]),
    /// `=…`.
    Verbatim {
        /// `txt` or `mkd`.
        format: &'a [u8],
        /// The text.
        text: &'a [u8],
    },
    /// `*`.
    Array(Items<'a>),
    /// `~`.
    Set(Items<'a>),
    /// `>`.
    Push(Items<'a>),
    /// `%`: keys and values in turn.
    Map(Items<'a>),
    /// `|`, and what it describes.
    Attributed(Attributed<'a>),
    /// An inline command line.
    Inline(&'a [u8]),
}

/// The elements of an aggregate. For maps keys and values in turn, so `count` is twice the pairs.
#[derive(Debug, Clone)]
pub struct Items<'a> {
    rest: &'a [u8],
    remaining: usize,
}

/// Attributes and the value behind them.
#[derive(Debug, Clone)]
pub struct Attributed<'a> {
    attributes: Items<'a>,
    value: &'a [u8],
}

impl<'a> Attributed<'a> {
    /// Keys and values in turn.
    pub fn attributes(&self) -> Items<'a> {
        self.attributes.clone()
    }

    /// What they describe.
    pub fn value(&self) -> Node<'a> {
        Node::parse(self.value)
    }
}

impl Items<'_> {
    /// Elements not yet taken.
    pub fn count_left(&self) -> usize {
        self.remaining
    }

    /// No element (left).
    pub fn is_empty(&self) -> bool {
        self.remaining == 0
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if self.remaining == 0 || self.rest.is_empty() {
            return None;
        }
        self.remaining -= 1;
        let node = Node::parse(self.rest);
        self.rest = skip(self.rest);
        Some(node)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Each element takes at least three bytes, so a count cannot make anybody allocate more than was received.
        (self.remaining.min(self.rest.len() / 3), Some(self.remaining))
    }
}

impl<'a> Node<'a> {
    /// Reads the value at the start of `raw`, which a decoder has found whole. (Bytes that are no
    /// RESP become an inline command or a null: never a panic.)
    pub(super) fn parse(raw: &'a [u8]) -> Self {
        Self::read(raw).0
    }

    /// The value at the start of `raw`, and what follows: for an aggregate its first element.
    pub(super) fn read(raw: &'a [u8]) -> (Self, &'a [u8]) {
        let (line, rest) = split_line(raw);
        let node = Self::parse_line(line, rest);
        let scalar = match &node {
            Self::Bulk(text) | Self::BulkError(text) => text.len() + 2,
            Self::Verbatim { text, .. } => text.len() + 6,
            _ => 0,
        };
        (node, rest.get(scalar..).unwrap_or_default())
    }

    fn parse_line(line: &'a [u8], rest: &'a [u8]) -> Self {
        let Some(&kind) = line.first() else { return Self::Null(NullKind::Resp3) };
        let text = line.get(1..).unwrap_or_default();
        match kind {
            b'+' => Self::Simple(text),
            b'-' => Self::Error(text),
            b':' => Self::Integer(text),
            b',' => Self::Double(text),
            b'#' => Self::Boolean(text == b"t"),
            b'(' => Self::BigNumber(text),
            b'_' => Self::Null(NullKind::Resp3),
            b'$' => number(text).map_or(Self::Null(NullKind::Bulk), |n| Self::Bulk(head(rest, n))),
            b'!' => number(text).map_or(Self::Null(NullKind::Bulk), |n| Self::BulkError(head(rest, n))),
            b'=' => number(text).map_or(Self::Null(NullKind::Bulk), |n| {
                let body = head(rest, n);
                Self::Verbatim { format: head(body, 3), text: body.get(4..).unwrap_or_default() }
            }),
            b'*' | b'~' | b'>' | b'%' => number(text).map_or(Self::Null(NullKind::Array), |n| match kind {
                b'*' => Self::Array(Items { rest, remaining: n }),
                b'~' => Self::Set(Items { rest, remaining: n }),
                b'>' => Self::Push(Items { rest, remaining: n }),
                _ => Self::Map(Items { rest, remaining: n * 2 }),
            }),
            b'|' => {
                let attributes = Items { rest, remaining: number(text).unwrap_or(0) * 2 };
                let mut value = rest;
                for _ in 0..attributes.remaining {
                    value = skip(value);
                }
                Self::Attributed(Attributed { attributes, value })
            }
            _ => Self::Inline(line),
        }
    }

    /// The value itself, past any attributes.
    #[must_use]
    pub fn without_attributes(self) -> Self {
        let mut node = self;
        while let Self::Attributed(inner) = node {
            node = inner.value();
        }
        node
    }
}

/// The rest after the value at the start of `raw`, found without recursion.
fn skip(raw: &[u8]) -> &[u8] {
    let mut rest = raw;
    let mut values = 1_usize;
    while values > 0 && !rest.is_empty() {
        values -= 1;
        let (line, after) = split_line(rest);
        let kind = line.first().copied().unwrap_or(0);
        let count = line.get(1..).and_then(number);
        rest = after;
        match (kind, count) {
            (b'$' | b'!' | b'=', Some(n)) => rest = rest.get(n + 2..).unwrap_or_default(),
            (b'*' | b'~' | b'>', Some(n)) => values += n,
            (b'%', Some(n)) => values += n * 2,
            (b'|', n) => values += n.unwrap_or(0) * 2 + 1,
            _ => {}
        }
    }
    rest
}

/// The line without its end, and what follows. An inline command may end with LF alone.
fn split_line(raw: &[u8]) -> (&[u8], &[u8]) {
    let mut from = 0;
    let is_resp = raw.first().is_some_and(|b| b"+-:$*,#(_!=~>%|".contains(b));
    while let Some(found) = raw[from..].iter().position(|b| *b == b'\n') {
        let at = from + found;
        if at > 0 && raw[at - 1] == b'\r' {
            return (&raw[..at - 1], &raw[at + 1..]);
        }
        if !is_resp {
            return (&raw[..at], &raw[at + 1..]);
        }
        from = at + 1;
    }
    (raw, &[])
}

fn head(raw: &[u8], n: usize) -> &[u8] {
    raw.get(..n).unwrap_or(raw)
}

fn number(text: &[u8]) -> Option<usize> {
    if text.is_empty() || text.len() > 10 {
        return None;
    }
    text.iter().try_fold(0_usize, |sum, b| b.is_ascii_digit().then(|| sum * 10 + usize::from(b - b'0')))
}
