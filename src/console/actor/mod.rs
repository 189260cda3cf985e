//! The task behind a [`Session`](super::Session): one user's commands in order, and everything that
//! comes in meanwhile.
//!
//! Owns: the client, what is under way, what waits, the reply that is shown in pages. Must not know:
//! who listens to the events.

mod show;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, time::sleep_until};

use super::{
    block::{self, BlockRun},
    client::{Client, Flight, Route},
    event::{CommandId, ConsoleEvent, ReplyLine, Source, Token, Unshown},
    format::{Printer, Repr, printable},
    help,
    line::{Arguments, Line, Local, is_raw_reply, parse},
    link::LinkError,
    safety,
    session::{SessionOptions, Shared},
};
use crate::{
    course::lesson::RedisBlock,
    resp::Frame,
    server::{Address, Ownership},
};

/// Longest string shown of one element on a screen; the rest is counted.
const CLIP: usize = 16 * 1024;
/// First and longest pause between attempts to reconnect.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// What the handle asks for.
#[derive(Debug)]
pub(super) enum Request {
    Submit(String),
    Confirm(bool),
    Cancel,
    More(CommandId, usize),
    Block(RedisBlock, tokio::sync::oneshot::Sender<super::BlockOutcome>),
}

/// A command under way.
struct Active {
    id: CommandId,
    flight: Flight,
    /// Times it is still to be sent after this one.
    again: u64,
    begun: Instant,
    raw: bool,
    failed: bool,
    unshown: Option<Unshown>,
}

/// What holds the prompt.
enum Busy {
    No,
    Command(Box<Active>),
    /// Waiting for a yes.
    Question {
        line: String,
        repeat: u64,
        arguments: Arguments,
    },
    /// A lesson's block, on a connection of its own.
    Block(tokio::task::JoinHandle<()>),
}

pub(super) struct Actor {
    client: Client,
    options: SessionOptions,
    shared: Arc<Shared>,
    requests: mpsc::UnboundedReceiver<Request>,
    events: mpsc::Sender<ConsoleEvent>,
    busy: Busy,
    waiting: VecDeque<Request>,
    paged: Option<(CommandId, Printer)>,
    /// When to try to reconnect, and the pause after that.
    reconnect: Option<(tokio::time::Instant, Duration)>,
    /// Pushes that nobody fetched in time.
    dropped: u64,
    block_done: (mpsc::Sender<()>, mpsc::Receiver<()>),
    was_connected: bool,
}

impl Actor {
    pub fn new(
        client: Client,
        options: SessionOptions,
        shared: Arc<Shared>,
        requests: mpsc::UnboundedReceiver<Request>,
        events: mpsc::Sender<ConsoleEvent>,
    ) -> Self {
        Self {
            client,
            options,
            shared,
            requests,
            events,
            busy: Busy::No,
            waiting: VecDeque::new(),
            paged: None,
            reconnect: None,
            dropped: 0,
            block_done: mpsc::channel(1),
            was_connected: false,
        }
    }

    /// Runs until every handle is gone.
    pub async fn run(mut self) {
        self.connect().await;
        loop {
            self.publish_prompt().await;
            let retry = self.reconnect.map(|(at, _)| at);
            tokio::select! {
                request = self.requests.recv() => match request {
                    Some(request) => self.request(request).await,
                    None => break,
                },
                (route, frame) = self.client.next() => self.incoming(route, frame).await,
                _ = self.block_done.1.recv() => self.block_ended(),
                () = sleep_until(retry.unwrap_or_else(tokio::time::Instant::now)), if retry.is_some() => {
                    self.connect().await;
                }
            }
            while matches!(self.busy, Busy::No)
                && let Some(request) = self.waiting.pop_front()
            {
                self.request(request).await;
            }
        }
        if let Busy::Block(task) = &self.busy {
            task.abort();
        }
    }

    // ---- the connection

    async fn connect(&mut self) {
        let pause = self.reconnect.take().map_or(RECONNECT.0, |(_, pause)| pause);
        match self.client.connect().await {
            Ok(remarks) => {
                if std::mem::replace(&mut self.was_connected, true) {
                    self.note("connected again").await;
                }
                for remark in remarks {
                    self.note(&remark).await;
                }
                self.shared.fetch_docs(&self.client.endpoint);
            }
            Err(error) => {
                if pause == RECONNECT.0 {
                    self.error_note(&error.to_string()).await;
                }
                let next = tokio::time::Instant::now() + pause;
                self.reconnect = Some((next, (pause * 2).min(RECONNECT.1)));
            }
        }
    }

    async fn incoming(&mut self, route: Route, frame: Result<Frame, LinkError>) {
        match frame {
            Ok(frame) => self.frame(route, frame).await,
            Err(error) => self.lost(route, &error).await,
        }
    }

    async fn lost(&mut self, route: Route, error: &LinkError) {
        match route {
            Route::PubSub => return self.error_note(&format!("the subscriptions ended: {error}")).await,
            Route::Monitor => return self.error_note(&format!("MONITOR ended: {error}")).await,
            Route::Main => {}
        }
        if let Busy::Command(mut active) = std::mem::replace(&mut self.busy, Busy::No) {
            let shutdown = active.flight.arguments[0].eq_ignore_ascii_case(b"shutdown");
            if !shutdown {
                active.failed = true;
                let text = format!("(error) {error}: the command may have run or not");
                self.lines(active.id, vec![ReplyLine::new(Token::Error, text)]).await;
            }
            self.done(&active).await;
        } else if !matches!(error, LinkError::NotConnected) {
            self.error_note(&format!("connection lost: {error}")).await;
        }
        self.reconnect = Some((tokio::time::Instant::now() + RECONNECT.0, RECONNECT.0 * 2));
    }

    // ---- requests

    async fn request(&mut self, request: Request) {
        match request {
            Request::Cancel => self.cancel().await,
            Request::Confirm(yes) => self.confirmed(yes).await,
            Request::More(id, lines) => self.more(id, lines).await,
            other if !matches!(self.busy, Busy::No) => self.waiting.push_back(other),
            Request::Submit(line) => self.submit(line).await,
            Request::Block(block, answer) => self.block(block, answer),
        }
    }

    async fn submit(&mut self, line: String) {
        self.paged = None;
        match parse(line.as_bytes()) {
            Line::Empty => {}
            Line::Invalid => self.answer(&line, vec![ReplyLine::new(Token::Error, "Invalid argument(s)")], true).await,
            Line::BadRepeat => {
                let text = "Invalid redis-cli repeat command option value.";
                self.answer(&line, vec![ReplyLine::new(Token::Error, text)], true).await;
            }
            Line::Local(local) => self.local(&line, local).await,
            Line::Command { repeat, arguments } => {
                let why = match &self.client.endpoint.ownership {
                    Ownership::Private => None,
                    Ownership::Borrowed { .. } => safety::danger(&arguments),
                };
                if let Some(why) = why {
                    self.emit(ConsoleEvent::Confirm { command: printable(line.as_bytes()), why }).await;
                    self.busy = Busy::Question { line, repeat, arguments };
                } else {
                    self.command(&line, repeat, arguments).await;
                }
            }
        }
    }

    async fn confirmed(&mut self, yes: bool) {
        let Busy::Question { line, repeat, arguments } = std::mem::replace(&mut self.busy, Busy::No) else { return };
        if yes {
            self.command(&line, repeat, arguments).await;
        } else {
            self.answer(&line, vec![ReplyLine::new(Token::Note, "not sent")], true).await;
        }
    }

    async fn command(&mut self, line: &str, repeat: u64, arguments: Arguments) {
        let id = self.shared.next_id();
        self.echo(id, line, Source::Typed).await;
        self.send(id, repeat - 1, arguments, Instant::now()).await;
    }

    async fn send(&mut self, id: CommandId, again: u64, arguments: Arguments, begun: Instant) {
        if !self.client.alive() {
            self.connect().await;
        }
        let raw = is_raw_reply(&arguments);
        self.shared.learn_names(&arguments);
        match self.client.send(arguments).await {
            Ok(flight) => {
                let active = Active { id, flight, again, begun, raw, failed: false, unshown: None };
                if active.flight.done() {
                    let text = "no reply will come (CLIENT REPLY)";
                    self.lines(id, vec![ReplyLine::new(Token::Note, text)]).await;
                    self.done(&active).await;
                } else {
                    self.busy = Busy::Command(Box::new(active));
                }
            }
            Err(error) => {
                self.lines(id, vec![ReplyLine::new(Token::Error, format!("(error) {error}"))]).await;
                let elapsed = begun.elapsed();
                self.emit(ConsoleEvent::Done { id, elapsed, failed: true, unshown: None }).await;
            }
        }
    }

    async fn local(&mut self, line: &str, local: Local) {
        let lines = match local {
            Local::Quit => return self.emit(ConsoleEvent::Quit).await,
            Local::Clear => return self.emit(ConsoleEvent::Clear).await,
            Local::Restart => vec![ReplyLine::new(Token::Note, "Use 'restart' only in Lua debugging mode.")],
            Local::Help(about) => help::lines(&self.shared.docs(), &about),
            Local::Preference(words) => self.preference(&words),
            Local::Peek(key) => super::peek::peek(&self.client, &key, self.repr()).await,
            Local::Connect { host, port } => {
                self.client.endpoint.address = Address::Tcp { host, port };
                // Whatever is there is not ours.
                self.client.endpoint.ownership = Ownership::Borrowed { prefix: crate::server::PREFIX.to_owned() };
                self.client.end_streams();
                self.connect().await;
                Vec::new()
            }
        };
        self.answer(line, lines, false).await;
    }

    fn preference(&mut self, words: &[String]) -> Vec<ReplyLine> {
        let is = |index: usize, word: &str| words.get(index).is_some_and(|w| w.eq_ignore_ascii_case(word));
        if is(0, ":set") && (is(1, "utf8") || is(1, "noutf8")) {
            self.shared.set_utf8(is(1, "utf8"));
            return Vec::new();
        }
        if is(0, ":set") && (is(1, "hints") || is(1, "nohints")) {
            self.shared.set_hints(is(1, "hints"));
            return Vec::new();
        }
        super::batch::preference(words)
            .map(|text| ReplyLine::new(Token::Error, printable(text.as_bytes())))
            .into_iter()
            .collect()
    }

    async fn cancel(&mut self) {
        match std::mem::replace(&mut self.busy, Busy::No) {
            Busy::No => {
                if self.client.end_streams() {
                    self.note("the stream is ended").await;
                } else if self.client.state.subscribed() {
                    // RESP3 subscriptions live on the main connection.
                    self.client.disconnect();
                    self.renew().await;
                }
            }
            Busy::Question { line, .. } => {
                self.answer(&line, vec![ReplyLine::new(Token::Note, "not sent")], true).await;
            }
            Busy::Block(task) => {
                task.abort();
                self.note("the block was cancelled").await;
            }
            Busy::Command(mut active) => {
                active.failed = true;
                self.client.disconnect();
                let text = "cancelled: the server may still finish what it began";
                self.lines(active.id, vec![ReplyLine::new(Token::Note, text)]).await;
                self.done(&active).await;
                self.renew().await;
            }
        }
    }

    /// A new connection on purpose: nobody needs to be told that it is there.
    async fn renew(&mut self) {
        self.was_connected = false;
        self.connect().await;
    }

    // ---- blocks of lessons

    fn block(&mut self, block: RedisBlock, answer: tokio::sync::oneshot::Sender<super::BlockOutcome>) {
        let run = BlockRun {
            endpoint: self.client.endpoint.clone(),
            shared: Arc::clone(&self.shared),
            events: self.events.clone(),
            repr: Repr { utf8: false, clip: Some(CLIP) },
        };
        let ended = self.block_done.0.clone();
        self.busy = Busy::Block(tokio::spawn(async move {
            let outcome = block::run(&run, &block).await;
            // The asker may be gone; the events told it all.
            let _ = answer.send(outcome);
            let _ = ended.send(()).await;
        }));
    }

    fn block_ended(&mut self) {
        if matches!(self.busy, Busy::Block(_)) {
            self.busy = Busy::No;
        }
    }

    async fn publish_prompt(&mut self) {
        let state = &self.client.state;
        let mut prompt = super::Prompt {
            place: match self.client.endpoint.ownership {
                Ownership::Private => self.client.endpoint.flavour.name.clone(),
                Ownership::Borrowed { .. } => self.client.place(),
            },
            database: state.database,
            transaction: state.transaction,
            subscribed: state.subscribed(),
            monitoring: state.monitoring,
            connected: self.client.connected(),
            busy: !matches!(self.busy, Busy::No),
        };
        prompt.place = printable(prompt.place.as_bytes());
        if self.shared.set_prompt(&prompt) {
            self.emit(ConsoleEvent::Prompt(prompt)).await;
        }
    }
}

/// Lines stay lines; all else that controls is escaped.
pub(super) fn printable_lines(text: &str) -> String {
    text.split('\n').map(|line| printable(line.trim_end_matches('\r').as_bytes())).collect::<Vec<_>>().join("\n")
}
