//! `redis` fences: commands with the replies that a learner will see.

use super::{
    Body,
    fence::{Fence, Seen},
};
use crate::{
    course::{
        lesson::{Expected, RedisBlock, RedisStep},
        load::File,
    },
    diagnostic::Diagnostic,
};

/// Reads a `redis` fence.
pub(super) fn block(file: &File, fence: &Fence, seen: &mut Seen, body: &mut Body) -> RedisBlock {
    let line_of = |offset: usize| file.text[..offset].matches('\n').count() + 1;
    let mut block = RedisBlock {
        index: seen.redis_blocks,
        setup: Vec::new(),
        steps: Vec::new(),
        line: line_of(fence.opening.start),
    };
    seen.redis_blocks += 1;
    let known = body.mistakes.len();
    let mut start = 0;
    for whole in fence.text.split_inclusive('\n') {
        let place = fence.place(start..start + whole.trim_end().len());
        start += whole.len();
        let line = whole.trim_end();
        if line.trim().is_empty() {
            continue;
        }
        if let Err((message, help)) = take(line, line_of(place.start), &mut block) {
            let mut mistake: Diagnostic = file.mistake(place, message);
            mistake.help = Some(help.to_owned());
            body.mistakes.push(mistake);
        }
    }
    if block.steps.is_empty() && body.mistakes.len() == known {
        let mut mistake = file.mistake(fence.opening.clone(), "a redis block without a command");
        mistake.help = Some("a line is a command; `#> …` under it is its reply".to_owned());
        body.mistakes.push(mistake);
    }
    block
}

type Refusal = (String, &'static str);

/// Adds one line to the block.
fn take(line: &str, number: usize, block: &mut RedisBlock) -> Result<(), Refusal> {
    if let Some(text) = line.strip_prefix("#>") {
        return expect(block, Expected::Exact(one_space_off(text)));
    }
    if let Some(text) = line.strip_prefix("#~") {
        if !text.contains('*') && !text.contains("<number>") {
            return Err((
                "a pattern without a placeholder".to_owned(),
                "use * or <number> in it, or #> for an exact reply",
            ));
        }
        return expect(block, Expected::Pattern(one_space_off(text)));
    }
    if let Some(text) = line.strip_prefix("#!") {
        return setup(text.trim(), block);
    }
    if line.trim_start().starts_with('#') {
        return Err((format!("unknown annotation {line:?}"), "known are #> reply, #~ pattern and #! setup: command"));
    }
    let command = line.trim();
    check_quotes(command)?;
    block.steps.push(RedisStep { command: command.to_owned(), expected: Vec::new(), line: number });
    Ok(())
}

fn expect(block: &mut RedisBlock, expected: Expected) -> Result<(), Refusal> {
    let Some(step) = block.steps.last_mut() else {
        return Err(("an expected reply before any command".to_owned(), "put it under the command that it answers"));
    };
    step.expected.push(expected);
    Ok(())
}

fn setup(text: &str, block: &mut RedisBlock) -> Result<(), Refusal> {
    let Some(command) = text.strip_prefix("setup:").map(str::trim).filter(|c| !c.is_empty()) else {
        return Err((format!("unknown directive {text:?}"), "the one directive is #! setup: COMMAND"));
    };
    if !block.steps.is_empty() {
        return Err(("a setup command after the first command".to_owned(), "set-up runs first: write it first"));
    }
    check_quotes(command)?;
    block.setup.push(command.to_owned());
    Ok(())
}

/// After the marker, one space is not part of the reply; more are (nested arrays are indented).
fn one_space_off(text: &str) -> String {
    text.strip_prefix(' ').unwrap_or(text).to_owned()
}

/// The quoting rules of `redis-cli`: a quote is closed, and a space follows.
fn check_quotes(command: &str) -> Result<(), Refusal> {
    const HELP: &str = "quote as at a redis-cli prompt: \"two words\", 'as it is', \\\" for a quote inside";
    let mut chars = command.chars().peekable();
    let mut open: Option<char> = None;
    while let Some(c) = chars.next() {
        match open {
            Some('"') if c == '\\' => {
                chars.next();
            }
            Some('\'') if c == '\\' && chars.peek() == Some(&'\'') => {
                chars.next();
            }
            Some(quote) if c == quote => {
                if chars.peek().is_some_and(|next| !next.is_whitespace()) {
                    return Err((format!("text right after a closing {quote}"), HELP));
                }
                open = None;
            }
            None if matches!(c, '"' | '\'') => open = Some(c),
            _ => {}
        }
    }
    match open {
        Some(quote) => Err((format!("a {quote} that is never closed"), HELP)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check_quotes;

    #[test]
    fn quoting_is_redis_clis() {
        for good in [
            "GET a",
            r#"SET a "b c""#,
            r#"SET a "b \" c""#,
            "SET a 'it\\'s'",
            r#"SET a '{"x":1}' PX 5"#,
            r#"SET a b"c""#,
        ] {
            assert!(check_quotes(good).is_ok(), "{good}");
        }
        for bad in [r#"SET a "b"#, "SET a 'b", r#"SET a "b"c"#, r#"SET a "b\""#] {
            assert!(check_quotes(bad).is_err(), "{bad}");
        }
    }
}
