//! Waiting until nothing moves any more: normally the next event says so at once; else the kernel
//! does (all threads of the program sleep); where neither can, a time of silence.

use std::time::{Duration, Instant};

use super::{Stage, State};
use crate::check::{kernel, stand::Stand};

/// Between two looks at the threads.
const LOOK: Duration = Duration::from_millis(1);
/// Silence that counts as quiet where the kernel cannot be asked.
const SILENCE: Duration = Duration::from_millis(20);
/// A program that is awake for so long without doing anything we see is not waited for.
const LIMIT: Duration = Duration::from_secs(1);

impl Stage<'_> {
    /// Waits until every actor is held, parked, blocked or done.
    pub(super) async fn settle(&mut self) {
        let begun = Instant::now();
        let mut quiet_since = Instant::now();
        let mut looks = 0;
        loop {
            while let Ok(happening) = self.stand.events.try_recv() {
                self.absorb(happening);
                quiet_since = Instant::now();
                looks = 0;
            }
            self.free_background();
            self.mark_blocked();
            if !self.moving() || begun.elapsed() > LIMIT {
                break;
            }
            match tokio::time::timeout(LOOK, self.stand.events.recv()).await {
                Ok(Some(happening)) => {
                    self.absorb(happening);
                    quiet_since = Instant::now();
                    looks = 0;
                    continue;
                }
                Ok(None) => break,
                Err(_) => {}
            }
            if !self.awaited() {
                match self.asleep() {
                    Some(true) => looks += 1,
                    Some(false) => looks = 0,
                    None if quiet_since.elapsed() >= SILENCE => break,
                    None => {}
                }
                // Two looks, with a turn of the reactor between them: what it sent meanwhile would be here.
                if looks >= 2 {
                    break;
                }
            }
        }
        self.park();
    }

    fn moving(&self) -> bool {
        self.awaited() || self.actors.iter().any(|a| a.state == State::Running && !self.out.contains(&a.instance))
    }

    /// A released command's reply is on its way.
    fn awaited(&self) -> bool {
        self.outstanding.keys().any(|key| !self.blocking.contains(key) && !self.out.contains(&key.0))
    }

    fn asleep(&self) -> Option<bool> {
        let running = self.actors.iter().filter(|a| a.state == State::Running && !self.out.contains(&a.instance));
        let mut all = Some(true);
        for actor in running {
            match kernel::all_asleep(&self.stand.instances[actor.instance].members) {
                Some(true) => {}
                other => all = other,
            }
        }
        all
    }

    /// Nobody's commands (a heartbeat of the program) are not ours to order.
    fn free_background(&mut self) {
        while let Some(index) = self.held.iter().position(|held| held.actor.is_none()) {
            let held = self.held.remove(index);
            self.release(held);
        }
    }

    fn mark_blocked(&mut self) {
        for key in &self.blocking {
            if let Some(Some(actor)) = self.outstanding.get(key)
                && self.actors[*actor].state == State::Running
            {
                self.actors[*actor].state = State::Blocked;
            }
        }
    }

    fn park(&mut self) {
        for index in 0..self.actors.len() {
            let held = self.held.iter().any(|h| h.actor == Some(index));
            let actor = &mut self.actors[index];
            if actor.state == State::Running {
                actor.state = if actor.outcome.is_some() { State::Done } else { State::Parked };
            }
            if actor.state == State::Held && !held {
                // Its connection was closed while the command waited.
                actor.state = if actor.outcome.is_some() { State::Done } else { State::Parked };
            }
        }
    }
}

/// Waits until no instance does anything, or until `limit`.
pub async fn quiet(stand: &mut Stand, limit: Duration) {
    let begun = Instant::now();
    let mut looks = 0;
    while looks < 2 && begun.elapsed() < limit {
        tokio::time::sleep(LOOK).await;
        let members: Vec<u32> = stand.instances.iter().flat_map(|i| i.members.iter().copied()).collect();
        let silent = stand.drain().is_empty();
        match kernel::all_asleep(&members) {
            Some(true) if silent => looks += 1,
            None if silent && begun.elapsed() >= SILENCE => return,
            _ => looks = 0,
        }
    }
}
