//! What a session tells a front end: the vocabulary between them.

use std::{fmt::Write as _, ops::Range, time::Duration};

/// What a piece of text is, in a reply or in a line being typed; a theme maps it to a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Token {
    /// A status reply: `OK`.
    Status,
    /// An error reply, or a remark of ours that something failed.
    Error,
    /// The type in front of a value: `(integer) `, `(double) `.
    Label,
    /// A number in a reply, or a typed number.
    Number,
    /// A string in a reply, or a typed value.
    Text,
    /// A map's key in a reply, or a typed key name.
    Key,
    /// `(nil)`, `(empty array)`.
    Nil,
    /// `1) `, ` => `: the frame around elements.
    Index,
    /// A message that came without being asked for.
    Push,
    /// A remark of the console itself: timing, `12,000 more lines`.
    Note,
    /// The command name.
    Command,
    /// `GET` in `CONFIG GET`.
    Subcommand,
    /// A fixed word among the arguments: `EX`, `LIMIT`.
    Keyword,
    /// `help`, `quit`, `:set`, a repeat count.
    Local,
    /// What the server would refuse.
    Invalid,
    /// Blanks and all else.
    Plain,
}

/// A run of text with one token class. Free of control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub token: Token,
    /// The text.
    pub text: String,
}

/// One line of a reply, as redis-cli prints it on a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplyLine {
    /// In order; may be empty (an empty line).
    pub spans: Vec<Span>,
}

impl ReplyLine {
    /// A line of one span.
    pub fn new(token: Token, text: impl Into<String>) -> Self {
        Self { spans: vec![Span { token, text: text.into() }] }
    }

    /// The line without classes.
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}

/// Ties the events of one command together; rises with each command of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// Who sent a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The user at the prompt.
    Typed,
    /// A lesson's block: its [`RedisBlock::index`](crate::course::lesson::RedisBlock).
    Lesson {
        /// Which block.
        block: usize,
    },
}

/// Lines of a reply that were held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unshown {
    /// Elements of the reply's outermost aggregate not begun yet.
    pub elements: usize,
}

/// What happened. Events of one command come in the order `Command`, `Lines`…, `Done`.
#[derive(Debug, Clone, PartialEq)]
pub enum ConsoleEvent {
    /// A command was sent (or answered locally); echo it.
    Command {
        /// Its id.
        id: CommandId,
        /// As typed, control characters escaped.
        text: String,
        /// Who sent it.
        source: Source,
    },
    /// Part of its reply.
    Lines {
        /// Which command.
        id: CommandId,
        /// In order.
        lines: Vec<ReplyLine>,
    },
    /// Its reply is complete (or held back in part: [`Session::more`](super::Session::more)).
    Done {
        /// Which command.
        id: CommandId,
        /// From sending to the end of the reply.
        elapsed: Duration,
        /// The reply was an error, or none came.
        failed: bool,
        /// What is held back for the next page.
        unshown: Option<Unshown>,
    },
    /// A message that no command asked for: pub/sub, MONITOR, client tracking.
    Push(Vec<ReplyLine>),
    /// A remark of the console: connection lost or back, MULTI lost with it.
    Note(ReplyLine),
    /// The prompt changed.
    Prompt(Prompt),
    /// The command is held until [`Session::confirm`](super::Session::confirm).
    Confirm {
        /// As typed.
        command: String,
        /// One sentence: what it would do to this server.
        why: String,
    },
    /// New key names are known: completion may have more to offer.
    NamesChanged,
    /// `clear`: empty the screen.
    Clear,
    /// `quit`, `exit`.
    Quit,
}

/// The prompt's parts and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// `127.0.0.1:6379`, `redis /run/redis.sock`, or a private server's name (`valkey`).
    pub place: String,
    /// Selected database.
    pub database: u32,
    /// Between MULTI and EXEC.
    pub transaction: bool,
    /// Channels and patterns are subscribed to.
    pub subscribed: bool,
    /// MONITOR is on.
    pub monitoring: bool,
    /// A link to the server exists.
    pub connected: bool,
    /// A command is under way; its reply has not come.
    pub busy: bool,
}

impl Prompt {
    /// As redis-cli writes it: `127.0.0.1:6379[2](TX)> `.
    pub fn text(&self) -> String {
        if !self.connected {
            return "not connected> ".into();
        }
        let mut text = self.place.clone();
        if self.database > 0 {
            let _ = write!(text, "[{}]", self.database);
        }
        if self.transaction {
            text.push_str("(TX)");
        }
        if self.subscribed {
            text.push_str("(subscribed mode)");
        }
        text + "> "
    }
}

/// Something to complete to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Bytes of the line that `text` replaces.
    pub replace: Range<usize>,
    /// What to put there (quoted where it needs to be).
    pub text: String,
    /// What it is.
    pub kind: CandidateKind,
    /// One line about it: a command's summary, an argument's name. May be empty.
    pub detail: String,
}

/// What a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    /// A command.
    Command,
    /// A subcommand.
    Subcommand,
    /// A fixed word among the arguments.
    Keyword,
    /// A key that exists or was seen.
    Key,
    /// A value for a known place: a configuration parameter, a unit, an encoding.
    Value,
    /// A topic of `help`, or a local word.
    Local,
}

/// Something the server would refuse, found while typing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the line.
    pub range: Range<usize>,
    /// One sentence.
    pub message: String,
}

/// What came of a lesson's block.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockOutcome {
    /// In order; ends early when the link was lost or the run cancelled.
    pub steps: Vec<StepOutcome>,
    /// Why not all steps (or the set-up) ran.
    pub stopped: Option<String>,
}

impl BlockOutcome {
    /// All steps ran and answered as the lesson says.
    pub fn passed(&self) -> bool {
        self.stopped.is_none() && self.steps.iter().all(|step| step.matched)
    }
}

/// What came of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepOutcome {
    /// As in the lesson.
    pub command: String,
    /// As redis-cli prints the reply on a terminal.
    pub reply: Vec<ReplyLine>,
    /// The reply is what the lesson says, or the lesson says nothing.
    pub matched: bool,
    /// The lesson's lines, when they did not match: `#>` lines as they are, `#~` patterns.
    pub expected: Vec<String>,
}
