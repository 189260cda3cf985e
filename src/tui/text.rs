//! Text as data: making foreign text harmless, measuring, cutting.
//!
//! Owns: sanitising and width arithmetic. Must not know: screens, styles.
//! Everything that a server, a program or a course wrote passes [`clean`] before it is laid out.

use std::{borrow::Cow, fmt::Write as _};

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Makes a line harmless: tabs become spaces, other control characters visible, marks that reorder
/// the line (bidirectional overrides) visible too. Line breaks are the caller's.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(needs_care) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\t' => out.push_str("    "),
            '\n' => out.push(c),
            c if needs_care(c) && u32::from(c) < 0x100 => {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if needs_care(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn needs_care(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// Columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The longest prefix that fits, by grapheme, and its width.
pub fn prefix(text: &str, columns: usize) -> (&str, usize) {
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        let wide = grapheme.width();
        if used + wide > columns {
            return (&text[..at], used);
        }
        used += wide;
    }
    (text, used)
}

/// Cuts to `columns`, with `ellipsis` where something went missing.
pub fn cut<'a>(text: &'a str, columns: usize, ellipsis: &str) -> Cow<'a, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let (head, _) = prefix(text, columns.saturating_sub(width(ellipsis)));
    Cow::Owned(format!("{}{ellipsis}", head.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(clean("a\u{1b}[31mb\u{7}\tc"), "a\\x1b[31mb\\x07    c");
        assert_eq!(clean("\u{9b}2J \u{202e}x"), "\\x9b2J \\u{202e}x");
        assert!(matches!(clean("日本 plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn cutting_counts_columns_and_keeps_graphemes() {
        assert_eq!(cut("日本語", 5, "…"), "日本…");
        assert_eq!(cut("日本語", 6, "…"), "日本語");
        assert_eq!(prefix("e\u{301}a", 1), ("e\u{301}", 1));
    }
}
