//! Where a command's keys stand, from the key specifications of `COMMAND INFO` (Redis 7.0).
//!
//! Owns: reading the specifications and finding positions with them. Must not know: what is done
//! with the keys.

use super::state::is;
use crate::resp::Value;

/// How the first key (or the count of keys) is found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Begin {
    Index(usize),
    /// After this word, looked for from a position (negative: from the end, backwards).
    Keyword(String, i64),
    Unknown,
}

/// How the keys go on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Find {
    /// To `last` relative to the first (negative: from the end; with a limit only a part of the rest).
    Range {
        last: i64,
        step: usize,
        limit: usize,
    },
    /// A count, then the keys.
    Count {
        at: usize,
        first: usize,
        step: usize,
    },
    Unknown,
}

/// One specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeySpec {
    begin: Begin,
    find: Find,
    /// It tells not all keys.
    incomplete: bool,
    /// What is found is no key (a channel).
    not_key: bool,
}

/// Specifications of a command, and of its subcommands by `FIRST SECOND`.
pub(super) type Specs = (Vec<KeySpec>, Vec<(String, Vec<KeySpec>)>);

/// Reads the reply to `COMMAND INFO name` (RESP2).
pub(super) fn of_command_info(reply: &Value) -> Option<Specs> {
    let entry = reply.as_items()?.first()?.as_items()?;
    let specs = entry.get(8)?.as_items()?.iter().map(spec).collect();
    let subcommands = entry.get(9).and_then(Value::as_items).unwrap_or_default();
    let subcommands = subcommands
        .iter()
        .filter_map(|entry| {
            let entry = entry.as_items()?;
            let name = entry.first()?.as_str()?.replace('|', " ").to_ascii_uppercase();
            Some((name, entry.get(8)?.as_items()?.iter().map(spec).collect()))
        })
        .collect();
    Some((specs, subcommands))
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_pairs()?.into_iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

fn spec(value: &Value) -> KeySpec {
    let number = |value: Option<&Value>, name: &str| value.and_then(|v| field(v, name)).and_then(Value::as_integer);
    let small = |value: Option<&Value>, name: &str| {
        number(value, name).and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
    };
    let flags = field(value, "flags").and_then(Value::as_items).unwrap_or_default();
    let flag = |name: &str| flags.iter().any(|flag| flag.as_str() == Some(name));
    let search = field(value, "begin_search");
    let detail = search.and_then(|search| field(search, "spec"));
    let begin = match search.and_then(|search| field(search, "type")).and_then(Value::as_str) {
        Some("index") => Begin::Index(small(detail, "index")),
        Some("keyword") => {
            let word = detail.and_then(|detail| field(detail, "keyword")).and_then(Value::as_str);
            Begin::Keyword(word.unwrap_or_default().to_owned(), number(detail, "startfrom").unwrap_or(1))
        }
        _ => Begin::Unknown,
    };
    let keys = field(value, "find_keys");
    let detail = keys.and_then(|keys| field(keys, "spec"));
    let find = match keys.and_then(|keys| field(keys, "type")).and_then(Value::as_str) {
        Some("range") => Find::Range {
            last: number(detail, "lastkey").unwrap_or(0),
            step: small(detail, "keystep").max(1),
            limit: small(detail, "limit"),
        },
        Some("keynum") => Find::Count {
            at: small(detail, "keynumidx"),
            first: small(detail, "firstkey"),
            step: small(detail, "keystep").max(1),
        },
        _ => Find::Unknown,
    };
    KeySpec { begin, find, incomplete: flag("incomplete"), not_key: flag("not_key") }
}

/// Positions of all keys among the arguments (the command's name is 0), or why they can't be told.
pub(super) fn positions(specs: &[KeySpec], arguments: &[Vec<u8>]) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    for spec in specs.iter().filter(|spec| !spec.not_key) {
        if spec.incomplete || spec.begin == Begin::Unknown || spec.find == Find::Unknown {
            return Err("its keys can't be told from its other arguments".into());
        }
        let Some(first) = begin(&spec.begin, arguments) else { continue };
        found.extend(range(&spec.find, first, arguments));
    }
    Ok(found)
}

fn begin(begin: &Begin, arguments: &[Vec<u8>]) -> Option<usize> {
    match begin {
        Begin::Index(index) => Some(*index).filter(|index| *index < arguments.len()),
        Begin::Keyword(word, from) => {
            let found = if *from >= 0 {
                (from.unsigned_abs() as usize..arguments.len()).find(|at| is(arguments, *at, word))
            } else {
                let start = arguments.len().checked_sub(from.unsigned_abs() as usize)?;
                (1..=start).rev().find(|at| is(arguments, *at, word))
            };
            found.map(|at| at + 1).filter(|at| *at < arguments.len())
        }
        Begin::Unknown => None,
    }
}

fn range(find: &Find, first: usize, arguments: &[Vec<u8>]) -> Vec<usize> {
    let end = arguments.len();
    match find {
        Find::Range { last, step, limit } => {
            let last = match usize::try_from(*last) {
                Ok(last) => first + last,
                Err(_) if *limit > 1 => first + (end - first) / limit - 1,
                Err(_) => end.saturating_sub(last.unsigned_abs() as usize),
            };
            (first..=last.min(end - 1)).step_by(*step).collect()
        }
        Find::Count { at, first: offset, step } => {
            let count = arguments.get(first + at).and_then(|word| std::str::from_utf8(word).ok());
            let count: usize = count.and_then(|text| text.parse().ok()).unwrap_or(0);
            (first + offset..end).step_by(*step).take(count).collect()
        }
        Find::Unknown => Vec::new(),
    }
}
