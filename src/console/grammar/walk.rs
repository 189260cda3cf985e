//! Typed words walked along a command's grammar.
//!
//! One pass answers all that a line editor asks: what each word is, what may come next, what is
//! still missing. It is lenient: the server is the judge, and a console that marks right words as
//! wrong is worse than one that misses a mistake.

use super::{
    docs::{Argument, ArgumentKind},
    syntax::argument_syntax,
};
use crate::console::event::Token;

/// What a typed word is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its class.
    pub token: Token,
    /// The argument it fills; empty for keywords and what is unexpected.
    pub argument: String,
    /// Why the server would refuse it.
    pub problem: Option<String>,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected<'a> {
    /// A fixed word.
    Keyword(&'a str, &'a Argument),
    /// A value for this argument.
    Value(&'a Argument),
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Walk<'a> {
    /// One for each word walked.
    pub words: Vec<Word>,
    /// What may come next, the likeliest first.
    pub expected: Vec<Expected<'a>>,
    /// The syntax of what is still to come.
    pub rest: Vec<String>,
    /// Nothing that is required is missing.
    pub complete: bool,
}

/// Walks the words after the command's name along its arguments.
pub fn walk<'a>(arguments: &'a [Argument], words: &[Vec<u8>]) -> Walk<'a> {
    let mut walker = Walker { words, at: 0, seen: Vec::new(), keys: None };
    let end = walker.sequence(arguments, &[], true);
    Walk { words: walker.seen, expected: end.expected, rest: end.rest, complete: !end.open }
}

/// Where the walk stands after an argument (or a sequence of them).
#[derive(Debug, Default)]
struct End<'a> {
    rest: Vec<String>,
    expected: Vec<Expected<'a>>,
    /// A word that is required is missing.
    open: bool,
}

struct Walker<'w> {
    words: &'w [Vec<u8>],
    at: usize,
    seen: Vec<Word>,
    /// `numkeys`: how many keys follow.
    keys: Option<usize>,
}

impl<'w> Walker<'w> {
    fn word(&self) -> Option<&'w [u8]> {
        self.words.get(self.at).map(Vec::as_slice)
    }

    fn take(&mut self, token: Token, argument: &str, problem: Option<String>) {
        self.seen.push(Word { token, argument: argument.to_owned(), problem });
        self.at += 1;
    }

    /// Walks arguments in order, their options in any order. `stops` are words at which an argument
    /// that may be repeated ends, as they belong to what follows outside.
    fn sequence<'a>(&mut self, arguments: &'a [Argument], stops: &[&str], outermost: bool) -> End<'a> {
        let mut matched = vec![false; arguments.len()];
        let mut last = End::default();
        while let Some(word) = self.word() {
            let Some(index) = choose(arguments, &matched, word, self.keys) else {
                if !outermost {
                    break;
                }
                let problem = format!("{} is not expected here", super::super::format::printable(word));
                self.take(Token::Invalid, "", Some(problem));
                continue;
            };
            let before = self.at;
            matched[index] = true;
            let mut ends = stops.to_vec();
            ends.extend(
                arguments.iter().zip(&matched).filter(|(_, done)| !**done).flat_map(|(a, _)| leading_tokens(a)),
            );
            let reserve = arguments.iter().zip(&matched).filter(|(_, done)| !**done).map(|(a, _)| least(a)).sum();
            last = self.argument(&arguments[index], &ends, reserve, twin(arguments, index));
            if self.at == before {
                break;
            }
        }
        finish(arguments, &matched, last)
    }

    /// One argument with its token and repetitions.
    fn argument<'a>(&mut self, argument: &'a Argument, stops: &[&str], reserve: usize, twin: bool) -> End<'a> {
        let mut left = self.repetitions(argument, reserve, twin);
        let mut first = true;
        loop {
            let with_token = argument.token.is_some() && argument.kind != ArgumentKind::PureToken;
            if with_token && (first || argument.multiple_token) {
                self.take(Token::Keyword, "", None);
            }
            first = false;
            let end = self.body(argument, stops);
            left = left.saturating_sub(1);
            if end.open || !argument.multiple {
                return end;
            }
            let goes_on = self.word().is_some_and(|word| {
                let again = argument.token.as_deref().filter(|_| argument.multiple_token);
                again.map_or(!stops.iter().any(|stop| equals(word, stop)), |token| equals(word, token))
            });
            if left == 0 || !goes_on {
                return more_of(argument, end, left);
            }
        }
    }

    /// How often an argument may be taken from the words there are.
    fn repetitions(&mut self, argument: &Argument, reserve: usize, twin: bool) -> usize {
        let available = self.words.len() - self.at;
        if argument.kind == ArgumentKind::Key
            && argument.multiple
            && let Some(keys) = self.keys.take()
        {
            return keys.max(1);
        }
        if twin {
            // `key [key …] id [id …]`: as many of the one as of the other.
            return available.saturating_sub(usize::from(argument.token.is_some())).div_ceil(2).max(1);
        }
        let size = argument.children.iter().map(least).sum::<usize>().max(1);
        if reserve > 0 { (available.saturating_sub(reserve) / size).max(1) } else { usize::MAX }
    }

    fn body<'a>(&mut self, argument: &'a Argument, stops: &[&str]) -> End<'a> {
        match argument.kind {
            ArgumentKind::Block => self.sequence(&argument.children, stops, false),
            ArgumentKind::OneOf => {
                let Some(word) = self.word() else { return missing(argument) };
                let child = argument.children.iter().find(|child| leads(child, word));
                let child = child.or_else(|| argument.children.iter().find(|child| leading_tokens(child).is_empty()));
                if let Some(child) = child {
                    return self.argument(child, stops, 0, false);
                }
                let problem = format!("expected {}", argument_syntax(argument));
                self.take(Token::Invalid, "", Some(problem));
                End::default()
            }
            ArgumentKind::PureToken => {
                self.take(Token::Keyword, "", None);
                End::default()
            }
            _ => self.scalar(argument),
        }
    }

    fn scalar<'a>(&mut self, argument: &'a Argument) -> End<'a> {
        let Some(word) = self.word() else { return missing(argument) };
        let number = std::str::from_utf8(word).ok().and_then(|text| text.parse::<i64>().ok());
        if argument.name == "numkeys" {
            self.keys = number.and_then(|number| usize::try_from(number).ok());
        }
        let (token, problem) = match argument.kind {
            ArgumentKind::Key => (Token::Key, None),
            ArgumentKind::Integer | ArgumentKind::UnixTime if is_word(word) => {
                (Token::Invalid, Some(format!("{} must be an integer", argument.name)))
            }
            ArgumentKind::Integer | ArgumentKind::UnixTime | ArgumentKind::Double => (Token::Number, None),
            _ if number.is_some() => (Token::Number, None),
            _ => (Token::Text, None),
        };
        self.take(token, &argument.name, problem);
        End::default()
    }
}

/// The argument that a word begins: an option by its token, or the next in order.
fn choose(arguments: &[Argument], matched: &[bool], word: &[u8], keys: Option<usize>) -> Option<usize> {
    let open = || {
        let required = arguments.iter().zip(matched).position(|(argument, done)| !done && !argument.optional);
        (0..required.map_or(arguments.len(), |at| at + 1)).filter(|index| !matched[*index])
    };
    // numkeys was 0: the keys are skipped, what follows are plain arguments.
    let skipped = |argument: &Argument| keys == Some(0) && argument.kind == ArgumentKind::Key && argument.multiple;
    open()
        .find(|index| leads(&arguments[*index], word))
        .or_else(|| open().find(|index| leading_tokens(&arguments[*index]).is_empty() && !skipped(&arguments[*index])))
        .or_else(|| {
            // One of several words or a value: `MAXLEN|MINID …`, `*|id`.
            open().find(|index| arguments[*index].kind == ArgumentKind::OneOf && takes_value(&arguments[*index]))
        })
        .or_else(|| open().find(|index| !arguments[*index].optional && arguments[*index].kind == ArgumentKind::OneOf))
}

/// The words an argument can begin with, when it must begin with one; of a choice, those of its branches.
fn leading_tokens(argument: &Argument) -> Vec<&str> {
    if let Some(token) = &argument.token {
        return vec![token];
    }
    match argument.kind {
        ArgumentKind::OneOf => argument.children.iter().flat_map(leading_tokens).collect(),
        ArgumentKind::Block => {
            let required = argument.children.iter().position(|child| !child.optional).unwrap_or(0);
            let first: Vec<Vec<&str>> = argument.children.iter().take(required + 1).map(leading_tokens).collect();
            // A block that may begin with a value has no word it must begin with.
            if first.last().is_some_and(Vec::is_empty) { Vec::new() } else { first.concat() }
        }
        _ => Vec::new(),
    }
}

fn leads(argument: &Argument, word: &[u8]) -> bool {
    leading_tokens(argument).iter().any(|token| equals(word, token))
}

fn takes_value(argument: &Argument) -> bool {
    argument.token.is_none()
        && match argument.kind {
            ArgumentKind::OneOf => argument.children.iter().any(takes_value),
            ArgumentKind::PureToken => false,
            ArgumentKind::Block => argument.children.first().is_some_and(takes_value),
            _ => true,
        }
}

/// The fewest words an argument takes.
fn least(argument: &Argument) -> usize {
    if argument.optional {
        return 0;
    }
    let token = usize::from(argument.token.is_some() && argument.kind != ArgumentKind::PureToken);
    token
        + match argument.kind {
            ArgumentKind::Block => argument.children.iter().map(least).sum(),
            ArgumentKind::OneOf => argument.children.iter().map(least).min().unwrap_or(0),
            _ => 1,
        }
}

/// A repeated argument right before another repeated one.
fn twin(arguments: &[Argument], index: usize) -> bool {
    let repeated = |argument: &Argument| argument.multiple && !argument.optional && argument.token.is_none();
    repeated(&arguments[index]) && arguments.get(index + 1).is_some_and(repeated)
}

fn equals(word: &[u8], token: &str) -> bool {
    word.eq_ignore_ascii_case(token.as_bytes()) || (token == "\"\"" && word.is_empty())
}

/// Plainly no number: begins with a letter.
fn is_word(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_alphabetic)
}

fn missing(argument: &Argument) -> End<'_> {
    let bare = Argument { token: None, optional: false, multiple: false, ..argument.clone() };
    End { rest: vec![argument_syntax(&bare)], expected: starts_of_body(argument), open: true }
}

/// An argument that may be repeated was: once more is possible.
fn more_of<'a>(argument: &'a Argument, mut end: End<'a>, left: usize) -> End<'a> {
    if left > 0 {
        let bare = Argument { optional: false, multiple: false, ..argument.clone() };
        let bare = if argument.multiple_token { bare } else { Argument { token: None, ..bare } };
        end.rest.push(format!("[{} ...]", argument_syntax(&bare)));
        end.expected.extend(if argument.multiple_token { starts(argument) } else { starts_of_body(argument) });
    }
    end
}

fn finish<'a>(arguments: &'a [Argument], matched: &[bool], last: End<'a>) -> End<'a> {
    let mut end = last;
    let inner_open = end.open;
    let mut blocked = inner_open;
    for (argument, _) in arguments.iter().zip(matched).filter(|(_, done)| !**done) {
        end.rest.push(argument_syntax(argument));
        if !blocked {
            end.expected.extend(starts(argument));
            blocked = !argument.optional;
        }
        end.open |= !argument.optional;
    }
    end
}

/// What an argument can begin with.
fn starts(argument: &Argument) -> Vec<Expected<'_>> {
    match &argument.token {
        Some(token) => vec![Expected::Keyword(token, argument)],
        None => starts_of_body(argument),
    }
}

fn starts_of_body(argument: &Argument) -> Vec<Expected<'_>> {
    match argument.kind {
        ArgumentKind::OneOf => argument.children.iter().flat_map(starts).collect(),
        ArgumentKind::Block => {
            let mut all = Vec::new();
            for child in &argument.children {
                all.extend(starts(child));
                if !child.optional {
                    break;
                }
            }
            all
        }
        ArgumentKind::PureToken => Vec::new(),
        _ => vec![Expected::Value(argument)],
    }
}
