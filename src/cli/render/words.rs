//! Styled text to wrapped lines.
//!
//! Owns: splitting runs into words that may change style in the middle, and filling lines with them.

use textwrap::{core::Fragment, wrap_algorithms::wrap_first_fit};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    cli::common::{Ink, printable},
    course::Inline,
};

/// What stands between two spaces; it may change its style.
#[derive(Debug, Default)]
struct Word {
    pieces: Vec<(String, String)>,
    width: usize,
}

impl Word {
    fn push(&mut self, text: &str, style: &str) {
        self.width += text.width();
        match self.pieces.last_mut() {
            Some((last, last_style)) if last_style == style => last.push_str(text),
            _ => self.pieces.push((text.to_owned(), style.to_owned())),
        }
    }

    /// Cut into words of at most `width` columns: a URL may be wider than the screen.
    fn cut(self, width: usize) -> Vec<Word> {
        if self.width <= width {
            return vec![self];
        }
        let mut words = vec![Word::default()];
        for (text, style) in &self.pieces {
            for c in text.chars() {
                let full = words.last().is_some_and(|word| word.width + c.width().unwrap_or(0) > width);
                if full {
                    words.push(Word::default());
                }
                if let Some(word) = words.last_mut() {
                    word.push(c.encode_utf8(&mut [0; 4]), style);
                }
            }
        }
        words
    }
}

impl Fragment for Word {
    fn width(&self) -> f64 {
        self.width as f64
    }

    fn whitespace_width(&self) -> f64 {
        1.0
    }

    fn penalty_width(&self) -> f64 {
        0.0
    }
}

/// The text in lines of at most `width` columns.
pub(super) fn wrap(inlines: &[Inline], ink: Ink, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = Vec::new();
    for words in hard_lines(inlines, ink).into_iter().filter(|words| !words.is_empty()) {
        let words: Vec<Word> = words.into_iter().flat_map(|word| word.cut(width)).collect();
        for line in wrap_first_fit(&words, &[width as f64]) {
            lines.push(paint(line, ink));
        }
    }
    lines
}

/// The text in one line, however long, and its width.
pub(super) fn unwrapped(inlines: &[Inline], ink: Ink) -> (String, usize) {
    let words: Vec<Word> = hard_lines(inlines, ink).into_iter().flatten().collect();
    let width = words.iter().map(|word| word.width + 1).sum::<usize>().saturating_sub(1);
    (paint(&words, ink), width)
}

/// Words with spaces between them; what has one style is painted in one piece.
fn paint(words: &[Word], ink: Ink) -> String {
    let mut line = Word::default();
    for (index, word) in words.iter().enumerate() {
        let style_before = line.pieces.last().map(|(_, style)| style.clone());
        let same = style_before.as_ref() == word.pieces.first().map(|(_, style)| style);
        if index > 0 {
            line.push(" ", if same { style_before.as_deref().unwrap_or("") } else { "" });
        }
        for (text, style) in &word.pieces {
            line.push(text, style);
        }
    }
    line.pieces.iter().map(|(text, style)| ink.paint(style, text)).collect()
}

/// The words of each line that ends with a hard break.
fn hard_lines(inlines: &[Inline], ink: Ink) -> Vec<Vec<Word>> {
    let mut lines = vec![Vec::new()];
    let mut word = Word::default();
    let mut end_word = |word: &mut Word, line_ends: bool| {
        if !word.pieces.is_empty()
            && let Some(line) = lines.last_mut()
        {
            line.push(std::mem::take(word));
        }
        if line_ends {
            lines.push(Vec::new());
        }
    };
    for inline in inlines {
        let style = style_of(inline);
        for c in printable(&text_of(inline, ink)).chars() {
            match c {
                '\n' => end_word(&mut word, true),
                ' ' | '\t' => end_word(&mut word, false),
                c => word.push(c.encode_utf8(&mut [0; 4]), &style),
            }
        }
    }
    end_word(&mut word, false);
    lines
}

/// The text with the marks that stand in for what can't be shown otherwise.
fn text_of(inline: &Inline, ink: Ink) -> String {
    let mut text = inline.text.clone();
    if inline.code && !ink.colour {
        text = format!("`{text}`");
    }
    match &inline.link {
        Some(target) if !target.starts_with('#') && !inline.text.contains(target.as_str()) => {
            format!("{text} ({target})")
        }
        _ => text,
    }
}

fn style_of(inline: &Inline) -> String {
    let codes = [
        (inline.strong, "1"),
        (inline.emphasis, "3"),
        (inline.link.is_some(), "4"),
        (inline.strikethrough, "9"),
        (inline.code, "36"),
    ];
    codes.iter().filter(|(on, _)| *on).map(|(_, code)| *code).collect::<Vec<_>>().join(";")
}
