//! The quoting of inline commands, on the wire and at a prompt: blanks split, `"…"` understands
//! `\n \r \t \b \a \xHH` and takes any other `\c` as `c`, `'…'` understands only `\'`.

use std::ops::Range;

use thiserror::Error;

/// A quote was not closed, or its closing was not followed by a blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("unbalanced quotes")]
pub struct UnbalancedQuotes {
    /// Where the argument with the quote begins.
    pub argument: usize,
    /// The quote is still open at the end of the line (more lines may close it).
    pub open: bool,
}

/// Where an argument stands in its line (quotes included), and its bytes.
pub type Span = (Range<usize>, Vec<u8>);

/// The arguments of a line.
pub fn split_args(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
    Ok(split_spans(line)?.into_iter().map(|(_, argument)| argument).collect())
}

/// The arguments of a line with where each stands in it, quotes included.
pub fn split_spans(line: &[u8]) -> Result<Vec<Span>, UnbalancedQuotes> {
    let mut arguments = Vec::new();
    let mut at = 0;
    loop {
        while line.get(at).copied().is_some_and(is_blank) {
            at += 1;
        }
        // A zero byte ends the line, as it ends a C string.
        if matches!(line.get(at), None | Some(0)) {
            return Ok(arguments);
        }
        let start = at;
        let mut argument = Vec::new();
        at = read_argument(line, at, &mut argument).map_err(|open| UnbalancedQuotes { argument: start, open })?;
        arguments.push((start..at, argument));
    }
}

/// Reads one argument from `at`; gives where it ends, or whether a quote is open.
fn read_argument(line: &[u8], mut at: usize, argument: &mut Vec<u8>) -> Result<usize, bool> {
    loop {
        match line.get(at).copied() {
            None | Some(0 | b' ' | b'\n' | b'\r' | b'\t') => return Ok(at),
            Some(b'"') => at = double_quoted(line, at + 1, argument)?,
            Some(b'\'') => at = single_quoted(line, at + 1, argument)?,
            Some(other) => {
                argument.push(other);
                at += 1;
                continue;
            }
        }
        // Behind a closing quote only a blank or the end will do.
        return if line.get(at).copied().is_none_or(|b| is_space(b) || b == 0) { Ok(at) } else { Err(false) };
    }
}

fn double_quoted(line: &[u8], mut at: usize, argument: &mut Vec<u8>) -> Result<usize, bool> {
    loop {
        match (line.get(at).copied(), line.get(at + 1).copied()) {
            (None | Some(0), _) => return Err(true),
            (Some(b'"'), _) => return Ok(at + 1),
            (Some(b'\\'), Some(b'x')) if let Some(byte) = hex_pair(line, at + 2) => {
                argument.push(byte);
                at += 4;
            }
            (Some(b'\\'), Some(escaped)) if escaped != 0 => {
                argument.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 2;
            }
            (Some(other), _) => {
                argument.push(other);
                at += 1;
            }
        }
    }
}

fn single_quoted(line: &[u8], mut at: usize, argument: &mut Vec<u8>) -> Result<usize, bool> {
    loop {
        match (line.get(at).copied(), line.get(at + 1).copied()) {
            (None | Some(0), _) => return Err(true),
            (Some(b'\''), _) => return Ok(at + 1),
            (Some(b'\\'), Some(b'\'')) => {
                argument.push(b'\'');
                at += 2;
            }
            (Some(other), _) => {
                argument.push(other);
                at += 1;
            }
        }
    }
}

fn hex_pair(line: &[u8], at: usize) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    Some(digit(*line.get(at)?)? * 16 + digit(*line.get(at + 1)?)?)
}

/// What C's `isspace` takes for one.
fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// What stands between arguments.
fn is_blank(b: u8) -> bool {
    is_space(b)
}
