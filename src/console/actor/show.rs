//! What the actor shows: replies and their pages, echoes, remarks, messages.
//!
//! Owns: the way from a frame to events. Must not know: requests, the connection's fate.

use std::time::Duration;

use super::{Active, Actor, Busy, CLIP, printable_lines};
use crate::{
    console::{
        client::{Answer, Route},
        event::{CommandId, ConsoleEvent, ReplyLine, Source, Token, Unshown},
        format::{Printer, Repr, lines_of_raw, printable, write_raw},
        push,
    },
    resp::Frame,
};

impl Actor {
    // ---- replies

    pub(super) async fn frame(&mut self, route: Route, frame: Frame) {
        let mut busy = std::mem::replace(&mut self.busy, Busy::No);
        let flight = if let Busy::Command(active) = &mut busy { Some(&mut active.flight) } else { None };
        let answer = self.client.accept(flight, route, &frame);
        match (answer, busy) {
            (Answer::Reply, Busy::Command(mut active)) => {
                active.failed |= frame.error().is_some();
                self.reply(&mut active, frame).await;
                if active.flight.done() {
                    self.next_repetition(*active).await;
                } else {
                    self.busy = Busy::Command(active);
                }
            }
            (_, busy) => {
                self.busy = busy;
                self.push(&frame);
            }
        }
    }

    pub(super) async fn next_repetition(&mut self, active: Active) {
        if active.again > 0 && self.client.connected() {
            self.send(active.id, active.again - 1, active.flight.arguments, active.begun).await;
        } else {
            self.done(&active).await;
        }
    }

    pub(super) async fn reply(&mut self, active: &mut Active, frame: Frame) {
        self.shared.learn_reply(&active.flight.arguments, &frame);
        if active.raw && frame.error().is_none() {
            let mut text = Vec::new();
            write_raw(&frame.node(), b"\n", &mut text);
            return self.lines(active.id, lines_of_raw(&text)).await;
        }
        let mut printer = Printer::new(frame, self.repr());
        let lines = printer.take_lines(self.options.page_lines);
        active.unshown = printer.unshown().map(|elements| Unshown { elements });
        self.paged = active.unshown.is_some().then_some((active.id, printer));
        self.lines(active.id, lines).await;
    }

    pub(super) async fn more(&mut self, id: CommandId, count: usize) {
        let Some((paged, printer)) = self.paged.as_mut().filter(|(paged, _)| *paged == id) else { return };
        let id = *paged;
        let lines = printer.take_lines(count);
        let unshown = printer.unshown().map(|elements| Unshown { elements });
        if unshown.is_none() {
            self.paged = None;
        }
        self.lines(id, lines).await;
        self.emit(ConsoleEvent::Done { id, elapsed: Duration::ZERO, failed: false, unshown }).await;
    }

    pub(super) fn repr(&self) -> Repr {
        Repr { utf8: self.shared.utf8(), clip: Some(CLIP) }
    }

    pub(super) async fn done(&mut self, active: &Active) {
        let (id, elapsed) = (active.id, active.begun.elapsed());
        self.emit(ConsoleEvent::Done { id, elapsed, failed: active.failed, unshown: active.unshown }).await;
    }

    // ---- events

    pub(super) async fn answer(&mut self, line: &str, lines: Vec<ReplyLine>, failed: bool) {
        let id = self.shared.next_id();
        self.echo(id, line, Source::Typed).await;
        self.lines(id, lines).await;
        self.emit(ConsoleEvent::Done { id, elapsed: Duration::ZERO, failed, unshown: None }).await;
    }

    pub(super) async fn echo(&self, id: CommandId, line: &str, source: Source) {
        self.emit(ConsoleEvent::Command { id, text: printable_lines(line), source }).await;
    }

    pub(super) async fn lines(&self, id: CommandId, lines: Vec<ReplyLine>) {
        if !lines.is_empty() {
            self.emit(ConsoleEvent::Lines { id, lines }).await;
        }
    }

    /// A flood of messages must not hold up the prompt: what the front end does not fetch is counted.
    pub(super) fn push(&mut self, frame: &Frame) {
        let mut lines = push::lines(frame, self.repr());
        if self.dropped > 0 {
            let text = format!("({} messages were not shown)", self.dropped);
            lines.insert(0, ReplyLine::new(Token::Note, text));
        }
        match self.events.try_send(ConsoleEvent::Push(lines)) {
            Ok(()) => self.dropped = 0,
            Err(_) => self.dropped += 1,
        }
    }

    pub(super) async fn note(&self, text: &str) {
        self.emit(ConsoleEvent::Note(ReplyLine::new(Token::Note, printable(text.as_bytes())))).await;
    }

    pub(super) async fn error_note(&self, text: &str) {
        self.emit(ConsoleEvent::Note(ReplyLine::new(Token::Error, printable(text.as_bytes())))).await;
    }

    pub(super) async fn emit(&self, event: ConsoleEvent) {
        // Nobody listens any more: the session is about to end.
        let _ = self.events.send(event).await;
    }
}
