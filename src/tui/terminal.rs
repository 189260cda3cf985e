//! Taking the terminal and giving it back, whatever happens.
//!
//! Owns: raw mode, the alternate screen, mouse and paste modes, the panic hook. Must not know: the model.

use std::{
    io::{self, BufWriter, Stdout, Write, stdout},
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use crossterm::{
    cursor,
    event::{DisableBracketedPaste, EnableBracketedPaste},
    execute,
    style::Print,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{Terminal, backend::CrosstermBackend};
use tokio::sync::Notify;

/// A whole frame goes out in few writes.
const BUFFER: usize = 64 * 1024;
/// Clicks and the wheel, in SGR form. Not motion: it would wake us at every move of the mouse.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// The terminal is in our modes.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Something panicked, perhaps in a task: the loop ends.
static PANICKED: AtomicBool = AtomicBool::new(false);
/// Wakes the loop when that happens.
static ALARM: Notify = Notify::const_new();

/// The real terminal. Dropping it gives it back.
#[derive(Debug)]
pub struct Screen {
    /// To draw on.
    pub terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// Takes the terminal.
    pub fn take() -> io::Result<Self> {
        install_panic_hook();
        enter()?;
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(BUFFER, stdout())));
        if terminal.is_err() {
            restore();
        }
        Ok(Self { terminal: terminal? })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Puts the terminal into our modes.
pub fn enter() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    let entered = enable_raw_mode()
        .and_then(|()| execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Print(MOUSE_ON), cursor::Hide));
    if entered.is_err() {
        restore();
    }
    entered
}

/// Gives the terminal back; once is enough, more does no harm.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Nothing can be done about a terminal that is gone.
        let mut out = stdout();
        let _ = execute!(out, Print(MOUSE_OFF), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
        let _ = out.flush();
        let _ = disable_raw_mode();
    }
}

/// Stops the process group as Ctrl-Z in a shell does, and returns when it goes on.
pub fn suspend() -> io::Result<()> {
    restore();
    rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
    enter()
}

/// Something panicked.
pub fn panicked() -> bool {
    PANICKED.load(Ordering::SeqCst)
}

/// Waits until something panics.
pub async fn alarm() {
    ALARM.notified().await;
}

/// A panic anywhere first gives the terminal back, then is reported as usual.
fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let ours = TAKEN.load(Ordering::SeqCst);
            PANICKED.store(true, Ordering::SeqCst);
            ALARM.notify_one();
            restore();
            usual(info);
            if ours {
                eprintln!("cachelab: this is a bug in cachelab; what you did so far is kept");
            }
        }));
    });
}
