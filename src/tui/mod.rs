//! Front end 2: the only place that knows ratatui and crossterm.
//!
//! ```text
//!   terminal input ─┐                 ┌─▶ view(&Model) ─▶ frame
//!                   ├─▶ update(&mut Model, Message) ─▶ Vec<Effect> ─▶ runtime ─┐
//!   replies ────────┘                                                          │
//!      ▲───────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! `update` does no IO and asks no clock; `runtime` alone touches the world. The loop below is generic
//! over backend, input and world, so that tests run it without a terminal. It draws when something
//! changed, at most every 16 ms, and otherwise sleeps.

mod chord;
pub mod effect;
mod jobs;
pub mod keymap;
pub mod layout;
pub mod message;
pub mod model;
mod mouse;
mod overlay;
pub mod picture;
mod quiz;
mod runtime;
pub mod screen;
mod terminal;
pub mod text;
pub mod theme;
pub mod update;
pub mod view;
pub mod widget;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use crossterm::event::{Event, EventStream, MouseEventKind};
use futures_util::{Stream, StreamExt};
use ratatui::{Terminal, backend::Backend};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use self::{
    effect::Effect,
    message::Message,
    model::{Model, Route},
    theme::Theme,
};
use crate::{
    course::{Course, UnitId},
    progress::Store,
    server,
};

/// Two frames are at least this far apart.
const FRAME: Duration = Duration::from_millis(16);
/// Messages taken in a row before the screen gets its turn.
const BURST: usize = 512;

/// What the TUI is opened with.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is taught.
    pub course: Arc<Course>,
    /// Where progress is kept.
    pub store: Store,
    /// How to get a live server.
    pub server: server::Options,
    /// Where to begin; `None`: home, with what is next selected.
    pub start: Option<UnitId>,
    /// Where a check looks for a program first: the folder the program was started in.
    pub directory: PathBuf,
}

/// Opens the TUI on this terminal and returns when it is left.
pub fn run(options: Options) -> anyhow::Result<()> {
    let reactor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = reactor.block_on(open(options));
    // Blocking work (a fetch, a lookup) must not hold up a terminal that was already given back.
    reactor.shutdown_timeout(Duration::from_millis(500));
    result
}

async fn open(options: Options) -> anyhow::Result<()> {
    let theme = Theme::from_env(&|name| std::env::var(name).ok());
    let loaded = options.store.load().context("progress can't be read")?;
    let signals = signals()?;
    let mut screen = terminal::Screen::take().context("this terminal can't be used")?;
    let size = screen.terminal.size().context("the terminal does not say its size")?;
    let mut model = Model::new(Arc::clone(&options.course), loaded.progress, theme, (size.width, size.height));
    model.notice = loaded.notice.map(|notice| (theme::Role::Warn, notice));
    let mut world = runtime::Runtime::new(&options);
    if let Some(unit) = options.start {
        for effect in update::go(&mut model, Route::Lesson(unit)) {
            world.perform(effect);
        }
    }
    let input = futures_util::stream::select(EventStream::new().filter_map(async |event| translate(event)), signals);
    let mut input = std::pin::pin!(input);
    let result = event_loop(&mut screen.terminal, &mut model, &mut input, &mut world).await;
    drop(screen);
    world.close().await;
    result
}

/// What the loop needs of the outside.
#[allow(async_fn_in_trait, reason = "used with concrete types only, on one task")]
pub trait World {
    /// Begins what an effect asks for; returns at once.
    fn perform(&mut self, effect: Effect);
    /// Waits for the next reply. May be dropped and called again without losing one.
    async fn next(&mut self) -> Message;
    /// A reply that is already there.
    fn try_next(&mut self) -> Option<Message>;
    /// Gives the terminal back, stops the process, and takes the terminal again when it goes on.
    fn suspend(&mut self) -> io::Result<()>;
    /// Takes the terminal again after a stop that was not our doing.
    fn resume(&mut self) -> io::Result<()> {
        Ok(())
    }
    /// Something went so wrong that the loop must end.
    fn broken(&self) -> bool {
        false
    }
}

/// Runs until something asks to leave, or the input ends.
pub async fn event_loop<B, I, W>(
    terminal: &mut Terminal<B>,
    model: &mut Model,
    input: &mut I,
    world: &mut W,
) -> anyhow::Result<()>
where
    B: Backend,
    B::Error: std::error::Error + Send + Sync + 'static,
    I: Stream<Item = io::Result<Message>> + Unpin,
    W: World,
{
    draw(terminal, model)?;
    let mut last = Instant::now();
    let mut pending = vec![Message::FirstFrame];
    let mut dirty = false;
    loop {
        if world.broken() {
            anyhow::bail!("something inside cachelab broke, see above");
        }
        for message in pending.drain(..) {
            dirty |= shows(&message);
            if matches!(message, Message::Resize(..)) {
                // The terminal cuts or reflows what it shows, also when its size is soon what it was before.
                wipe(terminal)?;
            }
            for effect in update::update(model, message) {
                match effect {
                    Effect::Quit => return Ok(()),
                    Effect::Suspend => {
                        world.suspend()?;
                        wipe(terminal)?;
                    }
                    Effect::Redraw => {
                        world.resume()?;
                        wipe(terminal)?;
                    }
                    other => world.perform(other),
                }
            }
        }
        if dirty && last.elapsed() >= FRAME {
            draw(terminal, model)?;
            (last, dirty) = (Instant::now(), false);
        }
        tokio::select! {
            event = input.next() => match event {
                Some(message) => pending.push(message.context("the terminal can't be read")?),
                None => return Ok(()),
            },
            message = world.next() => pending.push(message),
            () = tokio::time::sleep_until(last + FRAME), if dirty => {}
        }
        while pending.len() < BURST
            && let Some(message) = world.try_next()
        {
            pending.push(message);
        }
    }
}

fn draw<B>(terminal: &mut Terminal<B>, model: &Model) -> anyhow::Result<()>
where
    B: Backend,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    terminal.draw(|frame| view::view(model, frame)).context("the terminal can't be written to")?;
    Ok(())
}

/// Clears the screen, so that the next frame is drawn whole. Not `Terminal::clear`, which asks the
/// terminal where its cursor is and fails where none answers.
fn wipe<B>(terminal: &mut Terminal<B>) -> anyhow::Result<()>
where
    B: Backend,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let size = terminal.size().context("the terminal does not tell its size")?;
    terminal.resize(size.into()).context("the terminal can't be written to")
}

/// A message that can change what is on the screen.
fn shows(message: &Message) -> bool {
    let idle =
        |kind: MouseEventKind| matches!(kind, MouseEventKind::Moved | MouseEventKind::Up(_) | MouseEventKind::Drag(_));
    !matches!(message, Message::Mouse(event) if idle(event.kind))
}

/// What the terminal tells, as messages; some of it is of no interest.
fn translate(event: io::Result<Event>) -> Option<io::Result<Message>> {
    let message = match event {
        Ok(Event::Key(key)) => Message::Key(key),
        Ok(Event::Mouse(mouse)) => Message::Mouse(mouse),
        Ok(Event::Paste(text)) => Message::Paste(text),
        Ok(Event::Resize(width, height)) => Message::Resize(width, height),
        Ok(Event::FocusGained | Event::FocusLost) => return None,
        Err(error) => return Some(Err(error)),
    };
    Some(Ok(message))
}

/// Signals as messages: those that end us, and the one that follows a stop.
fn signals() -> io::Result<impl Stream<Item = io::Result<Message>>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut go_on = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let message = tokio::select! {
                _ = terminate.recv() => Message::Terminate,
                _ = hang_up.recv() => Message::Terminate,
                _ = interrupt.recv() => Message::Terminate,
                _ = go_on.recv() => Message::Continued,
            };
            if sender.send(message).await.is_err() {
                return;
            }
        }
    });
    Ok(futures_util::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|message| (Ok(message), receiver))
    }))
}
