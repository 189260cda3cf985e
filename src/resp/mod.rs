//! RESP2 and RESP3 frames that keep the server's own text.
//!
//! Owns: finding frames in a byte stream ([`Decoder`], incremental and bounded), reading one
//! ([`Node`] lazily and borrowed, [`Value`] as an owned tree), writing commands ([`encode_command`])
//! and the quoting of inline commands ([`split_args`]).
//! Must not know: connections, what a command means, how a reply is printed.
//!
//! A [`Frame`] is its raw bytes; nothing is parsed twice that nobody asks for, so a reply of a
//! million elements costs what it weighs on the wire, and a proxy can pass on what it received.

mod decode;
mod encode;
mod inline;
mod node;
#[cfg(test)]
mod tests;

pub use decode::{DecodeError, DecodeErrorKind, Decoder, Limits};
pub use encode::{encode_command, encode_value};
pub use inline::{Span, UnbalancedQuotes, split_args, split_spans};
pub use node::{Attributed, Items, Node, NullKind};

use bytes::Bytes;

/// One whole RESP value as it came over the wire (with attributes before it, if any).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    raw: Bytes,
}

impl Frame {
    /// A frame of one value; `None` for what no decoder would take.
    pub fn of_value(value: &Value) -> Option<Self> {
        let mut decoder = Decoder::new();
        decoder.feed(&encode_value(value));
        decoder.next().ok().flatten()
    }

    /// The bytes exactly as received, ready to be passed on.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// A borrowed, lazily parsed view; the cheap way to print a large reply.
    pub fn node(&self) -> Node<'_> {
        Node::parse(&self.raw)
    }

    /// The value at a byte `offset` of the raw frame, and the offset of what follows it: for an
    /// aggregate its first element. Walks a frame without holding a borrow between steps.
    pub fn node_at(&self, offset: usize) -> (Node<'_>, usize) {
        let (node, rest) = Node::read(self.raw.get(offset..).unwrap_or_default());
        (node, self.raw.len() - rest.len())
    }

    /// An owned tree whose strings share this frame's memory.
    pub fn value(&self) -> Value {
        Value::from_node(&self.node(), &self.raw)
    }

    /// An out-of-band push (`>`): not the reply to any command.
    pub fn is_push(&self) -> bool {
        matches!(self.node().without_attributes(), Node::Push(_))
    }

    /// An error reply (`-` or `!`), with its text.
    pub fn error(&self) -> Option<&[u8]> {
        match self.node().without_attributes() {
            Node::Error(text) | Node::BulkError(text) => Some(text),
            _ => None,
        }
    }

    /// The arguments of a command frame: an array of bulk strings, or an inline line (which only
    /// [`Decoder::commands`] accepts). `None` when the frame is no command. May be empty.
    pub fn arguments(&self) -> Option<Vec<Bytes>> {
        match self.node() {
            Node::Array(items) => items
                .map(|item| match item {
                    Node::Bulk(text) => Some(self.raw.slice_ref(text)),
                    _ => None,
                })
                .collect(),
            Node::Inline(line) => Some(split_args(line).ok()?.into_iter().map(Bytes::from).collect()),
            _ => None,
        }
    }
}

/// A RESP value as an owned tree. Numbers keep the server's text, so that what is printed is what
/// was sent (`9.9999999999999995e-08` stays that).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// `+OK`.
    Simple(Bytes),
    /// `-ERR …`, without the dash.
    Error(Bytes),
    /// `:12`; use [`Value::as_integer`] for the number.
    Integer(Bytes),
    /// `$5…`.
    Bulk(Bytes),
    /// `$-1`, `*-1` or `_`.
    Null(NullKind),
    /// `,1.5`.
    Double(Bytes),
    /// `#t`.
    Boolean(bool),
    /// `(123…`.
    BigNumber(Bytes),
    /// `!…`, an error that may hold any bytes.
    BulkError(Bytes),
    /// `=15 txt:…`.
    Verbatim {
        /// `txt` or `mkd`.
        format: Bytes,
        /// The text.
        text: Bytes,
    },
    /// `*`.
    Array(Vec<Value>),
    /// `~`.
    Set(Vec<Value>),
    /// `>`.
    Push(Vec<Value>),
    /// `%`, in the order received.
    Map(Vec<(Value, Value)>),
    /// `|` attributes and the value they describe.
    Attributed {
        /// The attributes, in the order received.
        attributes: Vec<(Value, Value)>,
        /// What they are about.
        value: Box<Value>,
    },
    /// An inline command line, without its line end ([`Decoder::commands`] only).
    Inline(Bytes),
}

impl Value {
    /// The text of a simple, bulk or verbatim string, or of a number.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Simple(text)
            | Self::Bulk(text)
            | Self::Integer(text)
            | Self::Double(text)
            | Self::BigNumber(text)
            | Self::Verbatim { text, .. } => Some(text),
            Self::Attributed { value, .. } => value.as_bytes(),
            _ => None,
        }
    }

    /// [`Value::as_bytes`] where it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.as_bytes().and_then(|text| std::str::from_utf8(text).ok())
    }

    /// An integer reply, or a string that is one.
    pub fn as_integer(&self) -> Option<i64> {
        self.as_str()?.parse().ok()
    }

    /// The text of an error.
    pub fn as_error(&self) -> Option<&Bytes> {
        match self {
            Self::Error(text) | Self::BulkError(text) => Some(text),
            Self::Attributed { value, .. } => value.as_error(),
            _ => None,
        }
    }

    /// Elements of an array, set or push.
    pub fn as_items(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Some(items),
            Self::Attributed { value, .. } => value.as_items(),
            _ => None,
        }
    }

    /// Pairs of a map, or of a flat RESP2 array of an even length.
    pub fn as_pairs(&self) -> Option<Vec<(&Value, &Value)>> {
        match self {
            Self::Map(pairs) => Some(pairs.iter().map(|(k, v)| (k, v)).collect()),
            Self::Array(items) if items.len() % 2 == 0 => Some(items.chunks_exact(2).map(|p| (&p[0], &p[1])).collect()),
            Self::Attributed { value, .. } => value.as_pairs(),
            _ => None,
        }
    }

    /// Any of the three nulls.
    pub fn is_null(&self) -> bool {
        match self {
            Self::Null(_) => true,
            Self::Attributed { value, .. } => value.is_null(),
            _ => false,
        }
    }

    fn from_node(node: &Node<'_>, raw: &Bytes) -> Self {
        let own = |text: &[u8]| raw.slice_ref(text);
        let list = |items: &Items<'_>| items.clone().map(|item| Self::from_node(&item, raw)).collect();
        match node {
            Node::Simple(text) => Self::Simple(own(text)),
            Node::Error(text) => Self::Error(own(text)),
            Node::Integer(text) => Self::Integer(own(text)),
            Node::Bulk(text) => Self::Bulk(own(text)),
            Node::Null(kind) => Self::Null(*kind),
            Node::Double(text) => Self::Double(own(text)),
            Node::Boolean(yes) => Self::Boolean(*yes),
            Node::BigNumber(text) => Self::BigNumber(own(text)),
            Node::BulkError(text) => Self::BulkError(own(text)),
            Node::Verbatim { format, text } => Self::Verbatim { format: own(format), text: own(text) },
            Node::Array(items) => Self::Array(list(items)),
            Node::Set(items) => Self::Set(list(items)),
            Node::Push(items) => Self::Push(list(items)),
            Node::Map(items) => Self::Map(Self::pairs(items, raw)),
            Node::Attributed(inner) => Self::Attributed {
                attributes: Self::pairs(&inner.attributes(), raw),
                value: Box::new(Self::from_node(&inner.value(), raw)),
            },
            Node::Inline(text) => Self::Inline(own(text)),
        }
    }

    fn pairs(items: &Items<'_>, raw: &Bytes) -> Vec<(Self, Self)> {
        let mut items = items.clone();
        let mut pairs = Vec::new();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            pairs.push((Self::from_node(&key, raw), Self::from_node(&value, raw)));
        }
        pairs
    }
}
