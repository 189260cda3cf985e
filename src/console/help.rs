//! `help`, `help COMMAND`, `help @group`.
//!
//! Owns: what help says, as redis-cli prints it (with its colours) and as lines for a screen. Must
//! not know: where it is shown.

use std::fmt::Write as _;

use super::{
    event::{ReplyLine, Span, Token},
    grammar::{Command, Docs, syntax},
};

/// What `help` alone says.
const GENERIC: &str = "\
To get help about Redis commands type:
      \"help @<group>\" to get a list of commands in <group>
      \"help <command>\" for help on <command>
      \"help <tab>\" to get a list of possible help topics
      \"quit\" to exit

To set redis-cli preferences:
      \":set hints\" enable online hints
      \":set nohints\" disable online hints
Set your preferences in ~/.redisclirc
";

/// The commands that `about` asks for: of a `@group`, or whose names begin with its words.
fn asked<'a>(docs: &'a Docs, about: &[String]) -> Vec<&'a Command> {
    let matches = |command: &&Command| {
        if let Some(group) = about[0].strip_prefix('@') {
            return command.group.eq_ignore_ascii_case(group);
        }
        let mut words = command.name.split(' ');
        about.iter().all(|word| words.next().is_some_and(|name| name.eq_ignore_ascii_case(word)))
    };
    docs.iter().filter(matches).collect()
}

/// Byte for byte what redis-cli writes, but for its name and version in the first line of `help` alone.
pub fn exact(docs: &Docs, about: &[String]) -> String {
    if about.is_empty() {
        return format!("cachelab {}\n{GENERIC}", env!("CARGO_PKG_VERSION"));
    }
    let with_group = !about[0].starts_with('@');
    let mut text = String::new();
    for command in asked(docs, about) {
        let label = |name: &str| format!("  \x1b[33m{name}:\x1b[0m ");
        let _ = write!(
            text,
            "\r\n  \x1b[1m{}\x1b[0m \x1b[90m{}\x1b[0m\r\n{}{}\r\n{}{}\r\n",
            command.name,
            syntax(command),
            label("summary"),
            command.summary,
            label("since"),
            command.since
        );
        if with_group {
            let _ = write!(text, "{}{}\r\n", label("group"), command.group);
        }
    }
    text + "\r\n"
}

/// The same and more for a screen: complexity, and what to use instead of a deprecated command.
pub fn lines(docs: &Docs, about: &[String]) -> Vec<ReplyLine> {
    if about.is_empty() {
        return GENERIC.lines().map(|line| ReplyLine::new(Token::Plain, line)).collect();
    }
    let asked = asked(docs, about);
    if asked.is_empty() {
        let what = about.join(" ");
        return vec![ReplyLine::new(
            Token::Note,
            format!("No help about {what:?}. Try \"help @string\" or \"help SET\"."),
        )];
    }
    let brief = about[0].starts_with('@');
    asked.into_iter().flat_map(|command| if brief { vec![brief_line(command)] } else { full(command) }).collect()
}

fn brief_line(command: &Command) -> ReplyLine {
    let span = |token, text: String| Span { token, text };
    ReplyLine {
        spans: vec![
            span(Token::Command, format!("{:<22} ", command.name)),
            span(Token::Plain, command.summary.clone()),
        ],
    }
}

fn full(command: &Command) -> Vec<ReplyLine> {
    let span = |token, text: String| Span { token, text };
    let mut lines = vec![ReplyLine {
        spans: vec![span(Token::Command, command.name.clone()), span(Token::Keyword, format!(" {}", syntax(command)))],
    }];
    let fields = [
        ("summary", command.summary.as_str()),
        ("complexity", &command.complexity),
        ("since", &command.since),
        ("group", &command.group),
        ("use instead", command.replaced_by.as_deref().unwrap_or_default()),
    ];
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        lines.push(ReplyLine {
            spans: vec![
                span(Token::Label, format!("  {name}: ")),
                span(Token::Plain, super::format::printable(value.as_bytes())),
            ],
        });
    }
    lines
}
