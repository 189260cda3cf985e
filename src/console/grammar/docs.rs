//! The command table.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

use crate::{resp::Value, server::Version};

/// `COMMAND DOCS` of Valkey 9.1.2, for servers that have none of their own and until they have told
/// it. Made again with `cachelab console --json COMMAND DOCS > assets/commands.json`.
const BUILT_IN: &str = include_str!("../../../assets/commands.json");

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Double,
    /// A key's name.
    Key,
    /// A glob pattern.
    Pattern,
    /// A point in time.
    UnixTime,
    /// A fixed word, its token.
    PureToken,
    /// One of its children.
    OneOf,
    /// Its children in order.
    Block,
}

/// An argument of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// What `help` calls it.
    pub name: String,
    /// What it is.
    pub kind: ArgumentKind,
    /// A fixed word before it (or it, for a pure token).
    pub token: Option<String>,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// The token is repeated with it.
    pub multiple_token: bool,
    /// Of `OneOf` and `Block`.
    pub children: Vec<Argument>,
}

/// A command or subcommand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Upper case: `SET`, `CONFIG GET`.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// The version that brought it.
    pub since: String,
    /// `string`, `server`; empty when not told.
    pub group: String,
    /// `O(1)`; empty when not told.
    pub complexity: String,
    /// What to use instead, when it is deprecated.
    pub replaced_by: Option<String>,
    /// In order.
    pub arguments: Vec<Argument>,
    /// It is a container: a second word must follow.
    pub container: bool,
}

/// Commands by upper-case name, in order; subcommands as `CONFIG GET`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Docs {
    commands: BTreeMap<String, Command>,
}

impl Docs {
    /// The table that is built in.
    pub fn built_in() -> &'static Arc<Self> {
        static TABLE: OnceLock<Arc<Docs>> = OnceLock::new();
        TABLE.get_or_init(|| {
            // The asset is tested; an unreadable one would only cost help and hints.
            let json = serde_json::from_str(BUILT_IN).unwrap_or(serde_json::Value::Null);
            Arc::new(Self::from_reply(&from_json(json)).unwrap_or_default())
        })
    }

    /// The built-in table without what is newer than `version`.
    pub fn built_in_for(version: Version) -> Self {
        let known = |command: &&Command| command.since.parse::<Version>().is_ok_and(|since| since <= version);
        let commands = Self::built_in().commands.values().filter(known);
        Self { commands: commands.map(|command| (command.name.clone(), command.clone())).collect() }
    }

    /// From the reply to `COMMAND DOCS`, RESP2 or RESP3.
    pub fn from_reply(reply: &Value) -> Option<Self> {
        let mut docs = Self::default();
        for (name, fields) in reply.as_pairs()? {
            docs.add(name.as_str()?, fields);
        }
        (!docs.commands.is_empty()).then_some(docs)
    }

    fn add(&mut self, name: &str, fields: &Value) {
        let name = name.replace('|', " ").to_ascii_uppercase();
        let field = |key: &str| find(fields, key);
        let text = |key: &str| field(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let subcommands = field("subcommands").and_then(Value::as_pairs).unwrap_or_default();
        let command = Command {
            summary: text("summary"),
            since: text("since"),
            group: text("group"),
            complexity: text("complexity"),
            replaced_by: field("replaced_by").and_then(Value::as_str).map(str::to_owned),
            arguments: arguments(field("arguments")),
            container: !subcommands.is_empty(),
            name: name.clone(),
        };
        for (sub, fields) in subcommands {
            if let Some(sub) = sub.as_str() {
                self.add(sub, fields);
            }
        }
        self.commands.insert(name, command);
    }

    /// A command by its name in any case, subcommands as two words.
    pub fn get(&self, name: &str) -> Option<&Command> {
        self.commands.get(&name.to_ascii_uppercase())
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Command> {
        self.commands.values()
    }

    /// The longest command the words begin with, and how many words name it.
    pub fn find(&self, words: &[Vec<u8>]) -> Option<(&Command, usize)> {
        let text = |word: &Vec<u8>| std::str::from_utf8(word).ok().map(str::to_ascii_uppercase);
        let first = text(words.first()?)?;
        if let Some(second) = words.get(1).and_then(text)
            && let Some(command) = self.commands.get(&format!("{first} {second}"))
        {
            return Some((command, 2));
        }
        self.commands.get(&first).map(|command| (command, 1))
    }

    /// The subcommands of a container.
    pub fn subcommands<'a>(&'a self, container: &str) -> impl Iterator<Item = &'a Command> {
        let prefix = format!("{} ", container.to_ascii_uppercase());
        self.commands
            .range(prefix.clone()..)
            .map(|(_, command)| command)
            .take_while(move |c| c.name.starts_with(&prefix))
    }
}

fn find<'a>(fields: &'a Value, key: &str) -> Option<&'a Value> {
    fields.as_pairs()?.into_iter().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
}

fn arguments(list: Option<&Value>) -> Vec<Argument> {
    list.and_then(Value::as_items).unwrap_or_default().iter().map(argument).collect()
}

fn argument(fields: &Value) -> Argument {
    let text = |key: &str| find(fields, key).and_then(Value::as_str);
    let flags = find(fields, "flags").and_then(Value::as_items).unwrap_or_default();
    let flag = |name: &str| flags.iter().any(|flag| flag.as_str() == Some(name));
    let kind = match text("type").unwrap_or_default() {
        "integer" => ArgumentKind::Integer,
        "double" => ArgumentKind::Double,
        "key" => ArgumentKind::Key,
        "pattern" => ArgumentKind::Pattern,
        "unix-time" => ArgumentKind::UnixTime,
        "pure-token" => ArgumentKind::PureToken,
        "oneof" => ArgumentKind::OneOf,
        "block" => ArgumentKind::Block,
        _ => ArgumentKind::Text,
    };
    Argument {
        name: text("display_text").or_else(|| text("name")).unwrap_or_default().to_owned(),
        kind,
        token: text("token").map(str::to_owned),
        optional: flag("optional"),
        multiple: flag("multiple"),
        multiple_token: flag("multiple_token"),
        children: arguments(find(fields, "arguments")),
    }
}

/// JSON, which `--json` makes of a reply, as that reply.
fn from_json(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::String(text) => Value::Bulk(Bytes::from(text)),
        Json::Array(items) => Value::Array(items.into_iter().map(from_json).collect()),
        Json::Object(pairs) => {
            Value::Map(pairs.into_iter().map(|(k, v)| (Value::Bulk(Bytes::from(k)), from_json(v))).collect())
        }
        other => Value::Integer(Bytes::from(other.to_string())),
    }
}
