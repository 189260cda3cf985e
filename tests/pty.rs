//! The real binary in a real terminal: open, browse, run a block, resize, leave in every way, and look
//! at what is left behind.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

#[path = "support/pty.rs"]
#[allow(dead_code)] // the pictures use the rest
mod pty;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use pty::{PATIENCE, Start, Terminal};

const DOWN: &str = "\x1b[B";
const ENTER: &str = "\r";

/// A cachelab with a home and a temporary folder of its own, so that what it leaves behind can be seen.
struct World {
    dir: tempfile::TempDir,
    terminal: Terminal,
}

impl World {
    fn open(rows: u16, cols: u16, args: &[&str]) -> World {
        let dir = tempfile::Builder::new().prefix("pty").tempdir_in("/tmp").unwrap();
        let (home, temp) = (dir.path().join("home"), dir.path().join("t"));
        std::fs::create_dir_all(&temp).unwrap();
        let env = [("TMPDIR", temp.to_str().unwrap()), ("CACHELAB_CACHE_DIR", cache())];
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_cachelab"));
        let terminal = Terminal::start(&Start { binary, args, env: &env, home, dir: None, rows, cols });
        World { dir, terminal }
    }

    fn temp(&self) -> PathBuf {
        self.dir.path().join("t")
    }

    /// Opens `week2/locks` from home and waits for the server.
    fn open_locks(&mut self) {
        self.terminal.wait_for("Distributed locks");
        self.terminal.wait_for("private");
        self.terminal.keys(DOWN);
        self.terminal.keys(DOWN);
        self.terminal.wait_until("the third unit selected", |text| text.contains("turn away whoever"));
        self.terminal.keys(ENTER);
        self.terminal.wait_for("GitHub");
    }

    /// After the end: no process with our temporary folder in its command line, and the folder empty.
    fn nothing_left(&self) {
        let end = Instant::now() + PATIENCE;
        loop {
            let (processes, files) = (processes_of(&self.temp()), entries(&self.temp()));
            if processes.is_empty() && files.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "left behind: processes {processes:?}, files {files:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// One cache for all tests, so that a server is fetched once if the machine has none.
fn cache() -> &'static str {
    concat!(env!("CARGO_TARGET_TMPDIR"), "/cache")
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).map(|all| all.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

/// Servers and programs name their folder in their arguments or their working directory.
fn processes_of(folder: &Path) -> Vec<u32> {
    let output = Command::new("ps").args(["-eo", "pid=,args="]).output().unwrap();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains(folder.to_str().unwrap()))
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect()
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn opens_browses_runs_a_block_resizes_and_quits() {
    let mut world = World::open(40, 120, &[]);
    world.open_locks();
    world.terminal.keys("\t");
    world.terminal.keys(ENTER);
    world.terminal.wait_for("ran as written");
    for (rows, cols) in [(16, 60), (24, 80), (5, 20), (60, 200), (40, 120)] {
        world.terminal.resize(rows, cols);
        let drawn = move |text: &str| !text.trim().is_empty();
        world.terminal.wait_until("something drawn after a resize", drawn);
    }
    world.terminal.wait_for("week2/locks");
    world.terminal.keys("q");
    world.terminal.wait_for("Redis fundamentals");
    world.terminal.keys("q");
    assert!(world.terminal.wait_exit().success());
    assert!(world.terminal.restored(), "the terminal was not restored");
    world.nothing_left();
}

#[test]
fn what_was_read_is_there_next_time() {
    let mut world = World::open(24, 80, &[]);
    world.open_locks();
    world.terminal.keys("G");
    world.terminal.wait_for("Sources");
    world.terminal.keys("qq");
    world.terminal.wait_exit();
    let progress = std::fs::read_to_string(world.dir.path().join("home/progress.json")).unwrap();
    assert!(progress.contains("week2/locks"), "{progress}");
}

#[test]
fn a_killed_cachelab_leaves_nothing_running() {
    let mut world = World::open(24, 80, &[]);
    world.open_locks();
    assert!(!processes_of(&world.temp()).is_empty(), "there was a server to be left behind");
    signal(world.terminal.pid(), "-KILL");
    world.terminal.wait_exit();
    world.nothing_left();
}

#[test]
fn sigterm_and_sighup_restore_the_terminal_and_leave_nothing() {
    for name in ["-TERM", "-HUP"] {
        let mut world = World::open(24, 80, &[]);
        world.open_locks();
        signal(world.terminal.pid(), name);
        world.terminal.wait_exit();
        assert!(world.terminal.restored(), "{name} left the terminal in disorder");
        world.nothing_left();
    }
}

#[test]
fn ctrl_c_ends_it_from_home() {
    let mut world = World::open(24, 80, &[]);
    world.terminal.wait_for("private");
    world.terminal.keys("\x03");
    world.terminal.wait_exit();
    assert!(world.terminal.restored());
    world.nothing_left();
}

#[test]
fn the_first_frame_does_not_wait_for_a_server() {
    // A server that accepts and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://127.0.0.1:{}", silent.local_addr().unwrap().port());
    let mut world = World::open(24, 80, &["--redis", &url]);
    world.terminal.wait_for("Distributed locks");
    world.terminal.keys("q");
    world.terminal.wait_exit();
    assert!(world.terminal.restored());
}
