//! What a connection is in the middle of: database, transaction, subscriptions, protocol.
//!
//! Owns: how commands and their replies change it, as the prompt shows it. Must not know: IO.

use std::collections::BTreeSet;

use crate::resp::{Frame, Node};

/// The three kinds of subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Channel,
    Pattern,
    Shard,
}

/// Which replies the server sends at all (`CLIENT REPLY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Replies {
    #[default]
    On,
    Off,
    /// None for the next command.
    Skip,
}

/// A command of the subscribe family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscription {
    pub kind: Kind,
    /// Adds channels, or takes them away.
    pub adds: bool,
}

/// What the connection is in the middle of.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub database: u32,
    before_multi: u32,
    pub transaction: bool,
    pub watching: bool,
    pub resp3: bool,
    pub monitoring: bool,
    pub tracking: bool,
    replies: Replies,
    channels: [BTreeSet<Vec<u8>>; 3],
    /// AUTH or HELLO … AUTH that the server took: name and password for the next connection.
    pub credentials: Option<(Option<String>, String)>,
}

impl State {
    /// Any subscription is held.
    pub fn subscribed(&self) -> bool {
        self.channels.iter().any(|names| !names.is_empty())
    }

    /// Forgets all subscriptions.
    pub fn clear_subscriptions(&mut self) {
        self.channels = <[BTreeSet<Vec<u8>>; 3]>::default();
    }

    /// As a fresh connection has it.
    pub fn new(database: u32, resp3: bool) -> Self {
        Self { database, resp3, ..Self::default() }
    }

    /// There is a new main connection in the same database, protocol and name: forgets what it does
    /// not have, and says what that was. Streams on connections of their own may live on.
    pub fn renewed(&mut self, subscriptions_live: bool) -> Option<String> {
        let lives = subscriptions_live && !self.resp3;
        let lost: Vec<&str> = [
            (self.transaction, "the open MULTI"),
            (self.watching, "WATCH"),
            (self.tracking, "client tracking"),
            (self.subscribed() && !lives, "the subscriptions"),
        ]
        .into_iter()
        .filter_map(|(had, what)| had.then_some(what))
        .collect();
        // SELECT inside the lost transaction never happened.
        let database = if self.transaction { self.before_multi } else { self.database };
        let channels = if lives { std::mem::take(&mut self.channels) } else { Default::default() };
        let credentials = self.credentials.take();
        *self =
            Self { database, resp3: self.resp3, monitoring: self.monitoring, channels, credentials, ..Self::default() };
        (!lost.is_empty()).then(|| format!("lost with the connection: {}", lost.join(", ")))
    }

    /// The database a new connection should select.
    pub fn settled_database(&self) -> u32 {
        if self.transaction { self.before_multi } else { self.database }
    }

    /// How many replies the command about to be sent will get.
    pub fn expected_replies(&mut self, arguments: &[Vec<u8>]) -> usize {
        if is(arguments, 0, "client") && is(arguments, 1, "reply") && arguments.len() == 3 && !self.transaction {
            if is(arguments, 2, "off") {
                self.replies = Replies::Off;
                return 0;
            }
            if is(arguments, 2, "skip") && self.replies == Replies::On {
                self.replies = Replies::Skip;
                return 0;
            }
            if is(arguments, 2, "on") {
                self.replies = Replies::On;
                return 1;
            }
        }
        match self.replies {
            Replies::Off => 0,
            Replies::Skip => {
                self.replies = Replies::On;
                0
            }
            Replies::On => match subscription(arguments) {
                Some(Subscription { kind, adds: false }) if arguments.len() == 1 => {
                    self.channels[kind as usize].len().max(1)
                }
                Some(_) => arguments.len().saturating_sub(1).max(1),
                None => 1,
            },
        }
    }

    /// A subscription was confirmed.
    pub fn confirmed(&mut self, subscription: Subscription, channel: &[u8]) {
        let names = &mut self.channels[subscription.kind as usize];
        if subscription.adds {
            names.insert(channel.to_vec());
        } else {
            names.remove(channel);
        }
    }

    /// The reply to a command came.
    pub fn replied(&mut self, arguments: &[Vec<u8>], reply: &Frame) {
        let failed = reply.error().is_some();
        let queued = matches!(reply.node(), Node::Simple(b"QUEUED"));
        let alone = arguments.len() == 1;
        let name = arguments.first().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
        match name.as_slice() {
            b"select" if !failed && arguments.len() == 2 => {
                self.database = number(&arguments[1]).unwrap_or(self.database);
            }
            b"multi" if alone && !failed => {
                self.transaction = true;
                self.before_multi = self.database;
            }
            b"exec" if alone && self.transaction => {
                self.transaction = false;
                self.watching = false;
                if failed || matches!(reply.node().without_attributes(), Node::Null(_)) {
                    self.database = self.before_multi;
                }
            }
            b"discard" if alone && !failed => {
                self.transaction = false;
                self.watching = false;
                self.database = self.before_multi;
            }
            b"watch" if !failed && !queued => self.watching = true,
            b"unwatch" if !failed && !queued => self.watching = false,
            b"client" if !failed && is(arguments, 1, "tracking") => self.tracking = is(arguments, 2, "on"),
            b"reset" if alone && !failed => {
                let credentials = self.credentials.take();
                *self = Self { credentials, ..Self::default() };
            }
            b"hello" if !failed => self.hello(arguments),
            b"auth" if !failed && !queued => self.authenticated(&arguments[1..]),
            _ => {}
        }
    }

    fn hello(&mut self, arguments: &[Vec<u8>]) {
        match arguments.get(1).map(Vec::as_slice) {
            Some(b"3") => self.resp3 = true,
            Some(b"2") => self.resp3 = false,
            _ => {}
        }
        if let Some(at) = arguments.iter().position(|word| word.eq_ignore_ascii_case(b"auth")) {
            self.authenticated(arguments.get(at + 1..at + 3).unwrap_or_default());
        }
    }

    fn authenticated(&mut self, words: &[Vec<u8>]) {
        let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
        match words {
            [password] => self.credentials = Some((None, text(password))),
            [user, password] => self.credentials = Some((Some(text(user)), text(password))),
            _ => {}
        }
    }
}

/// The argument at `index` is `word`, whatever its case.
pub(super) fn is(arguments: &[Vec<u8>], index: usize, word: &str) -> bool {
    arguments.get(index).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
}

fn number(word: &[u8]) -> Option<u32> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The command is of the subscribe family.
pub(super) fn subscription(arguments: &[Vec<u8>]) -> Option<Subscription> {
    subscription_word(arguments.first()?)
}

/// The same for the first word of a confirmation.
pub(super) fn subscription_word(word: &[u8]) -> Option<Subscription> {
    let (kind, adds) = match word.to_ascii_lowercase().as_slice() {
        b"subscribe" => (Kind::Channel, true),
        b"unsubscribe" => (Kind::Channel, false),
        b"psubscribe" => (Kind::Pattern, true),
        b"punsubscribe" => (Kind::Pattern, false),
        b"ssubscribe" => (Kind::Shard, true),
        b"sunsubscribe" => (Kind::Shard, false),
        _ => return None,
    };
    Some(Subscription { kind, adds })
}

/// The subscription a frame confirms, and the channel (empty for the null of an empty unsubscribe).
pub(super) fn confirmation(frame: &Frame) -> Option<(Subscription, Vec<u8>)> {
    let node = frame.node();
    let (Node::Array(mut items) | Node::Push(mut items)) = node.without_attributes() else { return None };
    if items.count_left() != 3 {
        return None;
    }
    let Some(Node::Bulk(word)) = items.next() else { return None };
    let subscription = subscription_word(word)?;
    match items.next()? {
        Node::Bulk(channel) => Some((subscription, channel.to_vec())),
        Node::Null(_) => Some((subscription, Vec::new())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::{Decoder, split_args};

    fn reply(wire: &str) -> Frame {
        let mut decoder = Decoder::new();
        decoder.feed(wire.as_bytes());
        decoder.next().unwrap().unwrap()
    }

    fn after(exchange: &[(&str, &str)]) -> State {
        let mut state = State::default();
        for (line, wire) in exchange {
            let arguments = split_args(line.as_bytes()).unwrap();
            state.expected_replies(&arguments);
            state.replied(&arguments, &reply(wire));
        }
        state
    }

    #[test]
    fn a_failed_transaction_takes_the_database_back() {
        let state = after(&[("MULTI", "+OK\r\n"), ("SELECT 4", "+QUEUED\r\n")]);
        assert!(state.transaction && state.database == 4);
        let state = after(&[("MULTI", "+OK\r\n"), ("SELECT 4", "+QUEUED\r\n"), ("EXEC", "*-1\r\n")]);
        assert!(!state.transaction && state.database == 0);
        let state = after(&[("MULTI", "+OK\r\n"), ("SELECT 4", "+QUEUED\r\n"), ("EXEC", "*1\r\n+OK\r\n")]);
        assert_eq!(state.database, 4);
    }

    #[test]
    fn reset_forgets_all_but_who_we_are() {
        let state =
            after(&[("AUTH u p", "+OK\r\n"), ("SELECT 4", "+OK\r\n"), ("HELLO 3", "%0\r\n"), ("RESET", "+RESET\r\n")]);
        assert!(!state.resp3 && state.database == 0 && state.credentials.is_some());
    }

    #[test]
    fn replies_are_counted() {
        let mut state = State::default();
        let mut expected = |line: &str| state.expected_replies(&split_args(line.as_bytes()).unwrap());
        assert_eq!(expected("UNSUBSCRIBE a b"), 2);
        assert_eq!(expected("UNSUBSCRIBE"), 1);
        assert_eq!(expected("CLIENT REPLY SKIP"), 0);
        assert_eq!(expected("PING"), 0);
        assert_eq!(expected("PING"), 1);
        assert_eq!(expected("CLIENT REPLY OFF"), 0);
        assert_eq!(expected("PING"), 0);
        assert_eq!(expected("CLIENT REPLY ON"), 1);
    }
}
