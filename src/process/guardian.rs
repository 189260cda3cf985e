//! The guardian, in its own process: reads registrations from its stdin until that closes, then
//! kills every group, removes every folder, runs every command that is still registered, and ends.
//!
//! It lives in its own session, so that a Ctrl-C or a closed terminal does not reach it, and does
//! not die of a polite signal either: `pkill cachelab` hits it too, and then it has work to do.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};
use tokio::signal::unix::{SignalKind, signal};

use super::tree;

/// How long killed groups may take to disappear, before folders are removed anyway.
const DEATH: Duration = Duration::from_secs(2);
/// How long one registered command may run.
const COMMAND: Duration = Duration::from_secs(15);

/// What the guardian holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Register {
    groups: BTreeSet<i32>,
    folders: BTreeSet<PathBuf>,
    commands: BTreeSet<Vec<u8>>,
}

impl Register {
    /// One record: `+` or `-`, a kind, the payload.
    fn apply(&mut self, record: &[u8]) {
        let (Some(sign), Some(kind), Some(payload)) = (record.first(), record.get(1), record.get(2..)) else { return };
        let add = *sign == b'+';
        match kind {
            b'g' => {
                let Some(id) = std::str::from_utf8(payload).ok().and_then(|text| text.parse().ok()) else { return };
                change(&mut self.groups, id, add);
            }
            b'f' => change(&mut self.folders, PathBuf::from(OsString::from_vec(payload.to_vec())), add),
            b'c' => change(&mut self.commands, payload.to_vec(), add),
            _ => {}
        }
    }
}

fn change<T: Ord>(set: &mut BTreeSet<T>, item: T, add: bool) {
    if add {
        set.insert(item);
    } else {
        set.remove(&item);
    }
}

pub(super) fn main() -> ExitCode {
    let _ = rustix::process::setsid();
    let _ = std::env::set_current_dir("/");
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_name(c"cachelab-guard");
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
        return ExitCode::FAILURE;
    };
    let _handlers = {
        let _inside = runtime.enter();
        [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::quit()].map(signal)
    };
    if std::io::stdout().write_all(b"r").and_then(|()| std::io::stdout().flush()).is_err() {
        return ExitCode::FAILURE;
    }
    let mut register = Register::default();
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut record = Vec::new();
    while input.read_until(0, &mut record).is_ok_and(|read| read > 0) {
        // A record cut off by the writer's death has no end mark and is not believed.
        if record.pop() == Some(0) {
            register.apply(&record);
        }
        record.clear();
    }
    clean(&register);
    ExitCode::SUCCESS
}

fn clean(register: &Register) {
    let groups: Vec<Pid> = register.groups.iter().filter_map(|id| Pid::from_raw(*id)).collect();
    for group in &groups {
        tree::kill(*group);
    }
    let end = Instant::now() + DEATH;
    while groups.iter().any(|group| tree::alive(*group)) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
        for group in &groups {
            let _ = rustix::process::kill_process_group(*group, Signal::KILL);
        }
    }
    for folder in &register.folders {
        remove(folder);
    }
    for command in &register.commands {
        run(command);
    }
}

fn remove(folder: &Path) {
    for _ in 0..20 {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                std::thread::sleep(Duration::from_millis(10));
            }
            _ => return,
        }
    }
}

/// Runs a command whose words are separated by the unit separator, for a bounded time.
fn run(command: &[u8]) {
    let mut words =
        command.split(|byte| *byte == super::watch::SEPARATOR).map(|word| OsString::from_vec(word.to_vec()));
    let Some(program) = words.next() else { return };
    let child =
        Command::new(program).args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return };
    let end = Instant::now() + COMMAND;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_add_and_remove_and_nonsense_changes_nothing() {
        let mut register = Register::default();
        for record in
            [&b"+g12"[..], b"+g34", b"-g12", b"+f/tmp/a b\xff", b"+cdocker\x1frm", b"", b"+", b"+gx", b"?g34x"]
        {
            register.apply(record);
        }
        assert_eq!(register.groups, BTreeSet::from([34]));
        assert_eq!(register.folders.len(), 1);
        assert_eq!(register.commands.len(), 1);
    }
}
