//! `--csv`: one flat line.

use super::repr::{Repr, quote};
use crate::resp::Node;

/// Writes a reply without the newline.
pub fn write_csv(node: &Node<'_>, out: &mut Vec<u8>) {
    match node {
        Node::Error(text) | Node::BulkError(text) => {
            out.extend_from_slice(b"ERROR,");
            quote(text, Repr::EXACT, out);
        }
        Node::Simple(text) | Node::Bulk(text) | Node::Verbatim { text, .. } | Node::Inline(text) => {
            quote(text, Repr::EXACT, out);
        }
        Node::Integer(text) | Node::Double(text) | Node::BigNumber(text) => out.extend_from_slice(text),
        Node::Boolean(yes) => out.extend_from_slice(if *yes { b"true" } else { b"false" }),
        Node::Null(_) => out.extend_from_slice(b"NULL"),
        Node::Array(items) | Node::Set(items) | Node::Push(items) | Node::Map(items) => {
            for (index, item) in items.clone().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_csv(&item, out);
            }
        }
        Node::Attributed(inner) => write_csv(&inner.value(), out),
    }
}
