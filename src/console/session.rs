//! The handle a front end holds.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::{mpsc, oneshot};

use super::{
    actor::{Actor, Request},
    client::Client,
    editing,
    event::{BlockOutcome, Candidate, CommandId, ConsoleEvent, Problem, Prompt, Token},
    grammar::{self, Docs},
    history::History,
    line::Arguments,
    names::Names,
};
use crate::{
    course::lesson::RedisBlock,
    resp::{Frame, split_args},
    server::Endpoint,
};

/// Events a front end may leave unfetched before a session waits (and messages are dropped).
const EVENTS: usize = 1_024;

/// How a session behaves.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Begin with `HELLO 3`.
    pub resp3: bool,
    /// Lines of one reply shown before the rest is held back for [`Session::more`].
    pub page_lines: usize,
    /// Show UTF-8 text as it is; otherwise as redis-cli's `\xHH`.
    pub utf8: bool,
    /// Where lines are remembered between runs; `None`: for this run only.
    pub history_file: Option<PathBuf>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { resp3: false, page_lines: 1_000, utf8: true, history_file: None }
    }
}

/// A console on its own connection. Cheap to clone; the connection ends with the last clone.
/// Every method returns at once; what comes of it arrives as [`ConsoleEvent`]s.
#[derive(Debug, Clone)]
pub struct Session {
    requests: mpsc::UnboundedSender<Request>,
    shared: Arc<Shared>,
}

impl Session {
    /// Opens a session on a task of the current tokio runtime. It does not wait for the server: the
    /// connection (and every later loss and return) is told by events.
    pub fn open(endpoint: Endpoint, options: SessionOptions) -> (Self, mpsc::Receiver<ConsoleEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let (requests, asked) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(&endpoint, &options, events.downgrade()));
        let client = Client::new(endpoint, options.resp3);
        // Reading the built-in table takes milliseconds that the first key stroke should not wait for.
        tokio::task::spawn_blocking(Docs::built_in);
        tokio::spawn(Actor::new(client, options, Arc::clone(&shared), asked, events).run());
        (Self { requests, shared }, receiver)
    }

    fn request(&self, request: Request) {
        // The task ends only with the last handle.
        let _ = self.requests.send(request);
    }

    /// Sends a line as typed: a command, a local word, several lines when a quote spans them.
    /// Remembers it in the history unless it carries a secret. While a command is under way lines
    /// wait their turn.
    pub fn submit(&self, line: &str) {
        lock(&self.shared.history).add(line);
        self.request(Request::Submit(line.to_owned()));
    }

    /// Answers a [`ConsoleEvent::Confirm`].
    pub fn confirm(&self, yes: bool) {
        self.request(Request::Confirm(yes));
    }

    /// Ctrl-C: gives up the blocking command under way, or leaves MONITOR and subscriptions, over a
    /// new connection; true when there was something to give up.
    pub fn cancel(&self) -> bool {
        let prompt = self.prompt();
        let something = prompt.busy || prompt.subscribed || prompt.monitoring;
        if something {
            self.request(Request::Cancel);
        }
        something
    }

    /// Shows the next `lines` lines of a reply that was held back.
    pub fn more(&self, id: CommandId, lines: usize) {
        self.request(Request::More(id, lines));
    }

    /// UTF-8 as text, or as redis-cli's escapes, from the next reply on.
    pub fn set_utf8(&self, on: bool) {
        self.shared.set_utf8(on);
    }

    /// The prompt as of now.
    pub fn prompt(&self) -> Prompt {
        lock(&self.shared.prompt).clone()
    }

    /// What could stand at the cursor (a byte offset), best first. Answers from what is known; where
    /// keys are wanted it also looks for more with SCAN, told by [`ConsoleEvent::NamesChanged`].
    pub fn complete(&self, line: &str, cursor: usize) -> Vec<Candidate> {
        editing::complete(&self.shared.docs(), &self.shared.names, line, cursor)
    }

    /// The syntax still to come after what was typed: ` value [NX|XX] [EX seconds …]`.
    pub fn hint(&self, line: &str) -> Option<String> {
        if !self.shared.hints.load(Ordering::Relaxed) {
            return None;
        }
        grammar::hint(&self.shared.docs(), line)
    }

    /// The line cut into classed ranges, in order, covering all of it.
    pub fn highlight(&self, line: &str) -> Vec<(Range<usize>, Token)> {
        editing::highlight(&self.shared.docs(), line)
    }

    /// What the server would refuse in the line as it stands.
    pub fn problems(&self, line: &str) -> Vec<Problem> {
        editing::problems(&self.shared.docs(), line)
    }

    /// False while a quote is open: Enter should then begin a new line instead of sending.
    pub fn is_complete(&self, line: &str) -> bool {
        !split_args(line.as_bytes()).is_err_and(|error| error.open)
    }

    /// Remembered lines, oldest first.
    pub fn history(&self) -> Vec<String> {
        lock(&self.shared.history).lines()
    }

    /// Runs a lesson's block: its hidden set-up, then each step, shown as events like typed commands
    /// and compared with what the lesson says. It has a connection of its own in database 0, so that
    /// an open MULTI at the prompt cannot spoil it. On a borrowed server every key is kept under our
    /// prefix, and what cannot be confined is refused.
    pub async fn run_block(&self, block: &RedisBlock) -> BlockOutcome {
        let (answer, outcome) = oneshot::channel();
        self.request(Request::Block(block.clone(), answer));
        outcome
            .await
            .unwrap_or_else(|_| BlockOutcome { steps: Vec::new(), stopped: Some("the block was cancelled".into()) })
    }
}

/// What the handles and the task share.
#[derive(Debug)]
pub(super) struct Shared {
    prompt: Mutex<Prompt>,
    docs: Mutex<Option<Arc<Docs>>>,
    built_in: std::sync::OnceLock<Arc<Docs>>,
    version: crate::server::Version,
    pub names: Arc<Names>,
    history: Mutex<History>,
    utf8: AtomicBool,
    hints: AtomicBool,
    ids: AtomicU64,
}

impl Shared {
    fn new(endpoint: &Endpoint, options: &SessionOptions, events: mpsc::WeakSender<ConsoleEvent>) -> Self {
        Self {
            prompt: Mutex::new(Prompt {
                place: String::new(),
                database: endpoint.database,
                transaction: false,
                subscribed: false,
                monitoring: false,
                connected: false,
                busy: false,
            }),
            docs: Mutex::new(None),
            built_in: std::sync::OnceLock::new(),
            version: endpoint.redis_version,
            names: Arc::new(Names::new(endpoint.clone(), events)),
            history: Mutex::new(History::open(options.history_file.clone())),
            utf8: AtomicBool::new(options.utf8),
            hints: AtomicBool::new(true),
            ids: AtomicU64::new(1),
        }
    }

    /// The live server's table, or the built-in one as far as the server can know it.
    pub fn docs(&self) -> Arc<Docs> {
        if let Some(docs) = &*lock(&self.docs) {
            return Arc::clone(docs);
        }
        Arc::clone(self.built_in.get_or_init(|| {
            let old = self.version < crate::server::Version::new(7, 0, 0);
            if old { Arc::new(Docs::built_in_for(self.version)) } else { Arc::clone(Docs::built_in()) }
        }))
    }

    /// Asks the server for its own table, beside everything else.
    pub fn fetch_docs(self: &Arc<Self>, endpoint: &Endpoint) {
        let (shared, endpoint) = (Arc::clone(self), endpoint.clone());
        tokio::spawn(async move {
            if let Some(docs) = super::live_docs(&endpoint).await {
                *lock(&shared.docs) = Some(Arc::new(docs));
            }
        });
    }

    pub fn next_id(&self) -> CommandId {
        CommandId(self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Remembers key names in a command that was typed.
    pub fn learn_names(&self, arguments: &Arguments) {
        let docs = self.docs();
        let Some((command, named)) = docs.find(arguments) else { return };
        let walked = grammar::walk(&command.arguments, &arguments[named..]);
        for (word, argument) in walked.words.iter().zip(&arguments[named..]) {
            if word.token == Token::Key {
                self.names.saw(argument);
            }
        }
    }

    /// Remembers key names in a reply that lists some.
    pub fn learn_reply(&self, arguments: &Arguments, reply: &Frame) {
        self.names.saw_reply(arguments, reply);
    }

    pub fn utf8(&self) -> bool {
        self.utf8.load(Ordering::Relaxed)
    }

    pub fn set_utf8(&self, on: bool) {
        self.utf8.store(on, Ordering::Relaxed);
    }

    pub fn set_hints(&self, on: bool) {
        self.hints.store(on, Ordering::Relaxed);
    }

    /// True when it differs from the last one.
    pub fn set_prompt(&self, prompt: &Prompt) -> bool {
        self.names.set_database(prompt.database);
        let mut current = lock(&self.prompt);
        let changed = *current != *prompt;
        current.clone_from(prompt);
        changed
    }
}

/// A lock; what a panicking thread left is still whole, as every change is one assignment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
