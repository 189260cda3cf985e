//! A typed line: the repeat count, local words, or a command for the server.
//!
//! Owns: what redis-cli decides before it sends anything. Must not know: the connection.

use crate::resp::split_args;

/// The arguments of a command, as bytes.
pub type Arguments = Vec<Vec<u8>>;

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Blanks only.
    Empty,
    /// Quotes do not match: `Invalid argument(s)`.
    Invalid,
    /// A repeat count of zero, less, or beyond a long.
    BadRepeat,
    /// Answered here.
    Local(Local),
    /// For the server, so many times.
    Command {
        /// 1 unless the line begins with a count.
        repeat: u64,
        /// Command name and arguments; never empty.
        arguments: Arguments,
    },
}

/// A word of the console's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// `help`, `?`, with what it is asked about: nothing, `@group`, or the words of a command.
    Help(Vec<String>),
    /// `quit`, `exit`.
    Quit,
    /// `clear`.
    Clear,
    /// `connect host port`.
    Connect {
        /// Host.
        host: String,
        /// Port, as C's `atoi` reads it.
        port: u16,
    },
    /// `:set hints` and its kin: the words with the colon.
    Preference(Vec<String>),
    /// `restart`.
    Restart,
    /// `peek key`.
    Peek(Vec<u8>),
}

/// Reads a line as redis-cli does.
pub fn parse(line: &[u8]) -> Line {
    let Ok(mut arguments) = split_args(line) else { return Line::Invalid };
    if arguments.is_empty() {
        return Line::Empty;
    }
    let mut repeat = 1;
    let mut counted = false;
    if arguments.len() > 1 {
        match strtol(&arguments[0]) {
            Count::None => {}
            Count::Bad => return Line::BadRepeat,
            Count::Times(times) => {
                repeat = times;
                counted = true;
            }
        }
    }
    // Local words are looked for in front of a count, but for help, which goes the way of a
    // command (and is answered once, whatever the count).
    if !counted && let Some(local) = local(&arguments) {
        return Line::Local(local);
    }
    if counted {
        arguments.remove(0);
    }
    if arguments[0].eq_ignore_ascii_case(b"help") || arguments[0] == b"?" {
        let about = arguments[1..].iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        return Line::Local(Local::Help(about));
    }
    if arguments[0].eq_ignore_ascii_case(b"peek") && arguments.len() == 2 {
        return Line::Local(Local::Peek(arguments.swap_remove(1)));
    }
    Line::Command { repeat, arguments }
}

fn local(arguments: &[Vec<u8>]) -> Option<Local> {
    let first = arguments[0].to_ascii_lowercase();
    let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
    match (first.as_slice(), arguments.len()) {
        (b"quit" | b"exit", _) => Some(Local::Quit),
        (b"restart", _) => Some(Local::Restart),
        (b"clear", 1) => Some(Local::Clear),
        (b"connect", 3) => Some(Local::Connect { host: text(&arguments[1]), port: atoi(&arguments[2]) }),
        _ if first.first() == Some(&b':') => Some(Local::Preference(arguments.iter().map(text).collect())),
        _ => None,
    }
}

enum Count {
    None,
    Bad,
    Times(u64),
}

/// C's `strtol(word, &end, 10)` with `*end == '\0'` as redis-cli uses it: blanks and a sign may lead,
/// and a word without digits counts as 0 where nothing is left of it.
fn strtol(word: &[u8]) -> Count {
    // What follows a zero byte is not there for C.
    let word = word.split(|byte| *byte == 0).next().unwrap_or_default();
    if word.is_empty() {
        return Count::Bad;
    }
    let blanks = word.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let rest = &word[blanks..];
    let digits = rest.strip_prefix(b"+").or_else(|| rest.strip_prefix(b"-")).unwrap_or(rest);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Count::None;
    }
    let number = std::str::from_utf8(rest).ok().and_then(|text| text.parse::<i64>().ok());
    match number {
        Some(times) if times > 0 => Count::Times(times.unsigned_abs()),
        _ => Count::Bad,
    }
}

/// C's `atoi`, bounded to a port.
fn atoi(word: &[u8]) -> u16 {
    let digits: String = word.iter().take_while(|byte| byte.is_ascii_digit()).map(|byte| char::from(*byte)).collect();
    digits.parse().unwrap_or(0)
}

/// Whether the reply is shown as it is even on a terminal: INFO, CLIENT LIST and their kin.
pub fn is_raw_reply(arguments: &[Vec<u8>]) -> bool {
    let is = |index: usize, word: &str| arguments.get(index).is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()));
    let count = arguments.len();
    is(0, "info")
        || is(0, "lolwut")
        || (is(0, "debug") && (is(1, "htstats") || is(1, "htstats-key")))
        || (is(0, "memory") && (is(1, "malloc-stats") || is(1, "doctor")))
        || (count == 2 && is(0, "cluster") && (is(1, "nodes") || is(1, "info")))
        || (is(0, "client") && (is(1, "list") || is(1, "info")))
        || (count == 3 && is(0, "latency") && is(1, "graph"))
        || (count == 2 && is(0, "latency") && is(1, "doctor"))
        || (is(0, "proxy") && is(1, "info"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> (u64, Vec<String>) {
        match parse(line.as_bytes()) {
            Line::Command { repeat, arguments } => {
                (repeat, arguments.iter().map(|a| String::from_utf8_lossy(a).into_owned()).collect())
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn repeat_counts_are_strtol_s() {
        assert_eq!(command("3 ping").0, 3);
        assert_eq!(command("+2 ping").0, 2);
        assert_eq!(command("\" 2\" ping").0, 2);
        assert_eq!(command("5"), (1, vec!["5".into()]));
        for line in ["5.0 x", "0x2 x", "\"2 \" ping", "2x ping", "+ ping"] {
            assert_eq!(command(line).1.len(), 2, "{line}");
        }
        for line in ["0 ping", "-1 ping", "99999999999999999999 ping", "\"\" a"] {
            assert_eq!(parse(line.as_bytes()), Line::BadRepeat, "{line}");
        }
    }

    #[test]
    fn local_words() {
        assert_eq!(parse(b"QUIT now"), Line::Local(Local::Quit));
        assert_eq!(parse(b"clear"), Line::Local(Local::Clear));
        assert_eq!(command("clear x").1, ["clear", "x"]);
        assert_eq!(command("connect").1, ["connect"]);
        assert_eq!(parse(b"connect h 12x"), Line::Local(Local::Connect { host: "h".into(), port: 12 }));
        assert_eq!(parse(b"? get"), Line::Local(Local::Help(vec!["get".into()])));
        assert_eq!(parse(b":foo"), Line::Local(Local::Preference(vec![":foo".into()])));
        assert_eq!(parse(b" \t"), Line::Empty);
        assert_eq!(parse(b"get 'a"), Line::Invalid);
    }

    #[test]
    fn raw_replies() {
        let raw = |line: &str| is_raw_reply(&command(line).1.into_iter().map(String::into_bytes).collect::<Vec<_>>());
        for line in ["info", "INFO server", "client list", "memory doctor", "latency graph x", "lolwut version 5"] {
            assert!(raw(line), "{line}");
        }
        for line in ["cluster nodes x", "client id", "latency latest", "get info"] {
            assert!(!raw(line), "{line}");
        }
    }
}
