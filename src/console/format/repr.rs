//! Bytes as text: redis-cli's quoting, readable UTF-8, and text that is safe on a terminal.

use super::super::event::Token;

/// How the bytes of strings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// Valid, printable UTF-8 as it is, instead of `\xHH` for everything beyond ASCII.
    pub utf8: bool,
    /// At most so many bytes of one string; the rest is counted, not shown.
    pub clip: Option<usize>,
}

impl Repr {
    /// Byte for byte what redis-cli prints.
    pub const EXACT: Self = Self { utf8: false, clip: None };
}

/// A string in double quotes.
pub fn quote(text: &[u8], repr: Repr, out: &mut Vec<u8>) {
    let shown = clipped(text, repr);
    out.push(b'"');
    escape(shown, repr.utf8, out);
    out.push(b'"');
    if shown.len() < text.len() {
        out.extend_from_slice(format!("… ({} more bytes)", text.len() - shown.len()).as_bytes());
    }
}

/// The part of `text` that is shown, cut at a character.
pub(super) fn clipped(text: &[u8], repr: Repr) -> &[u8] {
    let Some(clip) = repr.clip.filter(|clip| *clip < text.len()) else { return text };
    let mut end = clip;
    while end > 0 && clip - end < 4 && text[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &text[..end]
}

/// The escapes of `sdscatrepr`, without the quotes.
pub fn escape(text: &[u8], utf8: bool, out: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            escape_char(character, utf8, out);
        }
        for byte in chunk.invalid() {
            escape_byte(*byte, out);
        }
    }
}

fn escape_char(character: char, utf8: bool, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    let encoded = character.encode_utf8(&mut buffer).as_bytes();
    if utf8 && !character.is_ascii() && is_printable(character) {
        out.extend_from_slice(encoded);
    } else {
        for byte in encoded {
            escape_byte(*byte, out);
        }
    }
}

fn escape_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x07 => out.extend_from_slice(b"\\a"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x20..=0x7e => out.push(byte),
        _ => hex(byte, out),
    }
}

fn hex(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(&[b'\\', b'x', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// Not a control, and nothing that reorders or hides the text around it.
fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Text without quotes that cannot harm a terminal: controls and broken UTF-8 as `\xHH`, tabs as blanks.
pub fn printable(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\t' => out.extend_from_slice(b"    "),
                _ if is_printable(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                _ => character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| hex(byte, &mut out)),
            }
        }
        for byte in chunk.invalid() {
            hex(*byte, &mut out);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Kept here so that a theme's class for a scalar is chosen in one place.
pub(super) fn label(text: &'static str) -> (Token, &'static [u8]) {
    (Token::Label, text.as_bytes())
}
