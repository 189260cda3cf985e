//! A lesson's block: its hidden set-up, its steps, and whether they answer as the lesson says.
//!
//! Owns: running the block on a connection of its own, comparing, telling it as events. Must not
//! know: lessons beyond the block, progress.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, time::timeout};

use super::{
    actor::printable_lines,
    client::Client,
    confine::Confine,
    event::{BlockOutcome, CommandId, ConsoleEvent, ReplyLine, Source, StepOutcome, Token},
    format::{Printer, Repr, lines_of_raw, printable, write_raw},
    line::{Arguments, Line, is_raw_reply, parse},
    session::Shared,
};
use crate::{
    course::lesson::{Expected, RedisBlock, RedisStep},
    resp::Frame,
    server::{Endpoint, Ownership},
};

/// Longest wait for one step; a lesson's blocking command should give up long before.
const STEP: Duration = Duration::from_secs(30);
/// Lines of one step's reply that are kept and compared.
const LINES: usize = 2_000;

/// What a block needs of its session.
pub(super) struct BlockRun {
    pub endpoint: Endpoint,
    pub shared: Arc<Shared>,
    pub events: mpsc::Sender<ConsoleEvent>,
    pub repr: Repr,
}

/// Runs a block to its end, or to the first thing that stops it.
pub(super) async fn run(run: &BlockRun, block: &RedisBlock) -> BlockOutcome {
    let mut outcome = BlockOutcome { steps: Vec::new(), stopped: None };
    let source = Source::Lesson { block: block.index };
    match Runner::connect(run, source).await {
        Ok(mut runner) => {
            if let Err(why) = runner.run(block, &mut outcome.steps).await {
                outcome.stopped = Some(why);
            }
        }
        Err(why) => outcome.stopped = Some(why),
    }
    if let Some(why) = &outcome.stopped {
        let text = printable(why.as_bytes());
        let _ = run.events.send(ConsoleEvent::Note(ReplyLine::new(Token::Error, text))).await;
    }
    outcome
}

struct Runner<'a> {
    run: &'a BlockRun,
    source: Source,
    client: Client,
    confine: Option<Confine>,
}

/// What one command came to.
struct Reply {
    lines: Vec<ReplyLine>,
    failed: bool,
}

impl<'a> Runner<'a> {
    async fn connect(run: &'a BlockRun, source: Source) -> Result<Self, String> {
        let mut endpoint = run.endpoint.clone();
        let confine = match &run.endpoint.ownership {
            Ownership::Private => {
                endpoint.database = 0;
                None
            }
            Ownership::Borrowed { prefix } => Some(Confine::new(prefix)),
        };
        let mut client = Client::new(endpoint, false);
        client.connect().await.map_err(|error| error.to_string())?;
        Ok(Self { run, source, client, confine })
    }

    async fn run(&mut self, block: &RedisBlock, steps: &mut Vec<StepOutcome>) -> Result<(), String> {
        for setup in &block.setup {
            let reply = self.line(setup).await.map_err(|why| format!("set-up {setup:?}: {why}"))?;
            if reply.failed {
                let text: Vec<String> = reply.lines.iter().map(ReplyLine::text).collect();
                return Err(format!("set-up {setup:?}: {}", text.join(" ")));
            }
        }
        for step in &block.steps {
            let id = self.run.shared.next_id();
            let text = printable_lines(&step.command);
            self.emit(ConsoleEvent::Command { id, text, source: self.source }).await;
            let begun = Instant::now();
            let reply = self.line(&step.command).await;
            self.finish(id, begun.elapsed(), &reply).await;
            steps.push(judged(step, reply?.lines));
        }
        Ok(())
    }

    async fn finish(&self, id: CommandId, elapsed: Duration, reply: &Result<Reply, String>) {
        let (lines, failed) = match reply {
            Ok(reply) => (reply.lines.clone(), reply.failed),
            Err(why) => (vec![ReplyLine::new(Token::Error, format!("(error) {}", printable(why.as_bytes())))], true),
        };
        if !lines.is_empty() {
            self.emit(ConsoleEvent::Lines { id, lines }).await;
        }
        self.emit(ConsoleEvent::Done { id, elapsed, failed, unshown: None }).await;
    }

    async fn line(&mut self, line: &str) -> Result<Reply, String> {
        let (repeat, arguments) = match parse(line.as_bytes()) {
            Line::Command { repeat, arguments } => (repeat, arguments),
            Line::Invalid => return Err("the quotes do not match".into()),
            _ => return Err("a block can only hold commands for the server".into()),
        };
        if repeat > 10_000 {
            return Err("more than 10,000 repetitions".into());
        }
        self.run.shared.learn_names(&arguments);
        let raw = is_raw_reply(&arguments);
        let mut reply = Reply { lines: Vec::new(), failed: false };
        for _ in 0..repeat {
            let frames = self.execute(arguments.clone()).await?;
            reply.failed |= frames.iter().any(|frame| frame.error().is_some());
            for frame in &frames {
                reply.lines.extend(self.shown(frame, raw));
            }
            reply.lines.truncate(LINES);
        }
        Ok(reply)
    }

    async fn execute(&mut self, arguments: Arguments) -> Result<Vec<Frame>, String> {
        let arguments = match &mut self.confine {
            Some(confine) => {
                let mut link = self.client.aside().await.map_err(|error| error.to_string())?;
                confine.command(&mut link, arguments).await?
            }
            None => arguments,
        };
        let frames = match timeout(STEP, self.client.execute(arguments)).await {
            Ok(Ok(frames)) => frames,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("no reply within {} s", STEP.as_secs())),
        };
        Ok(match &self.confine {
            Some(confine) => frames.iter().map(|frame| confine.reply(frame)).collect(),
            None => frames,
        })
    }

    fn shown(&self, frame: &Frame, raw: bool) -> Vec<ReplyLine> {
        if raw && frame.error().is_none() {
            let mut text = Vec::new();
            write_raw(&frame.node(), b"\n", &mut text);
            return lines_of_raw(&text);
        }
        Printer::new(frame.clone(), self.run.repr).take_lines(LINES)
    }

    async fn emit(&self, event: ConsoleEvent) {
        // The front end may be gone; the outcome is still wanted.
        let _ = self.run.events.send(event).await;
    }
}

/// Compares a step's reply with what the lesson says.
fn judged(step: &RedisStep, reply: Vec<ReplyLine>) -> StepOutcome {
    let matched = step.expected.is_empty() || matches_all(&step.expected, &reply);
    let text = |expected: &Expected| match expected {
        Expected::Exact(text) | Expected::Pattern(text) => text.clone(),
    };
    let expected = if matched { Vec::new() } else { step.expected.iter().map(text).collect() };
    StepOutcome { command: step.command.clone(), reply, matched, expected }
}

/// Line by line; a last pattern `*` stands for all lines that remain.
fn matches_all(expected: &[Expected], reply: &[ReplyLine]) -> bool {
    let (expected, rest) = match expected.split_last() {
        Some((Expected::Pattern(last), before)) if last.trim() == "*" && reply.len() > before.len() => (before, true),
        _ => (expected, false),
    };
    let lengths_fit = if rest { reply.len() > expected.len() } else { reply.len() == expected.len() };
    lengths_fit
        && expected.iter().zip(reply).all(|(expected, line)| match expected {
            // Blanks at the end of a line are invisible in a lesson.
            Expected::Exact(text) => line.text().trim_end() == text.trim_end(),
            Expected::Pattern(pattern) => matches(pattern.trim_end(), line.text().trim_end()),
        })
}

/// `*` stands for any text, `<number>` for a number, all else for itself.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    if pattern.is_empty() {
        return text.is_empty();
    }
    if let Some(rest) = pattern.strip_prefix('*') {
        return text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| matches(rest, &text[at..]));
    }
    if let Some(rest) = pattern.strip_prefix("<number>") {
        let is_part = |c: &char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e');
        let longest: usize = text.chars().take_while(is_part).count();
        return (1..=longest).rev().any(|end| text[..end].parse::<f64>().is_ok() && matches(rest, &text[end..]));
    }
    let mut characters = pattern.chars();
    let first = characters.next();
    first.is_some_and(|first| text.strip_prefix(first).is_some_and(|text| matches(characters.as_str(), text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches("(integer) <number>", "(integer) -12"));
        assert!(matches("\"<number>\"", "\"1.5e-3\""));
        assert!(!matches("(integer) <number>", "(integer) "));
        assert!(!matches("(integer) <number>", "(integer) 1x"));
        assert!(matches("* of *", "3 of 4"));
        assert!(matches("*", ""));
        assert!(!matches("ab*", "a"));
    }

    #[test]
    fn lines_are_compared_one_by_one() {
        let reply: Vec<ReplyLine> = ["1) a", "2) b"].map(|text| ReplyLine::new(Token::Text, text)).to_vec();
        let exact = |text: &str| Expected::Exact(text.into());
        let pattern = |text: &str| Expected::Pattern(text.into());
        assert!(matches_all(&[exact("1) a"), exact("2) b ")], &reply));
        assert!(!matches_all(&[exact("1) a")], &reply));
        assert!(!matches_all(&[exact("1) a"), exact("2) c")], &reply));
        assert!(matches_all(&[exact("1) a"), pattern("*")], &reply));
        assert!(matches_all(&[pattern("*")], &reply));
        assert!(!matches_all(&[exact("1) a"), exact("2) b"), pattern("*")], &reply));
    }
}
