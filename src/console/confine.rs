//! Keeps a lesson's commands on somebody's server under our prefix.
//!
//! Owns: finding the keys in a command by what the server says of it (`COMMAND INFO`, key specs),
//! putting the prefix before them and taking it off replies, and refusing what cannot be confined.
//! What is not known to be harmless is refused. Must not know: blocks, sessions.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    keyspec::{self, KeySpec},
    line::Arguments,
    link::Link,
    state::is,
};
use crate::resp::{Frame, Value};

/// Commands without keys that touch nothing of anybody's.
const HARMLESS: &[&str] = &[
    "PING",
    "ECHO",
    "TIME",
    "INFO",
    "DBSIZE",
    "MULTI",
    "EXEC",
    "DISCARD",
    "UNWATCH",
    "HELLO",
    "RESET",
    "WAIT",
    "LASTSAVE",
    "COMMAND",
    "COMMAND COUNT",
    "COMMAND DOCS",
    "COMMAND INFO",
    "COMMAND GETKEYS",
    "COMMAND LIST",
    "CONFIG GET",
    "CLIENT ID",
    "CLIENT INFO",
    "CLIENT GETNAME",
    "CLIENT SETNAME",
    "CLIENT TRACKINGINFO",
    "CLIENT CACHING",
    "CLIENT REPLY",
    "CLIENT NO-TOUCH",
    "SCRIPT EXISTS",
    "SCRIPT LOAD",
    "LOLWUT",
    "MEMORY DOCTOR",
    "MEMORY STATS",
    "LATENCY LATEST",
    "ACL WHOAMI",
    "ACL CAT",
];

/// Keeps what was learnt of commands.
#[derive(Debug)]
pub(super) struct Confine {
    prefix: Vec<u8>,
    known: BTreeMap<String, Vec<KeySpec>>,
}

impl Confine {
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.as_bytes().to_vec(), known: BTreeMap::new() }
    }

    /// The command with every key (and channel, and key pattern) under the prefix; or why it cannot be
    /// run here.
    pub async fn command(&mut self, link: &mut Link, mut arguments: Arguments) -> Result<Arguments, String> {
        let first = String::from_utf8_lossy(&arguments[0]).to_ascii_uppercase();
        let two = arguments.get(1).map(|sub| format!("{first} {}", String::from_utf8_lossy(sub).to_ascii_uppercase()));
        let harmless = |name: &str| HARMLESS.contains(&name);
        if harmless(&first) || two.as_deref().is_some_and(harmless) {
            return Ok(arguments);
        }
        match first.as_str() {
            "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE" => {
                (1..arguments.len()).for_each(|at| self.put(&mut arguments[at]));
                return Ok(arguments);
            }
            "PUBLISH" | "SPUBLISH" if arguments.len() > 1 => {
                self.put(&mut arguments[1]);
                return Ok(arguments);
            }
            "SCAN" => return Ok(self.scan(arguments)),
            "SORT" | "SORT_RO" => return Ok(self.sort(arguments)),
            "KEYS" => return Err(refused(&first, "it reads every key of a server that is not ours")),
            "EVAL" | "EVAL_RO" if let Some(key) = literal_key(arguments.get(1).map_or(&[], Vec::as_slice)) => {
                return Err(refused(&first, &format!("the script names {key} itself instead of taking it from KEYS")));
            }
            _ => {}
        }
        let specs = self.specs(link, &first, &arguments).await?;
        let keys = keyspec::positions(&specs, &arguments).map_err(|why| refused(&first, &why))?;
        let scripted = matches!(first.as_str(), "EVAL" | "EVAL_RO" | "EVALSHA" | "EVALSHA_RO");
        if keys.is_empty() && !scripted {
            return Err(refused(&first, "it works on the whole server, not on keys of ours"));
        }
        let keys: BTreeSet<usize> = keys.into_iter().collect();
        for at in keys {
            self.put(&mut arguments[at]);
        }
        Ok(arguments)
    }

    /// The reply with the prefix taken off every string that begins with it.
    pub fn reply(&self, frame: &Frame) -> Frame {
        let found = frame.raw().windows(self.prefix.len()).any(|window| window == self.prefix);
        if !found {
            return frame.clone();
        }
        Frame::of_value(&self.stripped(frame.value())).unwrap_or_else(|| frame.clone())
    }

    fn stripped(&self, value: Value) -> Value {
        let list = |items: Vec<Value>| items.into_iter().map(|item| self.stripped(item)).collect();
        let pairs = |pairs: Vec<(Value, Value)>| {
            pairs.into_iter().map(|(key, value)| (self.stripped(key), self.stripped(value))).collect()
        };
        match value {
            Value::Bulk(text) if text.starts_with(&self.prefix) => Value::Bulk(text.slice(self.prefix.len()..)),
            Value::Error(text) => {
                let clean = String::from_utf8_lossy(&text).replace(&*String::from_utf8_lossy(&self.prefix), "");
                Value::Error(clean.into())
            }
            Value::Array(items) => Value::Array(list(items)),
            Value::Set(items) => Value::Set(list(items)),
            Value::Push(items) => Value::Push(list(items)),
            Value::Map(entries) => Value::Map(pairs(entries)),
            other => other,
        }
    }

    fn put(&self, argument: &mut Vec<u8>) {
        argument.splice(0..0, self.prefix.iter().copied());
    }

    /// SCAN sees only our keys.
    fn scan(&self, mut arguments: Arguments) -> Arguments {
        let pattern = (2..arguments.len()).find(|at| is(&arguments, *at, "match"));
        match pattern.filter(|at| at + 1 < arguments.len()) {
            Some(at) => self.put(&mut arguments[at + 1]),
            None => arguments.extend([b"MATCH".to_vec(), [self.prefix.as_slice(), b"*"].concat()]),
        }
        arguments
    }

    /// SORT's patterns and destination are keys too, which its key specs do not say.
    fn sort(&self, mut arguments: Arguments) -> Arguments {
        for at in 1..arguments.len() {
            let names_key = at == 1
                || is(&arguments, at - 1, "store")
                || (is(&arguments, at - 1, "by") && !is(&arguments, at, "nosort"))
                || (is(&arguments, at - 1, "get") && arguments[at] != b"#");
            if names_key {
                self.put(&mut arguments[at]);
            }
        }
        arguments
    }

    /// What the server says of where a command's keys are.
    async fn specs(&mut self, link: &mut Link, first: &str, arguments: &Arguments) -> Result<Vec<KeySpec>, String> {
        let sub = arguments.get(1).map(|sub| String::from_utf8_lossy(sub).to_ascii_uppercase());
        let name = format!("{first} {}", sub.unwrap_or_default());
        if let Some(specs) = self.known.get(&name).or_else(|| self.known.get(first)) {
            return Ok(specs.clone());
        }
        let reply = link.call(&["COMMAND", "INFO", first]).await.map_err(|error| error.to_string())?;
        let Some((own, subcommands)) = keyspec::of_command_info(&reply.value()) else {
            return Err(refused(first, "the server does not say what it does"));
        };
        if subcommands.is_empty() {
            self.known.insert(first.to_owned(), own);
        }
        self.known.extend(subcommands);
        let specs = self.known.get(&name).or_else(|| self.known.get(first));
        specs.cloned().ok_or_else(|| refused(first, "it has no such subcommand"))
    }
}

fn refused(name: &str, why: &str) -> String {
    format!("{name} is not run on a server that is not ours: {why}")
}

/// A key that a script writes as text: `redis.call('GET', 'foreign')`.
fn literal_key(script: &[u8]) -> Option<String> {
    let script = String::from_utf8_lossy(script);
    for (at, _) in script.match_indices("call") {
        let rest = script[at + 4..].trim_start();
        let rest = rest.strip_prefix('(').map_or(rest, str::trim_start);
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) else { continue };
        let mut parts = rest[1..].splitn(2, quote);
        let (Some(name), Some(after)) = (parts.next(), parts.next()) else { continue };
        let (name, after) = (name.to_ascii_uppercase(), after.trim_start());
        if HARMLESS.iter().any(|harmless| harmless.split(' ').next() == Some(&name)) {
            continue;
        }
        match after.strip_prefix(',').map(str::trim_start) {
            Some(argument) if argument.starts_with(['\'', '"']) => {
                let end = argument[1..].find(['\'', '"']).map_or(argument.len(), |end| end + 2);
                return Some(argument[..end].to_owned());
            }
            // FLUSHALL, and what else needs no key.
            None => return Some(format!("the command {name}")),
            Some(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_name_keys_are_seen() {
        for script in ["return redis.call('GET', 'x')", "redis.pcall(\"SET\",\"x\",1)", "redis.call('FLUSHALL')"] {
            assert!(literal_key(script.as_bytes()).is_some(), "{script}");
        }
        for script in ["return redis.call('GET', KEYS[1])", "return redis.call('TIME')", "return 1"] {
            assert!(literal_key(script.as_bytes()).is_none(), "{script}");
        }
    }

    #[test]
    fn replies_lose_the_prefix() {
        let confine = Confine::new("cachelab:");
        let mut decoder = crate::resp::Decoder::new();
        decoder.feed(b"*2\r\n$10\r\ncachelab:a\r\n$1\r\nb\r\n");
        let frame = decoder.next().unwrap().unwrap();
        assert_eq!(confine.reply(&frame).raw(), &b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"[..]);
    }
}
