//! Styled text into lines of a given width.
//!
//! Owns: breaking runs of styled text into words and words into lines. Must not know: documents.
//! textwrap decides where lines end; words wider than a line are broken between graphemes.

use ratatui::{style::Style, text::Span};
use textwrap::{core::Fragment, wrap_algorithms::wrap_first_fit};

use crate::tui::text;

/// A run of text with one style, perhaps inside a link.
#[derive(Debug, Clone)]
pub struct Run {
    /// The text; `\n` is a hard break.
    pub text: String,
    /// Its style.
    pub style: Style,
    /// Number of the link it belongs to.
    pub link: Option<usize>,
}

/// A wrapped line: spans, and where links are in it.
#[derive(Debug, Clone, Default)]
pub struct Wrapped {
    /// The spans.
    pub spans: Vec<Span<'static>>,
    /// Columns that belong to a link: number, start, end.
    pub links: Vec<(usize, u16, u16)>,
    /// Columns used.
    pub width: usize,
}

#[derive(Debug, Clone, Default)]
struct Word {
    pieces: Vec<Run>,
    width: usize,
    space: Option<(Style, Option<usize>)>,
}

impl Fragment for Word {
    fn width(&self) -> f64 {
        self.width as f64
    }
    fn whitespace_width(&self) -> f64 {
        f64::from(u8::from(self.space.is_some()))
    }
    fn penalty_width(&self) -> f64 {
        0.0
    }
}

/// Wraps runs to `width` columns (at least one). No text gives no lines.
pub fn wrap(runs: &[Run], width: usize) -> Vec<Wrapped> {
    let width = width.max(1);
    paragraphs(runs)
        .into_iter()
        .flat_map(|words| {
            let words: Vec<Word> = words.into_iter().flat_map(|word| break_word(word, width)).collect();
            wrap_first_fit(&words, &[width as f64]).into_iter().map(join).collect::<Vec<_>>()
        })
        .collect()
}

/// Splits runs into hard-broken paragraphs of words.
fn paragraphs(runs: &[Run]) -> Vec<Vec<Word>> {
    let mut all = vec![Vec::new()];
    let mut word = Word::default();
    let flush = |word: &mut Word, all: &mut Vec<Vec<Word>>| {
        if !word.pieces.is_empty() {
            let paragraph: Option<&mut Vec<Word>> = all.last_mut();
            if let Some(paragraph) = paragraph {
                paragraph.push(std::mem::take(word));
            }
        }
    };
    for run in runs {
        let safe = text::clean(&run.text);
        let mut rest: &str = &safe;
        while !rest.is_empty() {
            let end = rest.find([' ', '\n']).unwrap_or(rest.len());
            if end > 0 {
                word.width += text::width(&rest[..end]);
                word.pieces.push(Run { text: rest[..end].to_owned(), ..run.clone() });
            }
            match rest[end..].chars().next() {
                Some('\n') => {
                    flush(&mut word, &mut all);
                    all.push(Vec::new());
                }
                Some(_) if word.pieces.is_empty() => {}
                Some(_) => {
                    word.space = Some((run.style, run.link));
                    flush(&mut word, &mut all);
                }
                None => {}
            }
            rest = rest.get(end + 1..).unwrap_or("");
        }
    }
    flush(&mut word, &mut all);
    all.retain(|paragraph| !paragraph.is_empty());
    all
}

/// Cuts a word wider than a line between graphemes.
fn break_word(mut word: Word, width: usize) -> Vec<Word> {
    if word.width <= width {
        return vec![word];
    }
    let mut parts = vec![Word::default()];
    for piece in std::mem::take(&mut word.pieces) {
        let mut rest = piece.text.as_str();
        while !rest.is_empty() {
            let used = parts.last().map_or(0, |part| part.width);
            let (mut head, mut wide) = text::prefix(rest, width - used.min(width));
            if head.is_empty() && used == 0 {
                // One grapheme wider than the line: let it overflow, the frame cuts it.
                head = rest.char_indices().nth(1).map_or(rest, |(at, _)| &rest[..at]);
                wide = width;
            }
            if head.is_empty() {
                parts.push(Word::default());
                continue;
            }
            if let Some(part) = parts.last_mut() {
                part.width += wide;
                part.pieces.push(Run { text: head.to_owned(), ..piece.clone() });
            }
            rest = &rest[head.len()..];
        }
    }
    if let Some(last) = parts.last_mut() {
        last.space = word.space;
    }
    parts
}

fn join(words: &[Word]) -> Wrapped {
    let mut line = Wrapped::default();
    for (at, word) in words.iter().enumerate() {
        for piece in &word.pieces {
            push(&mut line, &piece.text, piece.style, piece.link);
        }
        if let Some((style, link)) = word.space.filter(|_| at + 1 < words.len()) {
            push(&mut line, " ", style, link);
        }
    }
    line
}

fn push(to: &mut Wrapped, content: &str, style: Style, link: Option<usize>) {
    let start = to.width as u16;
    to.width += text::width(content);
    let end = to.width as u16;
    if let Some(link) = link {
        match to.links.last_mut() {
            Some((last, _, until)) if *last == link && *until == start => *until = end,
            _ => to.links.push((link, start, end)),
        }
    }
    match to.spans.last_mut() {
        Some(span) if span.style == style => span.content.to_mut().push_str(content),
        _ => to.spans.push(Span::styled(content.to_owned(), style)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Vec<Run> {
        vec![Run { text: text.into(), style: Style::new(), link: None }]
    }

    fn lines(text: &str, width: usize) -> Vec<String> {
        wrap(&plain(text), width)
            .iter()
            .map(|line| line.spans.iter().map(|span| span.content.as_ref()).collect())
            .collect()
    }

    #[test]
    fn breaks_between_words_and_inside_long_ones() {
        assert_eq!(lines("one two three", 7), ["one two", "three"]);
        assert_eq!(lines("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(lines("a\nb", 10), ["a", "b"]);
        assert_eq!(lines("日本語テキスト", 5), ["日本", "語テ", "キス", "ト"]);
        assert_eq!(lines("日", 1), ["日"]);
        assert!(lines("   ", 5).is_empty());
    }

    #[test]
    fn a_link_knows_its_columns() {
        let runs = [
            Run { text: "see ".into(), style: Style::new(), link: None },
            Run { text: "the other unit".into(), style: Style::new().underlined(), link: Some(0) },
            Run { text: ".".into(), style: Style::new(), link: None },
        ];
        let wrapped = wrap(&runs, 13);
        assert_eq!(wrapped[0].links, [(0, 4, 13)]);
        assert_eq!(wrapped[1].links, [(0, 0, 4)]);
        assert_eq!(wrapped[1].width, 5, "the full stop stays with its word");
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_too_wide_and_no_letter_is_lost(text in "[a-zé日 ]{0,80}", width in 2usize..30) {
            let lines = lines(&text, width);
            for line in &lines {
                proptest::prop_assert!(text::width(line) <= width, "{line:?}");
            }
            let squeeze = |s: &str| s.replace(' ', "");
            proptest::prop_assert_eq!(squeeze(&lines.concat()), squeeze(&text));
        }
    }
}
