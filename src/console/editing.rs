//! Help while a line is typed: completion, colours, problems.
//!
//! Owns: the way from a line and a cursor to candidates, classes and remarks. Must not know: key
//! strokes, screens.

use std::{ops::Range, sync::Arc};

use super::{
    event::{Candidate, CandidateKind, Problem, Token},
    format::{escape, printable},
    grammar::{ArgumentKind, Docs, Expected, walk},
    names::Names,
};
use crate::resp::{Span, split_spans};

/// Key names offered at once.
const OFFERED: usize = 100;
/// Words answered by the console itself.
const LOCAL: [(&str, &str); 7] = [
    ("help", "what a command does: help SET, help @string"),
    ("peek", "a key's type, size, expiry and the beginning of its value"),
    ("clear", "empty the screen"),
    ("quit", "leave"),
    ("exit", "leave"),
    ("connect", "connect HOST PORT"),
    (":set", ":set hints, nohints, utf8, noutf8"),
];

/// The words of a line as far as they can be told apart, and the rest that can't (a quote is open or
/// closed wrongly).
fn spans(line: &str) -> (Vec<Span>, Option<(Range<usize>, bool)>) {
    match split_spans(line.as_bytes()) {
        Ok(spans) => (spans, None),
        Err(error) => {
            let before = split_spans(&line.as_bytes()[..error.argument]).unwrap_or_default();
            (before, Some((error.argument..line.len(), error.open)))
        }
    }
}

/// A repeat count stands first.
fn counted(spans: &[Span]) -> bool {
    spans.len() > 1 && spans[0].1.iter().all(u8::is_ascii_digit) && !spans[0].1.is_empty()
}

/// See [`Session::highlight`](super::Session::highlight).
pub(super) fn highlight(docs: &Docs, line: &str) -> Vec<(Range<usize>, Token)> {
    let (spans, broken) = spans(line);
    let mut classed: Vec<(Range<usize>, Token)> = Vec::new();
    let skip = usize::from(counted(&spans));
    if skip == 1 {
        classed.push((spans[0].0.clone(), Token::Local));
    }
    let words = &spans[skip..];
    let arguments: Vec<Vec<u8>> = words.iter().map(|(_, word)| word.clone()).collect();
    let tokens = word_classes(docs, &arguments, line.ends_with([' ', '\t']));
    classed.extend(words.iter().zip(tokens).map(|((range, _), token)| (range.clone(), token)));
    if let Some((range, open)) = broken {
        classed.push((range, if open { Token::Text } else { Token::Invalid }));
    }
    covered(line, classed)
}

/// The class of each word.
fn word_classes(docs: &Docs, words: &[Vec<u8>], ended: bool) -> Vec<Token> {
    let Some(first) = words.first() else { return Vec::new() };
    if is_local(first, words.len()) {
        return words.iter().enumerate().map(|(i, _)| if i == 0 { Token::Local } else { Token::Plain }).collect();
    }
    let Some((command, named)) = docs.find(words) else {
        // Perhaps not typed to its end yet.
        let begun = words.len() == 1 && !ended && begins_command(docs, first);
        let token = if begun { Token::Plain } else { Token::Invalid };
        return words.iter().enumerate().map(|(i, _)| if i == 0 { token } else { Token::Plain }).collect();
    };
    let mut tokens = vec![Token::Command, Token::Subcommand];
    tokens.truncate(named);
    tokens.extend(walk(&command.arguments, &words[named..]).words.into_iter().map(|word| word.token));
    if named == 1 && command.container && words.len() > 1 {
        tokens[1] = if ended || words.len() > 2 { Token::Invalid } else { Token::Plain };
    }
    // The word being typed may become a right one.
    if let (false, Some(last)) = (ended, tokens.last_mut())
        && *last == Token::Invalid
        && words.len() > named
    {
        *last = Token::Plain;
    }
    tokens
}

fn begins_command(docs: &Docs, word: &[u8]) -> bool {
    let upper = String::from_utf8_lossy(word).to_ascii_uppercase();
    docs.iter().any(|command| command.name.starts_with(&upper)) || LOCAL.iter().any(|(name, _)| begins(name, word))
}

fn is_local(word: &[u8], words: usize) -> bool {
    let word = word.to_ascii_lowercase();
    match word.as_slice() {
        b"help" | b"?" | b"quit" | b"exit" => true,
        b"clear" => words == 1,
        b"peek" => words <= 2,
        b"connect" => words <= 3,
        _ => word.first() == Some(&b':'),
    }
}

/// Fills the gaps between classed ranges.
fn covered(line: &str, classed: Vec<(Range<usize>, Token)>) -> Vec<(Range<usize>, Token)> {
    let mut all = Vec::with_capacity(classed.len() * 2 + 1);
    let mut at = 0;
    for (range, token) in classed {
        if range.start > at {
            all.push((at..range.start, Token::Plain));
        }
        at = range.end;
        all.push((range, token));
    }
    if at < line.len() {
        all.push((at..line.len(), Token::Plain));
    }
    all
}

/// See [`Session::problems`](super::Session::problems).
pub(super) fn problems(docs: &Docs, line: &str) -> Vec<Problem> {
    let (spans, broken) = spans(line);
    if let Some((range, open)) = broken {
        let message = if open { "the quote is not closed" } else { "a closing quote must be followed by a blank" };
        return vec![Problem { range, message: message.into() }];
    }
    let words = &spans[usize::from(counted(&spans))..];
    let arguments: Vec<Vec<u8>> = words.iter().map(|(_, word)| word.clone()).collect();
    let Some(first) = words.first() else { return Vec::new() };
    if is_local(&first.1, words.len()) {
        return Vec::new();
    }
    let Some((command, named)) = docs.find(&arguments) else {
        return vec![Problem { range: first.0.clone(), message: unknown(docs, &first.1) }];
    };
    if command.container && named == 1 {
        let range = words.get(1).map_or(first.0.clone(), |(range, _)| range.clone());
        return vec![Problem { range, message: format!("{} needs a subcommand it has", command.name) }];
    }
    let walked = walk(&command.arguments, &arguments[named..]);
    let with_range = walked.words.into_iter().zip(&words[named..]);
    with_range
        .filter_map(|(word, (range, _))| word.problem.map(|message| Problem { range: range.clone(), message }))
        .collect()
}

fn unknown(docs: &Docs, word: &[u8]) -> String {
    let typed = String::from_utf8_lossy(word).to_ascii_uppercase();
    let near = docs
        .iter()
        .map(|command| (strsim::damerau_levenshtein(&typed, &command.name), &command.name))
        .min()
        .filter(|(distance, _)| *distance <= 2);
    match near {
        Some((_, name)) => format!("unknown command; did you mean {name}?"),
        None => format!("unknown command {}", printable(word)),
    }
}

/// See [`Session::complete`](super::Session::complete).
pub(super) fn complete(docs: &Docs, names: &Arc<Names>, line: &str, cursor: usize) -> Vec<Candidate> {
    let Some(before) = line.get(..cursor.min(line.len())) else { return Vec::new() };
    let (mut words, broken) = spans(before);
    let typing = if let Some((range, open)) = broken {
        if !open {
            return Vec::new();
        }
        // Inside an open quote: what stands in it so far.
        let closed =
            format!("{}{}", &before[range.clone()], if before[range.start..].starts_with('\'') { "'" } else { "\"" });
        let word = split_spans(closed.as_bytes()).ok().and_then(|mut spans| spans.pop()).map_or_else(Vec::new, |s| s.1);
        (range, word)
    } else if before.ends_with([' ', '\t', '\n']) || before.is_empty() {
        (before.len()..before.len(), Vec::new())
    } else {
        words.pop().unwrap_or((before.len()..before.len(), Vec::new()))
    };
    if !words.is_empty() && words[0].1.iter().all(u8::is_ascii_digit) {
        words.remove(0);
    }
    let arguments: Vec<Vec<u8>> = words.into_iter().map(|(_, word)| word).collect();
    let place = Place { docs, names, range: typing.0, word: typing.1 };
    place.candidates(&arguments)
}

struct Place<'a> {
    docs: &'a Docs,
    names: &'a Arc<Names>,
    range: Range<usize>,
    /// What stands there so far, without quotes.
    word: Vec<u8>,
}

impl Place<'_> {
    fn candidates(&self, before: &[Vec<u8>]) -> Vec<Candidate> {
        let Some(first) = before.first() else { return self.commands() };
        match first.to_ascii_lowercase().as_slice() {
            b"help" | b"?" => return self.topics(before),
            b"peek" => return self.keys(),
            b":set" => {
                let words = ["hints", "nohints", "utf8", "noutf8"];
                return words.into_iter().filter_map(|word| self.fixed(word, CandidateKind::Local, "")).collect();
            }
            _ => {}
        }
        let Some((command, named)) = self.docs.find(before) else { return Vec::new() };
        if command.container && named == before.len() {
            let subcommands = self.docs.subcommands(&command.name);
            return subcommands
                .filter_map(|sub| self.fixed(sub.name.split(' ').nth(1)?, CandidateKind::Subcommand, &sub.summary))
                .collect();
        }
        let walked = walk(&command.arguments, &before[named..]);
        let mut found = Vec::new();
        for expected in walked.expected {
            match expected {
                Expected::Keyword(token, argument) => {
                    found.extend(self.fixed(token, CandidateKind::Keyword, &argument.name));
                }
                Expected::Value(argument) if argument.kind == ArgumentKind::Key => found.extend(self.keys()),
                Expected::Value(_) => {}
            }
        }
        found
    }

    fn commands(&self) -> Vec<Candidate> {
        let commands = self.docs.iter().filter(|command| !command.name.contains(' '));
        let commands = commands.filter_map(|c| self.fixed(&c.name, CandidateKind::Command, &c.summary));
        let local = LOCAL.iter().filter(|_| !self.word.is_empty());
        let local = local.filter_map(|(name, about)| self.fixed(name, CandidateKind::Local, about));
        let mut found: Vec<Candidate> = commands.chain(local).collect();
        // GET before GEORADIUSBYMEMBER_RO: short names are the common ones.
        found.sort_by_key(|candidate| candidate.text.len());
        found
    }

    fn topics(&self, before: &[Vec<u8>]) -> Vec<Candidate> {
        if let [_, container] = before {
            let container = String::from_utf8_lossy(container);
            let subcommands = self.docs.subcommands(&container);
            return subcommands
                .filter_map(|sub| self.fixed(sub.name.split(' ').nth(1)?, CandidateKind::Local, &sub.summary))
                .collect();
        }
        if before.len() > 2 {
            return Vec::new();
        }
        let mut groups: Vec<String> = self.docs.iter().map(|command| format!("@{}", command.group)).collect();
        groups.sort();
        groups.dedup();
        let groups = groups.iter().filter_map(|group| self.fixed(group, CandidateKind::Local, "all of this group"));
        let mut found: Vec<Candidate> = if self.word.is_empty() { Vec::new() } else { self.commands() };
        found.retain(|candidate| candidate.kind == CandidateKind::Command);
        groups.chain(found).collect()
    }

    fn keys(&self) -> Vec<Candidate> {
        self.names.search(&self.word);
        let names = self.names.matching(&self.word, OFFERED);
        names.iter().map(|name| self.candidate(quoted(name), CandidateKind::Key, "")).collect()
    }

    /// A fixed word that the typed one begins, in the case it is typed in.
    fn fixed(&self, word: &str, kind: CandidateKind, detail: &str) -> Option<Candidate> {
        if !begins(word, &self.word) {
            return None;
        }
        let lower = self.word.iter().any(u8::is_ascii_lowercase) || kind == CandidateKind::Local;
        let text = if lower { word.to_ascii_lowercase() } else { word.to_owned() };
        Some(self.candidate(text, kind, detail))
    }

    fn candidate(&self, text: String, kind: CandidateKind, detail: &str) -> Candidate {
        Candidate { replace: self.range.clone(), text, kind, detail: printable(detail.as_bytes()) }
    }
}

fn begins(word: &str, typed: &[u8]) -> bool {
    word.len() >= typed.len() && word.as_bytes()[..typed.len()].eq_ignore_ascii_case(typed)
}

/// A name as it must be typed: in quotes where it has blanks, quotes or bytes that are not text.
fn quoted(name: &[u8]) -> String {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '\'';
    if let Ok(text) = std::str::from_utf8(name)
        && !text.is_empty()
        && text.chars().all(plain)
        && printable(name) == text
    {
        return text.to_owned();
    }
    let mut out = vec![b'"'];
    escape(name, true, &mut out);
    out.push(b'"');
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes_of(line: &str) -> String {
        let all = highlight(Docs::built_in(), line);
        let joined: String = all.iter().map(|(range, _)| &line[range.clone()]).collect();
        assert_eq!(joined, line, "all of the line is covered, in order");
        all.iter().map(|(_, token)| format!("{token:?}").chars().next().unwrap()).filter(|c| *c != 'P').collect()
    }

    #[test]
    fn lines_are_coloured() {
        assert_eq!(classes_of("3 SET k 'v w' EX 10"), "LCKTKN");
        assert_eq!(classes_of("config get max"), "CST");
        assert_eq!(classes_of("nosuch x "), "I");
        assert_eq!(classes_of("GE"), "");
        assert_eq!(classes_of("GET k 'open"), "CKT");
        assert_eq!(classes_of("GET 'a'b"), "CI");
        assert_eq!(classes_of(""), "");
        assert_eq!(classes_of("SET 日本 \u{1F600} EX 1"), "CKTKN");
    }

    #[test]
    fn problems_name_what_is_wrong() {
        let of = |line: &str| problems(Docs::built_in(), line).into_iter().map(|p| p.message).collect::<Vec<_>>();
        assert_eq!(of("SET k v EX 10"), Vec::<String>::new());
        assert_eq!(of("GTE k"), ["unknown command; did you mean GET?"]);
        assert_eq!(of("GET k x"), ["x is not expected here"]);
        assert_eq!(of("EXPIRE k soon"), ["seconds must be an integer"]);
        assert_eq!(of("GET 'k"), ["the quote is not closed"]);
    }

    #[tokio::test]
    async fn candidates_fit_the_place() {
        let endpoint: Endpoint = nowhere();
        let (events, _receiver) = tokio::sync::mpsc::channel(1);
        let names = Arc::new(Names::new(endpoint, events.downgrade()));
        for name in ["user:1", "user:2", "with blank"] {
            names.saw(name.as_bytes());
        }
        let of = |line: &str| -> Vec<String> {
            complete(Docs::built_in(), &names, line, line.len()).into_iter().map(|c| c.text).collect()
        };
        assert!(of("ge").contains(&"getdel".to_owned()));
        assert!(of("GETD").contains(&"GETDEL".to_owned()));
        assert_eq!(of("config res"), ["resetstat"]);
        assert_eq!(of("GET use"), ["user:1", "user:2"]);
        assert_eq!(of("GET w"), ["\"with blank\""]);
        assert_eq!(of("GET \"wit"), ["\"with blank\""]);
        assert_eq!(of("SET k v E"), ["EX", "EXAT"]);
        assert_eq!(of("SET k v EX 5 "), ["NX", "XX", "IFEQ", "GET"]);
        assert_eq!(of("2 GET user:2"), ["user:2"]);
        assert!(of("help @s").contains(&"@string".to_owned()));
    }

    use crate::server::{Address, Endpoint, Flavour, Ownership, Version};

    fn nowhere() -> Endpoint {
        Endpoint {
            address: Address::Unix("/nonexistent/socket".into()),
            username: None,
            password: None,
            database: 0,
            tls: false,
            ownership: Ownership::Private,
            flavour: Flavour { name: "valkey".into(), version: Version::new(9, 1, 2) },
            redis_version: Version::new(7, 2, 4),
        }
    }
}
