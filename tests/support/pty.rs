//! The real binary in a pseudo-terminal: send keys, wait for what the screen shows, resize, end it.
//!
//! A test waits for a condition with a bound, never for a time.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// How long a screen may take to show what a test waits for; generous, as machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running cachelab and the screen it draws.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
}

/// How to start it.
pub struct Start<'a> {
    pub binary: PathBuf,
    pub args: &'a [&'a str],
    pub env: &'a [(&'a str, &'a str)],
    pub home: PathBuf,
    /// Where it is started; here if not said.
    pub dir: Option<PathBuf>,
    pub rows: u16,
    pub cols: u16,
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a terminal has cells")
}

impl Terminal {
    /// Starts the binary with its own home, so that tests do not share progress.
    pub fn start(start: &Start<'_>) -> Terminal {
        let pair = native_pty_system().openpty(size(start.rows, start.cols)).expect("a pty");
        let mut command = CommandBuilder::new(&start.binary);
        command.args(start.args);
        if let Some(dir) = &start.dir {
            command.cwd(dir);
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("CACHELAB_HOME", &start.home);
        command.env_remove("NO_COLOR");
        command.env_remove("CACHELAB_REDIS_URL");
        for (name, value) in start.env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the binary starts");
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(start.rows), cells(start.cols), 0)));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let drawn = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read) = reader.read(&mut buffer) {
                if read == 0 {
                    break;
                }
                drawn.lock().expect("no test panicked with it").process(&buffer[..read]);
            }
        });
        Terminal { master: pair.master, writer, child, screen }
    }

    /// Types bytes: `"q"`, `"\r"`, `"\x1b[B"`.
    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.writer.flush().expect("the terminal takes keys");
    }

    /// What the screen shows now.
    pub fn text(&self) -> String {
        self.screen.lock().expect("not poisoned").screen().contents()
    }

    /// Waits until the screen shows `wanted`; fails with the screen if it never does.
    pub fn wait_for(&self, wanted: &str) {
        self.wait_until(&format!("{wanted:?} on the screen"), |text| text.contains(wanted));
    }

    /// Waits until `condition` holds for the screen's text.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = self.text();
            if condition(&text) {
                return;
            }
            assert!(Instant::now() < end, "never saw {what}; the screen is:\n{text}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The screen, cell by cell, for a picture.
    pub fn with_screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.screen.lock().expect("not poisoned").screen())
    }

    /// Changes the window's size, which sends SIGWINCH.
    pub fn resize(&mut self, rows: u16, cols: u16) {
        self.screen.lock().expect("not poisoned").screen_mut().set_size(cells(rows), cells(cols));
        self.master.resize(size(rows, cols)).expect("the pty resizes");
    }

    /// The child's process id.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }

    /// Waits for its end.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status;
            }
            assert!(Instant::now() < end, "it never ended; the screen is:\n{}", self.text());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Is the terminal as a shell wants it: main screen, cursor shown, no mouse reporting, no bracketed paste.
    pub fn restored(&self) -> bool {
        let parser = self.screen.lock().expect("not poisoned");
        let screen = parser.screen();
        !screen.alternate_screen()
            && !screen.hide_cursor()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
            && !screen.bracketed_paste()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
