//! `--json` and `--quoted-json`.
//!
//! Two deviations from redis-cli, which prints neither as JSON: an error is `{"error":"…"}`, and an
//! infinity or NaN is a string.

use super::repr::escape;
use crate::resp::{Items, Node};

/// How strings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonMode {
    /// `--json`: the bytes as they are, with JSON's escapes.
    Plain,
    /// `--quoted-json`: redis-cli's `\xHH` escapes, themselves escaped: ASCII whatever the data.
    Quoted,
}

/// Writes a reply without the newline.
pub fn write_json(node: &Node<'_>, mode: JsonMode, out: &mut Vec<u8>) {
    match node {
        Node::Error(text) | Node::BulkError(text) => {
            out.extend_from_slice(b"{\"error\":");
            string(text, mode, out);
            out.push(b'}');
        }
        Node::Simple(text) | Node::Bulk(text) | Node::Verbatim { text, .. } | Node::Inline(text) => {
            string(text, mode, out);
        }
        Node::Integer(text) | Node::BigNumber(text) => out.extend_from_slice(text),
        Node::Double(text) if text.iter().any(u8::is_ascii_digit) => out.extend_from_slice(text),
        Node::Double(text) => string(text, mode, out),
        Node::Boolean(yes) => out.extend_from_slice(if *yes { b"true" } else { b"false" }),
        Node::Null(_) => out.extend_from_slice(b"null"),
        Node::Array(items) | Node::Set(items) | Node::Push(items) => {
            out.push(b'[');
            for (index, item) in items.clone().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json(&item, mode, out);
            }
            out.push(b']');
        }
        Node::Map(items) => write_map(items, mode, out),
        Node::Attributed(inner) => write_json(&inner.value(), mode, out),
    }
}

fn write_map(items: &Items<'_>, mode: JsonMode, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, item) in items.clone().enumerate() {
        if index % 2 == 1 {
            out.push(b':');
            write_json(&item, mode, out);
            continue;
        }
        if index > 0 {
            out.push(b',');
        }
        // JSON's keys are strings; what is none becomes one.
        let mut key = Vec::new();
        write_json(&item, mode, &mut key);
        if key.first() == Some(&b'"') {
            out.extend_from_slice(&key);
        } else {
            string(&key, JsonMode::Plain, out);
        }
    }
    out.push(b'}');
}

fn string(text: &[u8], mode: JsonMode, out: &mut Vec<u8>) {
    if mode == JsonMode::Quoted {
        let mut quoted = vec![b'"'];
        escape(text, false, &mut quoted);
        quoted.push(b'"');
        for byte in quoted {
            if byte == b'\\' {
                out.push(b'\\');
            }
            out.push(byte);
        }
        return;
    }
    out.push(b'"');
    for byte in text {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}
