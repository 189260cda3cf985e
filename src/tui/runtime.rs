//! The only part that touches the world: performs effects, brings replies.
//!
//! Owns: the server, the console's session, running labs and checks, the writer of progress. Must not
//! know: the model. One task per [`Key`]: a newer effect ends the older one, and what the older one
//! still sends carries an old generation and is dropped here.

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Options, World,
    effect::{Effect, Key},
    jobs::{Envelope, Reply, Slot, block_outcome, describe, recorder, run_lab},
    message::{Assist, Message},
    terminal,
    widget::{highlight::highlight, markdown::code_key},
};
use crate::{
    check::{self, CheckOptions},
    console::{Session, SessionOptions},
    course::{UnitId, lesson::RedisBlock, starter},
    lab::LabCommand,
    progress::Change,
    server::{self, Progress, Server},
};

/// What runs gets this long to end by itself when we leave.
const GRACE: Duration = Duration::from_secs(4);
/// Scrolling has come to rest.
const REST: Duration = Duration::from_millis(400);

/// The world as it is.
#[derive(Debug)]
pub(super) struct Runtime {
    options: Options,
    sender: mpsc::Sender<Envelope>,
    receiver: mpsc::Receiver<Envelope>,
    /// Replies that needed no waiting.
    ready: std::collections::VecDeque<Message>,
    running: HashMap<Key, (u64, CancellationToken)>,
    generation: u64,
    tasks: TaskTracker,
    slot: watch::Sender<Slot>,
    server: Arc<Mutex<Option<Server>>>,
    session: watch::Sender<Option<Session>>,
    lab: Option<mpsc::Sender<LabCommand>>,
    changes: Option<std::sync::mpsc::Sender<(UnitId, Change)>>,
    recorder: Option<std::thread::JoinHandle<()>>,
}

impl Runtime {
    pub(super) fn new(options: &Options) -> Self {
        let (sender, receiver) = mpsc::channel(1024);
        let (changes, recorder) = recorder(options, sender.clone());
        Self {
            options: options.clone(),
            sender,
            receiver,
            ready: std::collections::VecDeque::new(),
            running: HashMap::new(),
            generation: 0,
            tasks: TaskTracker::new(),
            slot: watch::Sender::default(),
            server: Arc::default(),
            session: watch::Sender::default(),
            lab: None,
            changes: Some(changes),
            recorder,
        }
    }

    /// Begins a new generation under a key and ends the former.
    fn begin(&mut self, key: Key) -> Reply {
        self.generation += 1;
        let cancel = CancellationToken::new();
        if let Some((_, former)) = self.running.insert(key, (self.generation, cancel.clone())) {
            former.cancel();
        }
        Reply { sender: self.sender.clone(), key, generation: self.generation, cancel }
    }

    /// A reply of the present generation; an older one is of no interest any more.
    fn accept(&self, (key, generation, message): Envelope) -> Option<Message> {
        let present = self.running.get(&key).map(|(present, _)| *present);
        (key == Key::Immediate || present == Some(generation)).then_some(message)
    }

    fn start_server(&mut self) {
        let reply = self.begin(Key::Server);
        self.slot.send_replace(Slot::Waiting);
        let (options, slot, server) = (self.options.server.clone(), self.slot.clone(), Arc::clone(&self.server));
        self.tasks.spawn(async move {
            let (told, mut progress) = mpsc::unbounded_channel();
            let mut tell = move |step: Progress| drop(told.send(describe(&step)));
            let mut start = std::pin::pin!(server::start(&options, &mut tell));
            let started = loop {
                tokio::select! {
                    () = reply.cancel.cancelled() => return,
                    Some(message) = progress.recv() => reply.send(message).await,
                    started = &mut start => break started,
                }
            };
            match started {
                Ok(started) => {
                    let what = started.endpoint().describe();
                    slot.send_replace(Slot::Ready(started.endpoint().clone(), started.control()));
                    let former = server.lock().unwrap_or_else(PoisonError::into_inner).replace(started);
                    if let Some(former) = former {
                        former.stop().await;
                    }
                    reply.send(Message::ServerReady(what)).await;
                }
                Err(error) => {
                    let why = format!("{:#}", anyhow::Error::from(error));
                    slot.send_replace(Slot::Failed(why.clone()));
                    reply.send(Message::ServerFailed(why)).await;
                }
            }
        });
    }

    fn open_console(&mut self) {
        let Slot::Ready(endpoint, _) = self.slot.borrow().clone() else { return };
        let reply = self.begin(Key::Console);
        let history_file = self.options.store.path().parent().map(|folder| folder.join("console_history"));
        let (session, mut events) =
            Session::open(endpoint, SessionOptions { history_file, ..SessionOptions::default() });
        self.ready.push_back(Message::History(session.history()));
        self.session.send_replace(Some(session));
        self.tasks.spawn(async move {
            while let Some(event) = reply.until_cancelled(events.recv()).await.flatten() {
                reply.send(Message::Console(event)).await;
            }
        });
    }

    /// Asks the session at once: it knows the answer without waiting.
    fn assist(&mut self, line: String, cursor: usize) {
        if let Some(session) = self.session.borrow().as_ref() {
            let (colours, hint) = (session.highlight(&line), session.hint(&line));
            let (candidates, problems) = (session.complete(&line, cursor), session.problems(&line));
            self.ready.push_back(Message::Assist(Assist { line, cursor, colours, hint, candidates, problems }));
        }
    }

    fn with_session(&self, ask: impl FnOnce(&Session)) {
        if let Some(session) = self.session.borrow().as_ref() {
            ask(session);
        }
    }

    fn run_block(&mut self, unit: UnitId, block: RedisBlock) {
        let reply = self.begin(Key::Block);
        let (slot, session) = (self.slot.subscribe(), self.session.subscribe());
        self.tasks.spawn(async move {
            let index = block.index;
            if let Some(outcome) = reply.until_cancelled(block_outcome(slot, session, &block)).await {
                reply.send(Message::BlockRan { unit, block: index, outcome }).await;
            }
        });
    }

    fn highlight(&mut self, blocks: Vec<(String, String)>) {
        let reply = self.begin(Key::Highlight);
        self.tasks.spawn_blocking(move || {
            let done = blocks.iter().map(|(language, text)| (code_key(language, text), highlight(language, text)));
            let _ = reply.sender.blocking_send((reply.key, reply.generation, Message::Highlighted(done.collect())));
        });
    }

    fn start_lab(&mut self, unit: UnitId) {
        let reply = self.begin(Key::Lab);
        let (commands, asked) = mpsc::channel(64);
        self.lab = Some(commands);
        let slot = self.slot.subscribe();
        let course = Arc::clone(&self.options.course);
        self.tasks.spawn(async move {
            run_lab(&course, &unit, slot, asked, &reply).await;
            reply.send(Message::LabEnded).await;
        });
    }

    fn start_check(&mut self, unit: &UnitId, folder: &Path, only: Vec<String>) {
        let reply = self.begin(Key::Check);
        let exercise = self.options.course.unit(unit).and_then(|unit| unit.lab.as_ref()?.exercise.as_ref());
        let Some(exercise) = exercise else { return };
        let mut run = check::start(
            unit,
            exercise,
            folder,
            CheckOptions { only, server: self.options.server.clone(), ..CheckOptions::default() },
        );
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = reply.cancel.cancelled() => {
                        run.cancel();
                        while run.events.recv().await.is_some() {}
                        return;
                    }
                    event = run.events.recv() => match event {
                        Some(event) => reply.send(Message::Check(event)).await,
                        None => break,
                    }
                }
            }
            reply.send(Message::CheckEnded).await;
        });
    }

    /// Where the learner's program for this exercise is.
    fn find_folder(&mut self, unit: UnitId) {
        let (here, store, replies) = (self.options.directory.clone(), self.options.store.clone(), self.sender.clone());
        self.tasks.spawn_blocking(move || {
            let kept = store.load().ok().and_then(|kept| kept.progress.unit(&unit).exercise.folder.clone());
            let folder = starter::find(&here, &unit, kept);
            let _ = replies.blocking_send((Key::Immediate, 0, Message::Folder(unit, folder)));
        });
    }

    /// Writes the starter into a folder named after the unit, below the one we were started in.
    fn write_starter(&mut self, unit: UnitId) {
        let (course, replies, changes) = (self.options.course.clone(), self.sender.clone(), self.changes.clone());
        let folder = self.options.directory.join(starter::folder_name(&unit));
        self.tasks.spawn_blocking(move || {
            let written = course
                .unit(&unit)
                .ok_or_else(|| format!("there is no unit {unit}"))
                .and_then(|found| starter::render(&course, found, "python").map_err(|error| error.to_string()))
                .and_then(|starter| {
                    let written = starter::write_new(&folder, &starter.files);
                    written.map(|_| starter.program).map_err(|error| format!("{}: {error}", folder.display()))
                });
            if written.is_ok()
                && let Some(changes) = changes
            {
                let change = Change::Folder { path: std::path::absolute(&folder).unwrap_or_else(|_| folder.clone()) };
                let _ = changes.send((unit.clone(), change));
            }
            let _ = replies.blocking_send((Key::Immediate, 0, Message::Starter { unit, folder, written }));
        });
    }

    fn remember(&mut self, unit: UnitId, block: usize) {
        let reply = self.begin(Key::Place);
        let changes = self.changes.clone();
        self.tasks.spawn(async move {
            if reply.until_cancelled(sleep(REST)).await.is_some()
                && let Some(changes) = changes
            {
                let _ = changes.send((unit, Change::Here { block }));
            }
        });
    }

    fn cancel(&mut self, key: Key) {
        if let Some((_, running)) = self.running.remove(&key) {
            running.cancel();
        }
        let ended = match key {
            Key::Lab => Some(Message::LabEnded),
            Key::Check => Some(Message::CheckEnded),
            _ => None,
        };
        self.ready.extend(ended);
    }

    /// Ends everything that was started and waits for it, but not for ever.
    pub(super) async fn close(mut self) {
        for (_, running) in self.running.values() {
            running.cancel();
        }
        self.lab = None;
        self.session.send_replace(None);
        self.receiver.close();
        self.tasks.close();
        let _ = timeout(GRACE, self.tasks.wait()).await;
        drop(self.changes.take());
        let recorder = self.recorder.take();
        let _ = timeout(GRACE, tokio::task::spawn_blocking(move || recorder.map(std::thread::JoinHandle::join))).await;
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            let _ = timeout(GRACE, server.stop()).await;
        }
    }
}

impl World for Runtime {
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::StartServer => self.start_server(),
            Effect::OpenConsole => self.open_console(),
            Effect::Submit(line) => self.with_session(|session| session.submit(&line)),
            Effect::CancelCommand => self.with_session(|session| {
                session.cancel();
            }),
            Effect::ConfirmCommand(yes) => self.with_session(|session| session.confirm(yes)),
            Effect::More(id) => self.with_session(|session| session.more(id, super::screen::console::PAGE)),
            Effect::Assist { line, cursor } => self.assist(line, cursor),
            Effect::RunBlock { unit, block } => self.run_block(unit, block),
            Effect::Highlight(blocks) => self.highlight(blocks),
            Effect::StartLab(unit) => self.start_lab(unit),
            Effect::Lab(command) => {
                if let Some(lab) = &self.lab {
                    // Sixty-four commands behind, another one is of no use.
                    let _ = lab.try_send(command);
                }
            }
            Effect::FindFolder(unit) => self.find_folder(unit),
            Effect::WriteStarter(unit) => self.write_starter(unit),
            Effect::StartCheck { unit, folder, only } => self.start_check(&unit, &folder, only),
            Effect::Cancel(key) => self.cancel(key),
            Effect::Record { unit, change } => {
                if let Some(changes) = &self.changes {
                    let _ = changes.send((unit, change));
                }
            }
            Effect::Remember { unit, block } => self.remember(unit, block),
            Effect::Suspend | Effect::Redraw | Effect::Quit => {}
        }
    }

    async fn next(&mut self) -> Message {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return message;
            }
            // The runtime holds a sender itself, so the channel never ends. After a panic the loop is woken by a
            // message that changes nothing, and finds the world broken.
            let envelope = tokio::select! {
                envelope = self.receiver.recv() => envelope,
                () = terminal::alarm() => return Message::Continued,
            };
            let Some(envelope) = envelope else { return std::future::pending().await };
            if let Some(message) = self.accept(envelope) {
                return message;
            }
        }
    }

    fn try_next(&mut self) -> Option<Message> {
        if let Some(message) = self.ready.pop_front() {
            return Some(message);
        }
        while let Ok(envelope) = self.receiver.try_recv() {
            if let Some(message) = self.accept(envelope) {
                return Some(message);
            }
        }
        None
    }

    fn suspend(&mut self) -> io::Result<()> {
        terminal::suspend()
    }

    fn resume(&mut self) -> io::Result<()> {
        terminal::enter()
    }

    fn broken(&self) -> bool {
        terminal::panicked()
    }
}
