//! `--raw`: strings as they are, elements separated by a delimiter.

use crate::resp::{Items, Node};

/// What stands between elements (`-d`); what follows a reply (`-D`) is the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delimiters {
    /// Between elements: a newline unless chosen.
    pub element: Vec<u8>,
    /// After a reply: a newline unless chosen.
    pub reply: Vec<u8>,
}

impl Default for Delimiters {
    fn default() -> Self {
        Self { element: b"\n".to_vec(), reply: b"\n".to_vec() }
    }
}

/// Writes a reply without what follows it.
pub fn write_raw(node: &Node<'_>, between: &[u8], out: &mut Vec<u8>) {
    match node {
        Node::Error(text) | Node::BulkError(text) => {
            out.extend_from_slice(text);
            out.push(b'\n');
        }
        Node::Simple(text)
        | Node::Integer(text)
        | Node::Bulk(text)
        | Node::Double(text)
        | Node::BigNumber(text)
        | Node::Verbatim { text, .. }
        | Node::Inline(text) => out.extend_from_slice(text),
        Node::Boolean(yes) => out.extend_from_slice(if *yes { b"(true)" } else { b"(false)" }),
        Node::Null(_) => {}
        Node::Array(items) | Node::Set(items) | Node::Push(items) => write_list(items, between, out),
        Node::Map(items) => write_map(items, between, out),
        Node::Attributed(inner) => write_raw(&inner.value(), between, out),
    }
}

fn write_list(items: &Items<'_>, between: &[u8], out: &mut Vec<u8>) {
    for (index, item) in items.clone().enumerate() {
        if index > 0 {
            out.extend_from_slice(between);
        }
        write_raw(&item, between, out);
    }
}

fn write_map(items: &Items<'_>, between: &[u8], out: &mut Vec<u8>) {
    for (index, item) in items.clone().enumerate() {
        match index {
            0 => {}
            _ if index % 2 == 1 => out.push(b' '),
            _ => out.extend_from_slice(between),
        }
        write_raw(&item, between, out);
    }
}
