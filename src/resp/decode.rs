//! Finds whole frames in a stream of bytes, however they are cut into reads.
//!
//! A scanner walks the bytes once with an explicit stack: no recursion, no allocation that a header
//! alone can cause, nothing scanned again when more bytes arrive.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::Frame;

/// What a peer may send before it is called broken or hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Aggregates inside one another. Bounds the recursion of everything that walks a frame.
    pub depth: usize,
    /// Bytes of one bulk string. Redis allows 512 MB by default (`proto-max-bulk-len`).
    pub bulk: usize,
    /// Bytes of a line: a simple string, an error, a number, a header, an inline command.
    pub line: usize,
    /// Bytes of one whole frame.
    pub frame: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, bulk: 1 << 30, line: 1 << 20, frame: 1 << 31 }
    }
}

/// The stream is not RESP, or more than the [`Limits`] allow. The connection cannot be used further.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("protocol error at byte {offset} of a frame: {kind}")]
pub struct DecodeError {
    /// Bytes from the start of the frame.
    pub offset: usize,
    /// What was wrong.
    pub kind: DecodeErrorKind,
}

/// What was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeErrorKind {
    /// A byte that begins no RESP type.
    #[error("unknown type byte 0x{0:02x}")]
    UnknownType(u8),
    /// A length or count that is none.
    #[error("not a length: {0:?}")]
    BadLength(String),
    /// An integer, double, boolean, null or big number that is none.
    #[error("not a {0}: {1:?}")]
    BadScalar(&'static str, String),
    /// A bulk string not followed by CR LF.
    #[error("a string of {0} bytes does not end with CR LF")]
    MissingLineEnd(usize),
    /// A verbatim string without its three letters and colon.
    #[error("a verbatim string without a format")]
    BadVerbatim,
    /// More than a limit allows.
    #[error("{0} is over the limit of {1}")]
    OverLimit(&'static str, usize),
}

/// Cuts a stream into [`Frame`]s: `feed` what was read, then call `next` until it gives `None`.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    limits: Limits,
    /// Accept inline commands between frames, as a server does.
    inline: bool,
    /// Everything before this is scanned.
    position: usize,
    /// Where to go on looking for a line end.
    searched: usize,
    /// End of the bulk string (with CR LF) being received.
    bulk_end: Option<(usize, u8)>,
    /// Values still to come in each open aggregate; for maps, keys and values each. Attributes are
    /// an aggregate of their pairs and the value they describe.
    stack: Vec<u64>,
    failed: Option<DecodeError>,
}

impl Decoder {
    /// For what a server sends.
    pub fn new() -> Self {
        Self::default()
    }

    /// For what a client sends: arrays of bulk strings, and inline commands (`PING\r\n`).
    pub fn commands() -> Self {
        Self { inline: true, ..Self::default() }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds bytes as they were read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The buffer to read into directly (`AsyncReadExt::read_buf`); only append to it.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes received that belong to no whole frame yet.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// The next whole frame; `None` until more bytes are fed. After an error every call repeats it.
    #[allow(clippy::should_implement_trait, reason = "a fallible pull, not an iterator: None means 'feed me'")]
    pub fn next(&mut self) -> Result<Option<Frame>, DecodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.scan() {
            Ok(true) => {
                let raw: Bytes = self.buffer.split_to(self.position).freeze();
                self.position = 0;
                self.searched = 0;
                Ok(Some(Frame { raw }))
            }
            Ok(false) if self.buffer.len() > self.limits.frame => {
                Err(self.fail(DecodeErrorKind::OverLimit("a frame's size", self.limits.frame)))
            }
            Ok(false) => Ok(None),
            Err(kind) => Err(self.fail(kind)),
        }
    }

    fn fail(&mut self, kind: DecodeErrorKind) -> DecodeError {
        let error = DecodeError { offset: self.position, kind };
        self.failed = Some(error.clone());
        self.buffer = BytesMut::new();
        self.stack = Vec::new();
        error
    }

    /// True when the bytes up to `position` are a whole frame.
    fn scan(&mut self) -> Result<bool, DecodeErrorKind> {
        loop {
            let whole = if let Some((end, kind)) = self.bulk_end {
                if self.buffer.len() < end {
                    return Ok(false);
                }
                self.finish_bulk(end, kind)?
            } else {
                let Some(end) = self.line_end()? else { return Ok(false) };
                let whole = self.header(end)?;
                self.position = end;
                self.searched = end;
                whole
            };
            if whole && self.complete() {
                return Ok(true);
            }
        }
    }

    /// Position after the CR LF (or LF of an inline command) of the line that begins at `position`.
    fn line_end(&mut self) -> Result<Option<usize>, DecodeErrorKind> {
        let inline = self.inline && self.stack.is_empty() && self.buffer.get(self.position).is_some_and(|b| *b != b'*');
        let mut from = self.searched.max(self.position);
        while let Some(found) = self.buffer[from..].iter().position(|b| *b == b'\n') {
            let at = from + found;
            if inline || (at > self.position && self.buffer[at - 1] == b'\r') {
                return self.check_line(at - self.position).map(|()| Some(at + 1));
            }
            from = at + 1;
        }
        self.searched = self.buffer.len();
        self.check_line(self.buffer.len() - self.position).map(|()| None)
    }

    fn check_line(&self, length: usize) -> Result<(), DecodeErrorKind> {
        if length > self.limits.line {
            return Err(DecodeErrorKind::OverLimit("a line's length", self.limits.line));
        }
        Ok(())
    }

    fn finish_bulk(&mut self, end: usize, kind: u8) -> Result<bool, DecodeErrorKind> {
        let body = &self.buffer[self.position..end];
        if !body.ends_with(b"\r\n") {
            return Err(DecodeErrorKind::MissingLineEnd(body.len() - 2));
        }
        if kind == b'=' && (body.len() < 6 || body[3] != b':') {
            return Err(DecodeErrorKind::BadVerbatim);
        }
        self.position = end;
        self.searched = end;
        self.bulk_end = None;
        Ok(true)
    }

    /// Reads the header line that ends at `end`; true when it is a whole value by itself.
    fn header(&mut self, end: usize) -> Result<bool, DecodeErrorKind> {
        let kind = self.buffer[self.position];
        if self.inline && self.stack.is_empty() && kind != b'*' {
            return Ok(true);
        }
        // An empty line is its own CR LF: the type byte is then CR, and there is no text.
        let text = self.buffer.get(self.position + 1..end - 2).unwrap_or_default();
        match kind {
            b'+' | b'-' => Ok(true),
            b':' => scalar("integer", text, is_integer(text)),
            b',' => scalar("double", text, is_double(text)),
            b'#' => scalar("boolean", text, text == b"t" || text == b"f"),
            b'_' => scalar("null", text, text.is_empty()),
            b'(' => scalar("big number", text, is_integer(text)),
            b'$' | b'!' | b'=' => {
                let Some(length) = length(text)? else { return Ok(true) };
                if length > self.limits.bulk as u64 {
                    return Err(DecodeErrorKind::OverLimit("a string's length", self.limits.bulk));
                }
                self.bulk_end = Some((end + length as usize + 2, kind));
                Ok(false)
            }
            b'*' | b'~' | b'>' | b'%' | b'|' => {
                let Some(count) = length(text)? else { return Ok(true) };
                self.open(kind, count)
            }
            other => Err(DecodeErrorKind::UnknownType(other)),
        }
    }

    /// Opens an aggregate; true when it is empty, thus whole.
    fn open(&mut self, kind: u8, count: u64) -> Result<bool, DecodeErrorKind> {
        let values = match kind {
            b'|' => count * 2 + 1,
            b'%' => count * 2,
            _ => count,
        };
        if values == 0 {
            return Ok(true);
        }
        if self.stack.len() >= self.limits.depth {
            return Err(DecodeErrorKind::OverLimit("the nesting", self.limits.depth));
        }
        self.stack.push(values);
        Ok(false)
    }

    /// A value is whole: counts it in what holds it; true when that makes the frame whole.
    fn complete(&mut self) -> bool {
        while let Some(remaining) = self.stack.last_mut() {
            *remaining -= 1;
            if *remaining > 0 {
                return false;
            }
            self.stack.pop();
        }
        true
    }
}

fn scalar(name: &'static str, text: &[u8], valid: bool) -> Result<bool, DecodeErrorKind> {
    if valid { Ok(true) } else { Err(DecodeErrorKind::BadScalar(name, excerpt(text))) }
}

fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn is_double(text: &[u8]) -> bool {
    // Servers print inf and nan in both cases, nan also with a sign; the rest is C's %.17g.
    text.len() < 400 && std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok())
}

/// A length or count; `None` for -1, the RESP2 null. At most 2^32, so that sums cannot overflow.
fn length(text: &[u8]) -> Result<Option<u64>, DecodeErrorKind> {
    if text == b"-1" {
        return Ok(None);
    }
    let bad = || DecodeErrorKind::BadLength(excerpt(text));
    if text.is_empty() || text.len() > 10 || !text.iter().all(u8::is_ascii_digit) {
        return Err(bad());
    }
    let number = text.iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    if number > 1 << 32 { Err(bad()) } else { Ok(Some(number)) }
}

fn excerpt(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned()
}
