//! Messages that no command asked for, as text: pub/sub, MONITOR, client tracking.

use super::{
    event::{ReplyLine, Token},
    format::{Printer, Repr, printable},
};
use crate::resp::{Frame, Node};

/// `-> invalidate: 'a', 'b'` for tracking, else as a reply; exact bytes with the newline.
pub(super) fn text(frame: &Frame) -> Vec<u8> {
    match invalidated(frame) {
        Some(keys) => {
            let keys: Vec<Vec<u8>> = keys.into_iter().map(|key| [b"'", key, b"'"].concat()).collect();
            [b"-> invalidate: ", keys.join(&b", "[..]).as_slice(), b"\n"].concat()
        }
        None => super::format::exact(frame),
    }
}

/// The same for a screen. Messages and MONITOR lines take one line each.
pub(super) fn lines(frame: &Frame, repr: Repr) -> Vec<ReplyLine> {
    if let Some(keys) = invalidated(frame) {
        let keys: Vec<String> = keys.into_iter().map(|key| format!("'{}'", printable(key))).collect();
        return vec![ReplyLine::new(Token::Push, format!("-> invalidate: {}", keys.join(", ")))];
    }
    if let Node::Simple(text) = frame.node() {
        return vec![ReplyLine::new(Token::Push, printable(text))];
    }
    let mut lines = Printer::new(frame.clone(), repr).take_lines(100);
    lines.iter_mut().flat_map(|line| &mut line.spans).for_each(|span| span.token = Token::Push);
    lines
}

fn invalidated(frame: &Frame) -> Option<Vec<&[u8]>> {
    let Node::Push(mut items) = frame.node().without_attributes() else { return None };
    if items.count_left() != 2 || !matches!(items.next(), Some(Node::Bulk(b"invalidate"))) {
        return None;
    }
    let Some(Node::Array(keys)) = items.next() else { return None };
    keys.map(|key| if let Node::Bulk(key) = key { Some(key) } else { None }).collect()
}
