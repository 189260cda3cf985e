//! One sale without rivals, looked at between its steps: how long it is, where it writes, which keys
//! are its lock.

use std::time::Duration;

use rand::rngs::StdRng;

use super::{
    context::Trouble,
    sale,
    side::Keys,
    stage::{Actor, Entry, Reached, Stage},
    stand::Stand,
};

/// The program before one of its steps.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The step that comes next writes to the warehouse.
    pub write: bool,
    /// It calls the warehouse.
    pub origin: bool,
    /// Keys that this sale has made or changed so far. A hash whose every field expires counts as expiring.
    pub keys: Keys,
    /// How much of the history lies before it.
    pub history: usize,
}

/// A sale without rivals.
#[derive(Debug)]
pub struct Profile {
    /// Before each step.
    pub moments: Vec<Moment>,
    /// Keys made or changed, after the answer.
    pub after: Keys,
    /// The item it sold.
    pub item: String,
    /// What happened.
    pub history: Vec<Entry>,
    /// The one buyer.
    pub actors: Vec<Actor>,
}

impl Profile {
    /// Runs one sale at the first instance.
    pub async fn take(stand: &mut Stand, rng: &mut StdRng) -> Result<Self, Trouble> {
        let item = stand.new_item(rng, 5);
        let mut stage = Stage::open(stand, &[(0, item.clone())]).await?;
        let mut moments = Vec::new();
        stage.start(0).await;
        while moments.len() < 60 {
            let reached = stage.advance(0, Duration::from_millis(400), |_| true).await;
            if reached != Reached::Wanted {
                break;
            }
            let mut keys = stage.changed().await?;
            for (name, state) in &mut keys {
                if state.ttl.is_none() && stage.stand.side.fields_expire(name).await {
                    state.ttl = Some(1);
                }
            }
            let next = stage.next_of(0);
            let write = next.is_some_and(super::stage::Held::is_origin_write);
            let origin = next.is_some_and(super::stage::Held::is_origin);
            moments.push(Moment { write, origin, keys, history: stage.history.len() });
            stage.step(0).await;
        }
        let after = stage.changed().await?;
        let history = std::mem::take(&mut stage.history);
        let outcome = stage.actors[0].outcome.clone();
        let mut actors = std::mem::take(&mut stage.actors);
        stage.clear(Duration::from_secs(3)).await;
        for actor in &mut actors {
            actor.outcome.clone_from(&outcome);
        }
        let Some(outcome) = outcome else {
            return Err(Trouble::Broken("a lone buyer got no answer while its steps were watched".to_owned()));
        };
        sale::read(&outcome).map_err(Trouble::Broken)?;
        Ok(Self { moments, after, item, history, actors })
    }

    /// How many steps are behind when the write to the warehouse is about to come.
    pub fn write_at(&self) -> Result<usize, Trouble> {
        let at = self.moments.iter().position(|m| m.write);
        at.ok_or_else(|| {
            Trouble::Inconclusive("a lone buyer's sale did not write to the warehouse when watched".to_owned())
        })
    }

    /// Keys that are there while the sale writes, and gone or changed after it; else those that will expire.
    /// A counter that stays as it is, is no lock.
    pub fn locks(&self, write_at: usize) -> Vec<Vec<u8>> {
        let during = &self.moments[write_at].keys;
        let released = |name: &Vec<u8>| self.after.get(name).is_none_or(|after| after.content != during[name].content);
        let locks: Vec<_> = during.keys().filter(|name| released(name)).cloned().collect();
        if !locks.is_empty() {
            return locks;
        }
        during.iter().filter(|(_, state)| state.ttl.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// After how many steps the sale holds a lock that can expire, up to the write.
    pub fn holding(&self, write_at: usize) -> Vec<usize> {
        (1..=write_at).filter(|at| self.moments[*at].keys.values().any(|state| state.ttl.is_some())).collect()
    }

    /// A key of this sale as it is called for another item.
    pub fn key_for(&self, key: &[u8], item: &str) -> Vec<u8> {
        match std::str::from_utf8(key) {
            Ok(text) => text.replace(&self.item, item).into_bytes(),
            Err(_) => key.to_vec(),
        }
    }
}
