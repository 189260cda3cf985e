//! The grey text behind the cursor: what is still to come, less with each word typed.

use super::{
    docs::Docs,
    syntax::syntax,
    walk::{Expected, walk},
};
use crate::resp::split_args;

/// The hint for a line with the cursor at its end, to be shown right behind it; `None` when there is
/// nothing (more) to say.
pub fn hint(docs: &Docs, line: &str) -> Option<String> {
    let words = split_args(line.as_bytes()).ok()?;
    let (command, named) = docs.find(&words)?;
    let ends_blank = line.ends_with([' ', '\t']);
    if command.container && words.len() == named {
        let all: Vec<_> = docs.subcommands(&command.name).filter_map(|c| c.name.split(' ').nth(1)).collect();
        return spaced(line, &format!("<{}>", all.join("|").to_lowercase()));
    }
    if words.len() == named {
        return spaced(line, &syntax(command));
    }
    let arguments = &words[named..];
    if !ends_blank && let Some((last, before)) = arguments.split_last() {
        // The last word may be the beginning of a fixed one.
        let walked = walk(&command.arguments, before);
        let begun = walked.expected.iter().find_map(|expected| match expected {
            Expected::Keyword(token, argument) if begins(token, last) => Some((*token, *argument)),
            _ => None,
        });
        if let Some((token, _)) = begun {
            let mut completed = before.to_vec();
            completed.push(token.as_bytes().to_vec());
            let rest = walk(&command.arguments, &completed).rest.join(" ");
            let remainder = token.get(last.len()..).unwrap_or_default();
            let gap = if rest.is_empty() { "" } else { " " };
            return Some(format!("{remainder}{gap}{rest}")).filter(|hint| !hint.is_empty());
        }
    }
    spaced(line, &walk(&command.arguments, arguments).rest.join(" "))
}

fn begins(token: &str, word: &[u8]) -> bool {
    !word.is_empty() && token.len() > word.len() && token.as_bytes()[..word.len()].eq_ignore_ascii_case(word)
}

fn spaced(line: &str, text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let gap = if line.ends_with([' ', '\t']) { "" } else { " " };
    Some(format!("{gap}{text}"))
}
