//! The prompt on a terminal: reads lines with reedline, prints what the session tells.
//!
//! Owns: who may write to the terminal when (the editor, or what answers a command), Ctrl-C, pages,
//! questions, pipes to a shell. Must not know: RESP, how replies are formatted.

use std::{
    io::{self, BufRead, Write},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::Context;
use reedline::{ExternalPrinter, Signal};
use tokio::sync::mpsc::Receiver;

use super::{editor, style};
use crate::{
    console::{
        CommandId, ConsoleEvent, Session, SessionOptions, Source,
        batch::{Batch, BatchOptions, Format},
        format::{Delimiters, JsonMode},
    },
    resp::split_spans,
    server::Endpoint,
};

/// Lines of a long reply shown at once.
const PAGE: usize = 1_000;
/// Replies slower than this get their time, as in redis-cli.
const SLOW: Duration = Duration::from_millis(500);

/// How the prompt looks and begins.
pub(super) struct Look {
    pub colour: bool,
    pub resp3: bool,
    pub history: Option<PathBuf>,
}

/// What the printing side tells the reading side.
enum Wake {
    Done { held_back: Option<(CommandId, usize)> },
    Confirm { why: String },
    Clear,
    Quit,
}

/// Runs the prompt until its user leaves.
pub(super) fn run(runtime: &tokio::runtime::Runtime, endpoint: &Endpoint, look: &Look) -> anyhow::Result<ExitCode> {
    let options = SessionOptions {
        resp3: look.resp3,
        page_lines: PAGE,
        history_file: look.history.clone(),
        ..SessionOptions::default()
    };
    let _context = runtime.enter();
    let (session, events) = Session::open(endpoint.clone(), options);
    let printer = ExternalPrinter::new(1_000);
    let above = printer.sender();
    let mut line_editor = editor::editor(&session, printer, look.colour)?;
    let reading = Arc::new(AtomicBool::new(true));
    let (wake, woken) = mpsc::channel();
    let repaint = line_editor.repaint_signal();
    let show = Show { events, editor: above, reading: Arc::clone(&reading), wake, colour: look.colour };
    std::thread::spawn(move || show.run(|| repaint.request_repaint()));
    let (interrupted, editing) = (session.clone(), Arc::clone(&reading));
    runtime.spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            // The terminal has echoed `^C` where the reply is to come.
            if interrupted.cancel() && !editing.load(Ordering::SeqCst) {
                println!();
            }
        }
    });
    let mut terminal = Terminal { session, endpoint: endpoint.clone(), reading, woken, utf8: true };
    loop {
        let prompt = editor::Line(terminal.session.clone());
        terminal.reading.store(true, Ordering::SeqCst);
        let signal = line_editor.read_line(&prompt);
        terminal.reading.store(false, Ordering::SeqCst);
        match signal.context("reading from the terminal")? {
            Signal::Success(line) if terminal.line(runtime, &line)? => {}
            Signal::Success(_) | Signal::CtrlD => return Ok(ExitCode::SUCCESS),
            Signal::CtrlC => terminal.interrupt(),
            Signal::HostCommand(name) if name == editor::TOGGLE_UTF8 => terminal.toggle_utf8(),
            _ => {}
        }
    }
}

struct Terminal {
    session: Session,
    endpoint: Endpoint,
    reading: Arc<AtomicBool>,
    woken: mpsc::Receiver<Wake>,
    utf8: bool,
}

impl Terminal {
    /// False when the user leaves.
    fn line(&mut self, runtime: &tokio::runtime::Runtime, line: &str) -> anyhow::Result<bool> {
        if line.trim().is_empty() {
            return Ok(true);
        }
        if let Some((command, shell)) = piped(line) {
            if let Err(error) = self.pipe(runtime, command, shell) {
                eprintln!("{error:#}");
            }
            return Ok(true);
        }
        while self.woken.try_recv().is_ok() {}
        self.session.submit(line);
        self.answered()
    }

    /// Waits until the command is answered, asking what must be asked meanwhile.
    fn answered(&self) -> anyhow::Result<bool> {
        loop {
            match self.woken.recv()? {
                Wake::Done { held_back: None } => return Ok(true),
                Wake::Done { held_back: Some((id, elements)) } => {
                    match ask(&format!("-- {elements} more elements: Enter shows the next page, a all, q no more -- "))?
                        .as_str()
                    {
                        "" => self.session.more(id, PAGE),
                        "a" => self.session.more(id, usize::MAX),
                        _ => return Ok(true),
                    }
                }
                Wake::Confirm { why } => {
                    println!("{why}.");
                    let answer = ask("Send it? [y/N] ")?;
                    self.session.confirm(answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"));
                }
                Wake::Clear => {
                    print!("\x1b[H\x1b[2J");
                    io::stdout().flush()?;
                    return Ok(true);
                }
                Wake::Quit => return Ok(false),
            }
        }
    }

    fn interrupt(&self) {
        if !self.session.cancel() {
            println!("(Ctrl-D or quit leaves)");
        }
    }

    fn toggle_utf8(&mut self) {
        self.utf8 = !self.utf8;
        self.session.set_utf8(self.utf8);
        println!("strings are shown {}", if self.utf8 { "as UTF-8 text" } else { "with \\xHH escapes" });
    }

    /// `COMMAND | SHELL`: over a connection of its own, as JSON for jq, else raw.
    fn pipe(&self, runtime: &tokio::runtime::Runtime, command: &str, shell: &str) -> anyhow::Result<()> {
        let json = shell.split_whitespace().next() == Some("jq");
        let options = BatchOptions {
            format: if json { Format::Json(JsonMode::Plain) } else { Format::Raw(Delimiters::default()) },
            resp3: json,
            interval: Duration::ZERO,
            exit_on_error: false,
            show_pushes: false,
        };
        let endpoint = Endpoint { database: self.session.prompt().database, ..self.endpoint.clone() };
        let mut child = Command::new("sh").args(["-c", shell]).stdin(Stdio::piped()).spawn().context("starting sh")?;
        let input = child.stdin.take().context("no pipe to the shell")?;
        let written = runtime.block_on(async {
            let (mut batch, _) = Batch::connect(endpoint, options, io::BufWriter::new(input), io::stderr()).await?;
            anyhow::Ok(batch.line(command.as_bytes()).await?)
        });
        child.wait().context("waiting for the shell")?;
        match written {
            // The shell's program may have seen enough.
            Err(error) if !super::is_broken_pipe(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

/// The session's events, printed above the editor's line or straight away.
struct Show {
    events: Receiver<ConsoleEvent>,
    editor: mpsc::SyncSender<String>,
    reading: Arc<AtomicBool>,
    wake: mpsc::Sender<Wake>,
    colour: bool,
}

impl Show {
    fn run(mut self, repaint: impl Fn()) {
        while let Some(event) = self.events.blocking_recv() {
            match event {
                ConsoleEvent::Lines { lines, .. } | ConsoleEvent::Push(lines) => {
                    self.print(lines.iter().map(|line| style::paint(line, self.colour)));
                }
                ConsoleEvent::Note(line) => self.print([style::paint(&line, self.colour)]),
                ConsoleEvent::Done { id, elapsed, unshown, .. } => {
                    if elapsed >= SLOW {
                        self.print([format!("({:.2}s)", elapsed.as_secs_f64())]);
                    }
                    self.wake(Wake::Done { held_back: unshown.map(|unshown| (id, unshown.elements)) });
                }
                ConsoleEvent::Confirm { why, .. } => self.wake(Wake::Confirm { why }),
                ConsoleEvent::Clear => self.wake(Wake::Clear),
                ConsoleEvent::Quit => self.wake(Wake::Quit),
                ConsoleEvent::Prompt(_) => repaint(),
                ConsoleEvent::Command { source: Source::Typed | Source::Lesson { .. }, .. }
                | ConsoleEvent::NamesChanged => {}
            }
        }
    }

    fn print(&self, lines: impl IntoIterator<Item = String>) {
        let text = lines.into_iter().collect::<Vec<_>>().join("\n");
        if self.reading.load(Ordering::SeqCst) {
            // The editor may have gone; then nobody reads this either.
            let _ = self.editor.send(text);
        } else {
            let mut out = io::stdout().lock();
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        }
    }

    fn wake(&self, wake: Wake) {
        let _ = self.wake.send(wake);
    }
}

/// One line of an answer; Ctrl-D is `q`.
fn ask(question: &str) -> anyhow::Result<String> {
    print!("{question}");
    io::stdout().flush()?;
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer)? == 0 {
        println!();
        return Ok("q".to_owned());
    }
    Ok(answer.trim().to_owned())
}

/// A line split at a word that is `|`.
fn piped(line: &str) -> Option<(&str, &str)> {
    let spans = split_spans(line.as_bytes()).ok()?;
    let (range, _) = spans.iter().skip(1).find(|(range, _)| &line[range.clone()] == "|")?;
    let (command, shell) = (line[..range.start].trim(), line[range.end..].trim());
    (!shell.is_empty()).then_some((command, shell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_are_words_of_their_own() {
        assert_eq!(piped("HGETALL h | jq ."), Some(("HGETALL h", "jq .")));
        assert_eq!(piped("GET a | wc -c | tee x"), Some(("GET a", "wc -c | tee x")));
        assert_eq!(piped("SET a 'x | y'"), None);
        assert_eq!(piped("SET a b|c"), None);
        assert_eq!(piped("| x"), None);
        assert_eq!(piped("GET a |"), None);
    }
}
