//! What a child prints: the last of it kept, all of it harmless to a terminal, none of it able to
//! fill our memory or to block the child because nobody reads.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    io::Read,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::mpsc;

/// How many last lines are kept.
const KEPT: usize = 500;
/// Longest line in bytes; the rest of it is cut.
const LONGEST: usize = 4096;
/// How many lines may wait for a reader before newer ones are dropped for it.
const WAITING: usize = 1024;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line a child printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLine {
    /// Where it came from.
    pub source: Source,
    /// Without line end, control characters made [`visible`], at most 4096 bytes of the original.
    pub text: String,
    /// When we read it.
    pub at: Instant,
}

/// Kept lines and those waiting for a reader.
#[derive(Debug)]
pub(super) struct Output {
    kept: Mutex<Kept>,
    /// `None` when no more lines will come.
    sender: Mutex<Option<mpsc::Sender<OutputLine>>>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    /// Begun but not ended lines, by source.
    begun: [Vec<u8>; 2],
    total: u64,
}

impl Output {
    pub(super) fn new() -> (Arc<Self>, mpsc::Receiver<OutputLine>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Arc::new(Self { kept: Mutex::default(), sender: Mutex::new(Some(sender)) }), receiver)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last `n` lines of both streams, in the order read, with what is begun but not ended.
    pub(super) fn tail(&self, n: usize) -> Vec<String> {
        let kept = self.kept();
        let begun = kept.begun.iter().filter(|bytes| !bytes.is_empty()).map(|bytes| text(bytes, false));
        let all: Vec<String> = kept.lines.iter().cloned().chain(begun).collect();
        all[all.len().saturating_sub(n)..].to_vec()
    }

    /// How many lines were printed in all.
    pub(super) fn total(&self) -> u64 {
        self.kept().total
    }

    /// Reads a stream to its end.
    pub(super) fn drain(&self, source: Source, mut stream: impl Read) {
        let mut buffer = [0; 8192];
        let mut cut = false;
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => self.feed(source, &buffer[..read], &mut cut),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let rest = std::mem::take(&mut self.kept().begun[source as usize]);
        if !rest.is_empty() {
            self.push(source, text(&rest, cut));
        }
    }

    /// `cut`: the rest of the line being read is thrown away.
    fn feed(&self, source: Source, bytes: &[u8], cut: &mut bool) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (body, ended) = match part.split_last() {
                Some((b'\n', body)) => (body, true),
                _ => (part, false),
            };
            let whole = {
                let mut kept = self.kept();
                let begun = &mut kept.begun[source as usize];
                let room = LONGEST.saturating_sub(begun.len());
                *cut |= body.len() > room;
                begun.extend_from_slice(&body[..body.len().min(room)]);
                ended.then(|| std::mem::take(begun))
            };
            if let Some(whole) = whole {
                self.push(source, text(&whole, *cut));
                *cut = false;
            }
        }
    }

    fn push(&self, source: Source, text: String) {
        {
            let mut kept = self.kept();
            kept.total += 1;
            if kept.lines.len() == KEPT {
                kept.lines.pop_front();
            }
            kept.lines.push_back(text.clone());
        }
        // Nobody listening, or too slowly: the kept lines are still there.
        if let Some(sender) = self.sender.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            let _ = sender.try_send(OutputLine { source, text, at: Instant::now() });
        }
    }

    /// Whoever listens hears the end.
    pub(super) fn close(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn text(bytes: &[u8], cut: bool) -> String {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let mut text = visible(bytes);
    if cut {
        text.push('…');
    }
    text
}

/// Bytes of a stranger as text that does nothing to a terminal: control characters as `^[`,
/// invisible and direction-changing ones as `\u{202e}`, invalid UTF-8 as `\xff`, tabs as spaces.
pub fn visible(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\t' => shown.push_str(&"        "[shown.chars().count() % 8..]),
                '\0'..='\x1f' | '\x7f' => {
                    shown.push('^');
                    shown.push(char::from((character as u8) ^ 0x40));
                }
                '\u{80}'..='\u{9f}'
                | '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}' => shown.extend(character.escape_unicode()),
                _ => shown.push(character),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_shown_and_not_obeyed() {
        assert_eq!(visible(b"\x1b[2Jhi\x07\r"), "^[[2Jhi^G^M");
        assert_eq!(visible("a\u{202e}b\u{9b}".as_bytes()), "a\\u{202e}b\\u{9b}");
        assert_eq!(visible(b"ok\xff\xfe"), "ok\\xff\\xfe");
        assert_eq!(visible(b"a\tb"), "a       b");
        assert_eq!(visible("héllo – ✓".as_bytes()), "héllo – ✓");
    }

    #[test]
    fn lines_are_bounded_in_length_and_number() {
        let (output, mut lines) = Output::new();
        let mut flood = vec![b'x'; 3 * LONGEST];
        flood.push(b'\n');
        for n in 0..2000 {
            flood.extend_from_slice(format!("line {n}\r\n").as_bytes());
        }
        flood.extend_from_slice(b"prompt> ");
        output.drain(Source::Stdout, &flood[..]);
        let tail = output.tail(2);
        assert_eq!(tail, ["line 1999", "prompt> "]);
        assert_eq!(output.tail(10_000).len(), KEPT);
        assert_eq!(output.total(), 2002);
        let first = lines.try_recv().unwrap();
        assert_eq!(first.text.len(), LONGEST + "…".len());
        assert_eq!(std::iter::from_fn(|| lines.try_recv().ok()).count(), WAITING - 1);
    }

    #[test]
    fn a_line_begun_is_in_the_tail() {
        let (output, _lines) = Output::new();
        output.feed(Source::Stderr, b"one\ntw", &mut false);
        assert_eq!(output.tail(9), ["one", "tw"]);
        output.feed(Source::Stderr, b"o\n", &mut false);
        assert_eq!(output.tail(9), ["one", "two"]);
    }
}
