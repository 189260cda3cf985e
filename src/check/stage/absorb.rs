//! Turns what happened into states of actors: whose command is it, who runs, who is done.

use super::{ConnectionId, EntryKind, Held, Stage, State, What, record::reply_text};
use crate::{
    check::{stand::Happening, warehouse::item_of},
    origin::http::{Seen, SeenKind},
    proxy::{Class, Wire, WireKind},
};

impl Stage<'_> {
    pub(super) fn absorb(&mut self, happening: Happening) {
        match happening {
            Happening::Wire(wire) => self.on_wire(wire),
            Happening::Origin(seen) => self.on_origin(seen),
            Happening::Http { actor, outcome } => {
                self.record(Some(actor), EntryKind::Response { outcome: outcome.clone() });
                let entry = &mut self.actors[actor];
                entry.outcome = Some(outcome);
                // It may still work (unlock after the answer): quiet decides that it is done.
                if entry.state != State::Held {
                    entry.state = State::Running;
                }
            }
        }
    }

    fn on_wire(&mut self, wire: Wire) {
        let connection: ConnectionId = (wire.instance, wire.connection);
        match wire.kind {
            WireKind::Closed => {
                self.transactions.remove(&connection);
                self.affinity.remove(&connection);
                self.held.retain(|held| match &held.what {
                    What::Command { connection: c, .. } | What::Delivery { connection: c, .. } => *c != connection,
                    What::Origin { .. } => true,
                });
            }
            WireKind::Command { argv, class: Class::Queued, .. } => {
                let name = argv[0].to_ascii_uppercase();
                if name == b"MULTI" || name == b"DISCARD" || name == b"UNWATCH" {
                    self.transactions.remove(&connection);
                } else {
                    self.transactions.entry(connection).or_default().push(argv);
                }
            }
            WireKind::Command { id, argv, class, held: true } => {
                let unit = if class == Class::Exec {
                    self.transactions.remove(&connection).filter(|unit| !unit.is_empty()).unwrap_or_else(|| vec![argv])
                } else {
                    vec![argv]
                };
                let actor = self.attribute(wire.instance, Some(connection), |item| {
                    unit.iter().flatten().any(|a| a.windows(item.len()).any(|w| w == item.as_bytes()))
                });
                self.hold(actor, What::Command { connection, id, unit });
            }
            WireKind::Opened | WireKind::Command { .. } => {}
            WireKind::Reply { id, frame, held } => self.on_reply(connection, id, frame, held),
            WireKind::Push { id, held, .. } => {
                if held {
                    // A subscriber is woken at once: who it is for cannot be known.
                    self.stand.instances[connection.0].proxy.order(connection.1, crate::proxy::Order::Deliver(id));
                }
            }
        }
    }

    fn on_reply(&mut self, connection: ConnectionId, id: u64, frame: crate::resp::Frame, held: bool) {
        let Some(actor) = self.outstanding.remove(&(connection.0, id)) else { return };
        self.blocking.remove(&(connection.0, id));
        let text = reply_text(&frame);
        let mut label = String::new();
        if let Some(entry) = self.history.iter_mut().rev().find(
            |e| matches!(&e.kind, EntryKind::Command { id: i, connection: c, .. } if *i == id && c.0 == connection.0),
        ) && let EntryKind::Command { unit, reply, .. } = &mut entry.kind
        {
            label = super::command_text(unit);
            *reply = Some(frame);
        }
        let Some(actor) = actor else { return };
        self.actors[actor].last = Some((label, text));
        if held {
            self.hold(Some(actor), What::Delivery { connection, id });
        } else if self.actors[actor].state == State::Blocked {
            self.actors[actor].state = State::Running;
        }
    }

    fn on_origin(&mut self, seen: Seen) {
        match seen.kind {
            SeenKind::Arrived { call, held } => {
                let of_call = item_of(&call).map(str::to_owned);
                let actor = self.attribute(seen.instance, None, |item| of_call.as_deref() == Some(item));
                if held {
                    self.hold(actor, What::Origin { id: seen.id, call });
                }
            }
            SeenKind::Answered { answer } => {
                let same = |kind: &EntryKind| matches!(kind, EntryKind::Origin { id, .. } if *id == seen.id);
                if let Some(entry) = self.history.iter_mut().rev().find(|e| same(&e.kind))
                    && let EntryKind::Origin { answer: slot, call, .. } = &mut entry.kind
                {
                    let last = (format!("{} {}", call.method, call.path), answer.body.clone());
                    *slot = Some(answer);
                    if let Some(actor) = entry.actor {
                        self.actors[actor].last = Some(last);
                    }
                }
            }
            SeenKind::Gone => {
                self.held.retain(|held| !matches!(held.what, What::Origin { id, .. } if id == seen.id));
            }
        }
    }

    fn hold(&mut self, actor: Option<usize>, what: What) {
        if let Some(actor) = actor {
            self.actors[actor].state = State::Held;
            if let What::Command { connection, .. } = &what {
                self.affinity.insert(*connection, actor);
            }
        }
        self.held.push(Held { actor, what });
    }

    /// Whose doing this is: the one who runs; else who used the connection; else who sleeps there.
    fn attribute(
        &self,
        instance: usize,
        connection: Option<ConnectionId>,
        mentions: impl Fn(&str) -> bool,
    ) -> Option<usize> {
        let here: Vec<usize> = (0..self.actors.len())
            .filter(|i| self.actors[*i].instance == instance)
            .filter(|i| !matches!(self.actors[*i].state, State::NotStarted))
            .collect();
        // Where buyers want different items, the item says whose it is.
        let named: Vec<usize> = here.iter().copied().filter(|i| mentions(&self.actors[*i].item)).collect();
        let candidates = if named.is_empty() { here } else { named };
        let mut running = candidates.iter().copied().filter(|i| self.actors[*i].state == State::Running);
        if let (Some(one), None) = (running.next(), running.next()) {
            return Some(one);
        }
        let before = connection.and_then(|c| self.affinity.get(&c)).copied();
        if let Some(actor) = before.filter(|a| candidates.contains(a) && self.actors[*a].state != State::Done) {
            return Some(actor);
        }
        let find = |state: State| candidates.iter().copied().find(|i| self.actors[*i].state == state);
        find(State::Running)
            .or_else(|| find(State::Parked))
            .or_else(|| find(State::Blocked))
            .or_else(|| find(State::Held))
    }
}
