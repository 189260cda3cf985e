//! Starting clients, stopping and killing holders, and putting a new client in a dead one's place.

use std::sync::Arc;

use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    LockTraffic, Strike,
    client::{Client, ClientParts},
};
use crate::lab::{
    count::Count,
    freeze::{Freezable, Freezer},
};

/// Starts the clients, lands strikes, and puts a new client in the place of a dead one. Runs until dropped.
pub(in crate::lab) async fn supervise(
    traffic: Arc<LockTraffic>,
    parts: Vec<ClientParts>,
    mut strikes: mpsc::UnboundedReceiver<Strike>,
) {
    let mut next_id = parts.len();
    let start = |id: usize, place: usize| {
        let freezer = Freezer::default();
        let client = Client::new(Arc::clone(&traffic), (id, place), parts[place].clone(), freezer.clone());
        let task = Freezable::new(client.live(), freezer.clone(), traffic.timer.clone());
        Running { id, place, abort: tokio::spawn(task).abort_handle(), freezer }
    };
    let mut running: Vec<Running> = (0..parts.len()).map(|place| start(place, place)).collect();
    while let Some(strike) = strikes.recv().await {
        let holder = traffic.registry().open.last().map(|open| open.client);
        let holder = running.iter().position(|client| Some(client.id) == holder);
        let dies = match (strike, holder) {
            (Strike::Pause(duration), Some(holder)) => {
                running[holder].freezer.freeze(duration);
                traffic.counters.one(Count::Pauses);
                None
            }
            (Strike::Pause(duration), None) => {
                traffic.registry().next_pause = Some(duration);
                None
            }
            (Strike::Kill, Some(holder)) => Some(holder),
            (Strike::Kill, None) => {
                traffic.registry().next_dies = true;
                None
            }
            (Strike::Die(id), _) => running.iter().position(|client| client.id == id),
        };
        if let Some(dead) = dies {
            running[dead].abort.abort();
            traffic.counters.one(Count::Kills);
            traffic.registry().killed = true;
            running[dead] = start(next_id, running[dead].place);
            next_id += 1;
        }
    }
}

struct Running {
    id: usize,
    place: usize,
    abort: AbortHandle,
    freezer: Freezer,
}
