//! What the runtime's tasks do.
//!
//! Owns: waiting for servers, running blocks and labs, writing progress. Must not know: which task
//! replaces which (that is `runtime`), the model.

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Options, effect::Key, message::Message};
use crate::{
    console::{BlockOutcome, Session},
    course::{Course, UnitId, lesson::RedisBlock},
    lab::{self, LabCommand, LabEvent, RunOptions},
    progress::Change,
    server::{self, Endpoint, Progress},
};

/// A reply on its way, with the generation of the effect that asked for it.
pub(super) type Envelope = (Key, u64, Message);

/// What became of the server.
#[derive(Debug, Clone, Default)]
pub(super) enum Slot {
    /// Not known yet.
    #[default]
    Waiting,
    /// There.
    Ready(Endpoint, server::Control),
    /// None.
    Failed(String),
}

/// The way back to the update for one effect.
pub(super) struct Reply {
    pub(super) sender: mpsc::Sender<Envelope>,
    pub(super) key: Key,
    pub(super) generation: u64,
    pub(super) cancel: CancellationToken,
}

impl Reply {
    pub(super) async fn send(&self, message: Message) {
        // Nobody listens any more only when we are leaving.
        let _ = self.sender.send((self.key, self.generation, message)).await;
    }

    pub(super) async fn until_cancelled<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.cancel.run_until_cancelled(work).await
    }
}
/// A thread that writes changes in order: each takes milliseconds of disk.
pub(super) fn recorder(
    options: &Options,
    replies: mpsc::Sender<Envelope>,
) -> (std::sync::mpsc::Sender<(UnitId, Change)>, Option<std::thread::JoinHandle<()>>) {
    let (sender, receiver) = std::sync::mpsc::channel::<(UnitId, Change)>();
    let store = options.store.clone();
    let write = move || {
        for (unit, change) in receiver {
            let message = match store.record(&unit, &change) {
                Ok(progress) => Message::Progress(progress),
                Err(error) => Message::ProgressFailed(error.to_string()),
            };
            let _ = replies.blocking_send((Key::Immediate, 0, message));
        }
    };
    (sender, std::thread::Builder::new().name("progress".into()).spawn(write).ok())
}

/// What the ladder is doing, for the corner of the screen.
pub(super) fn describe(progress: &Progress) -> Message {
    let (text, fraction) = match progress {
        Progress::Trying(rung) => (format!("looking for a server: {rung}"), None),
        Progress::Fetching { what, bytes, total } => {
            (format!("fetching {what}"), total.filter(|total| *total > 0).map(|total| *bytes as f64 / total as f64))
        }
        Progress::Container { image } => (format!("starting {image}"), None),
        Progress::Starting(what) => (format!("starting {what}"), None),
    };
    Message::ServerProgress { text, fraction }
}

/// Waits for a session (or for the news that there will be none) and runs the block on it.
pub(super) async fn block_outcome(
    mut slot: watch::Receiver<Slot>,
    mut sessions: watch::Receiver<Option<Session>>,
    block: &RedisBlock,
) -> BlockOutcome {
    let none = |why: String| BlockOutcome { steps: Vec::new(), stopped: Some(why) };
    match slot.wait_for(|slot| !matches!(slot, Slot::Waiting)).await.map(|slot| slot.clone()) {
        Ok(Slot::Failed(why)) => return none(format!("there is no server: {why}")),
        Ok(_) => {}
        Err(_) => return none("cachelab is leaving".into()),
    }
    let session = sessions.wait_for(Option::is_some).await.ok().and_then(|session| session.clone());
    match session {
        Some(session) => session.run_block(block).await,
        None => none("cachelab is leaving".into()),
    }
}

/// Runs a lab to its end, or until it is cancelled; returns when everything it started is gone.
pub(super) async fn run_lab(
    course: &Course,
    unit: &UnitId,
    mut slot: watch::Receiver<Slot>,
    mut asked: mpsc::Receiver<LabCommand>,
    reply: &Reply,
) {
    let settled = async { slot.wait_for(|slot| !matches!(slot, Slot::Waiting)).await.map(|slot| slot.clone()) };
    let Some(Ok(slot)) = reply.until_cancelled(settled).await else { return };
    let (endpoint, control) = match slot {
        Slot::Ready(endpoint, control) => {
            let ours = endpoint.is_private().then_some(control);
            (endpoint, ours)
        }
        Slot::Failed(why) => return reply.send(Message::Lab(LabEvent::Failed { text: why })).await,
        Slot::Waiting => return,
    };
    let Some(experiment) = course.unit(unit).and_then(|unit| unit.lab.as_ref()?.experiment.as_ref()) else { return };
    let mut run = lab::start(unit, experiment, endpoint, control, RunOptions::default());
    loop {
        tokio::select! {
            () = reply.cancel.cancelled() => {
                let _ = run.commands.send(LabCommand::Stop).await;
                while run.events.recv().await.is_some() {}
                return;
            }
            Some(command) = asked.recv() => drop(run.commands.send(command).await),
            event = run.events.recv() => match event {
                Some(event) => reply.send(Message::Lab(event)).await,
                None => return,
            }
        }
    }
}
