//! Colours of token classes on a terminal: of the sixteen that every theme defines.

use nu_ansi_term::{Color, Style};

use crate::console::{ReplyLine, Token};

/// The style of a class.
pub(super) fn of(token: Token) -> Style {
    match token {
        Token::Status => Color::Green.normal(),
        Token::Error | Token::Invalid => Color::Red.normal(),
        Token::Label | Token::Nil | Token::Note | Token::Index => Color::DarkGray.normal(),
        Token::Number => Color::Cyan.normal(),
        Token::Text | Token::Plain => Style::default(),
        Token::Key => Color::Yellow.normal(),
        Token::Push | Token::Keyword => Color::Magenta.normal(),
        Token::Command | Token::Subcommand => Color::Blue.bold(),
        Token::Local => Color::Cyan.bold(),
    }
}

/// A line of a reply as text for the terminal.
pub(super) fn paint(line: &ReplyLine, colour: bool) -> String {
    if !colour {
        return line.text();
    }
    line.spans.iter().map(|span| of(span.token).paint(&span.text).to_string()).collect()
}
