//! The console for pipes and scripts: one line in, one reply out, as `redis-cli` answers a file of
//! commands or a command given as arguments.
//!
//! Owns: order, formats, repeats, what is written for errors. Must not know: where lines come from
//! or where the output goes.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use super::{
    client::{Answer, Client},
    format::{Delimiters, JsonMode, Printer, Repr, write_csv, write_json, write_raw},
    grammar::Docs,
    help,
    line::{Arguments, Line, Local, is_raw_reply, parse},
    link::LinkError,
};
use crate::{
    resp::{Frame, split_args},
    server::{Address, Endpoint},
};

/// How replies are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// `--no-raw`: as on a terminal.
    Standard,
    /// `--raw`: strings as they are.
    Raw(Delimiters),
    /// `--csv`.
    Csv,
    /// `--json`, `--quoted-json`.
    Json(JsonMode),
}

/// How a batch behaves.
#[derive(Debug, Clone)]
pub struct BatchOptions {
    /// How replies are written.
    pub format: Format,
    /// Speak RESP3 from the beginning.
    pub resp3: bool,
    /// Pause between repetitions (`-i`).
    pub interval: Duration,
    /// An error reply ends the batch, on standard error (`-e`).
    pub exit_on_error: bool,
    /// Messages that no command asked for are written, too.
    pub show_pushes: bool,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// With the next line.
    Continue,
    /// `quit`.
    Quit,
    /// An error reply, and `exit_on_error`.
    Failed,
}

/// A console without a person.
pub struct Batch<W, E> {
    client: Client,
    options: BatchOptions,
    docs: Option<Docs>,
    out: W,
    err: E,
}

impl<W: Write, E: Write> Batch<W, E> {
    /// Connects. What the server refused (a database, a password) comes as sentences.
    pub async fn connect(
        endpoint: Endpoint,
        options: BatchOptions,
        out: W,
        err: E,
    ) -> Result<(Self, Vec<String>), LinkError> {
        let mut client = Client::new(endpoint, options.resp3);
        let refused = client.connect().await?;
        Ok((Self { client, options, docs: None, out, err }, refused))
    }

    /// Runs one line.
    pub async fn line(&mut self, line: &[u8]) -> io::Result<Flow> {
        match parse(line) {
            Line::Empty => {}
            Line::Invalid => self.out.write_all(b"Invalid argument(s)\n")?,
            Line::BadRepeat => self.out.write_all(b"Invalid redis-cli repeat command option value.\n")?,
            Line::Local(local) => return self.local(local).await,
            Line::Command { repeat, arguments } => {
                let begun = Instant::now();
                let flow = self.command(arguments, Some(repeat)).await?;
                let elapsed = begun.elapsed();
                if elapsed >= Duration::from_millis(500) && self.options.format == Format::Standard {
                    writeln!(self.out, "({:.2}s)", elapsed.as_secs_f64())?;
                }
                return Ok(flow);
            }
        }
        self.out.flush()?;
        Ok(Flow::Continue)
    }

    async fn local(&mut self, local: Local) -> io::Result<Flow> {
        match local {
            Local::Quit => return Ok(Flow::Quit),
            Local::Clear => self.out.write_all(b"\x1b[H\x1b[2J")?,
            Local::Restart => self.out.write_all(b"Use 'restart' only in Lua debugging mode.\n")?,
            Local::Preference(words) => {
                if let Some(answer) = preference(&words) {
                    writeln!(self.out, "{answer}")?;
                }
            }
            Local::Help(about) => {
                let text = help::exact(self.docs().await, &about);
                self.out.write_all(text.as_bytes())?;
            }
            Local::Connect { host, port } => {
                self.client.endpoint.address = Address::Tcp { host, port };
                if let Err(error) = self.client.connect().await {
                    writeln!(self.err, "{error}")?;
                }
            }
            Local::Peek(key) => {
                let lines = super::peek::peek(&self.client, &key, Repr::EXACT).await;
                for line in lines {
                    writeln!(self.out, "{}", line.text())?;
                }
            }
        }
        self.out.flush()?;
        Ok(Flow::Continue)
    }

    /// The server's own table; asked for on a connection of its own, so that an open MULTI does not queue it.
    async fn docs(&mut self) -> &Docs {
        if self.docs.is_none() {
            self.docs = super::live_docs(&self.client.endpoint).await;
        }
        self.docs.as_ref().unwrap_or_else(|| Docs::built_in())
    }

    /// Runs a command `repeat` times; `None`: for ever.
    pub async fn command(&mut self, arguments: Arguments, repeat: Option<u64>) -> io::Result<Flow> {
        let mut left = repeat;
        while left != Some(0) {
            left = left.map(|left| left - 1);
            if self.once(&arguments).await? == Flow::Failed {
                return Ok(Flow::Failed);
            }
            self.out.flush()?;
            if !self.options.interval.is_zero() && left != Some(0) {
                tokio::time::sleep(self.options.interval).await;
            }
        }
        Ok(Flow::Continue)
    }

    /// Sends a command, over a new connection if the old one is gone, and writes its replies. A command
    /// that was sent is never sent again: the server may have run it.
    async fn once(&mut self, arguments: &Arguments) -> io::Result<Flow> {
        if !self.client.alive()
            && let Err(error) = self.client.connect().await
        {
            writeln!(self.err, "{error}")?;
            return Ok(self.failed());
        }
        match self.replies(arguments).await? {
            Ok(flow) => Ok(flow),
            Err(LinkError::Closed) if arguments[0].eq_ignore_ascii_case(b"shutdown") => Ok(Flow::Continue),
            Err(error) => {
                writeln!(self.err, "Error: {error}")?;
                self.client.disconnect();
                Ok(self.failed())
            }
        }
    }

    fn failed(&self) -> Flow {
        if self.options.exit_on_error { Flow::Failed } else { Flow::Continue }
    }

    async fn replies(&mut self, arguments: &Arguments) -> io::Result<Result<Flow, LinkError>> {
        let raw = is_raw_reply(arguments);
        let adds = super::state::subscription(arguments).is_some_and(|subscription| subscription.adds);
        if adds && !matches!(self.options.format, Format::Raw(_)) {
            self.out.write_all(b"Reading messages... (press Ctrl-C to quit)\n")?;
        }
        let mut flight = match self.client.send(arguments.clone()).await {
            Ok(flight) => flight,
            Err(error) => return Ok(Err(error)),
        };
        let mut flow = Flow::Continue;
        // A stream (MONITOR, subscriptions) goes on until the process is ended.
        while !flight.done() || self.client.state.monitoring || (adds && self.client.state.subscribed()) {
            let (route, frame) = self.client.next().await;
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return Ok(Err(error)),
            };
            let streaming = flight.done();
            match self.client.accept(Some(&mut flight), route, &frame) {
                Answer::Push if !streaming => self.push(&frame)?,
                _ if self.options.exit_on_error && frame.error().is_some() => {
                    writeln!(self.err, "{}", String::from_utf8_lossy(frame.error().unwrap_or_default()))?;
                    flow = Flow::Failed;
                }
                _ => self.write(&frame, raw)?,
            }
            if flight.done() {
                self.out.flush()?;
            }
        }
        Ok(Ok(flow))
    }

    fn push(&mut self, frame: &Frame) -> io::Result<()> {
        if !self.options.show_pushes {
            return Ok(());
        }
        self.out.write_all(&super::push::text(frame))
    }

    fn write(&mut self, frame: &Frame, raw: bool) -> io::Result<()> {
        let mut text = Vec::new();
        let node = frame.node();
        match &self.options.format {
            _ if raw => write_raw(&node, b"\n", &mut text),
            Format::Standard => Printer::new(frame.clone(), Repr::EXACT).write_all(&mut text),
            Format::Raw(delimiters) => {
                write_raw(&node, &delimiters.element, &mut text);
                text.extend_from_slice(&delimiters.reply);
            }
            Format::Csv => {
                write_csv(&node, &mut text);
                text.push(b'\n');
            }
            Format::Json(mode) => {
                write_json(&node, *mode, &mut text);
                text.push(b'\n');
            }
        }
        self.out.write_all(&text)
    }
}

/// What redis-cli answers to a word with a colon.
pub(super) fn preference(words: &[String]) -> Option<String> {
    match words {
        [set, what, ..] if set.eq_ignore_ascii_case(":set") => match what.to_ascii_lowercase().as_str() {
            "hints" | "nohints" => None,
            _ => Some(format!("unknown redis-cli preference '{what}'")),
        },
        [first, ..] => Some(format!("unknown redis-cli internal command '{first}'")),
        [] => None,
    }
}

/// The arguments of a quoted word of the command line (`--quoted-input`).
pub fn unquote(word: &[u8]) -> Option<Vec<u8>> {
    match split_args(word).ok()?.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}
