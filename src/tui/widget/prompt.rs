//! Commands and replies in the console's colours.
//!
//! Owns: from token classes to styles. Must not know: sessions, editing.

use std::ops::Range;

use ratatui::text::{Line, Span};

use crate::{
    console::{ReplyLine, Token},
    tui::{
        text,
        theme::{Role, Theme},
    },
};

/// The role of a token.
pub fn role(token: Token) -> Role {
    match token {
        Token::Status => Role::Good,
        Token::Error | Token::Invalid => Role::Bad,
        Token::Label | Token::Index | Token::Note => Role::Dim,
        Token::Nil => Role::Comment,
        Token::Number => Role::Number,
        Token::Text => Role::String,
        Token::Key => Role::Type,
        Token::Push => Role::Important,
        Token::Command => Role::Function,
        Token::Subcommand | Token::Keyword => Role::Keyword,
        Token::Local => Role::Info,
        Token::Plain => Role::Text,
    }
}

/// A line of the console: a reply, or a command after its prompt.
pub fn reply(line: &ReplyLine, theme: Theme) -> Line<'static> {
    if let [prompt, command] = line.spans.as_slice()
        && command.token == Token::Command
    {
        let mut spans = vec![Span::styled(text::clean(&prompt.text).into_owned(), theme.style(Role::Dim))];
        spans.extend(coloured(&command.text, theme));
        return Line::from(spans);
    }
    let span =
        |span: &crate::console::Span| Span::styled(text::clean(&span.text).into_owned(), theme.style(role(span.token)));
    Line::from(line.spans.iter().map(span).collect::<Vec<_>>())
}

/// A typed line by its classed ranges; what no range covers is plain.
pub fn typed(line: &str, colours: &[(Range<usize>, Token)], theme: Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut from = 0;
    for (range, token) in colours {
        let (Some(between), Some(piece)) = (line.get(from..range.start), line.get(range.clone())) else { continue };
        if !between.is_empty() {
            spans.push(Span::raw(text::clean(between).into_owned()));
        }
        spans.push(Span::styled(text::clean(piece).into_owned(), theme.style(role(*token))));
        from = range.end;
    }
    if let Some(rest) = line.get(from..).filter(|rest| !rest.is_empty()) {
        spans.push(Span::raw(text::clean(rest).into_owned()));
    }
    spans
}

/// A command of a lesson, coloured by its looks alone: no session is needed to read.
pub fn coloured(line: &str, theme: Theme) -> Vec<Span<'static>> {
    let mut colours: Vec<(Range<usize>, Token)> = Vec::new();
    let mut start = None;
    let mut quote = None;
    for (at, c) in line.char_indices().chain(std::iter::once((line.len(), ' '))) {
        match (start, quote) {
            (None, _) if c != ' ' => {
                start = Some(at);
                quote = (c == '"' || c == '\'').then_some(c);
            }
            (Some(_), Some(q)) if c == q => quote = None,
            (Some(from), None) if c == ' ' => {
                let word = &line[from..at];
                let token = if colours.is_empty() {
                    Token::Command
                } else if word.starts_with(['"', '\'']) {
                    Token::Text
                } else if word.parse::<f64>().is_ok() {
                    Token::Number
                } else if word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase()) {
                    Token::Keyword
                } else {
                    Token::Plain
                };
                colours.push((from..at, token));
                start = None;
            }
            _ => {}
        }
    }
    typed(line, &colours, theme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_keeps_its_text_whatever_it_is() {
        for line in ["SET k \"a b\" EX 10", "", "  GET  k ", "SET k \"open", "日本 語", "SET k 'it''s'"] {
            let spans = coloured(line, Theme::default());
            let text: String = spans.iter().map(|span| span.content.as_ref()).collect();
            assert_eq!(text, line);
        }
    }
}
