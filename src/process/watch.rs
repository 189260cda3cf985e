//! Our end of the guardian's pipe: what it has to clean up is written here before it exists.
//!
//! One guardian for the whole process, started with the first registration. If it dies (somebody
//! killed it), the next registration starts another and tells it everything again.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{GUARDIAN, ProcessError, binary};

/// Between the words of a registered command: the ASCII unit separator.
pub(super) const SEPARATOR: u8 = 0x1f;

/// What fails, in errors.
const START: &str = "start the guardian process";
/// How long the guardian may take to start.
const READY: Duration = Duration::from_secs(10);

/// The guardian, and what it must know.
struct Watch {
    guardian: Option<Child>,
    /// Records without their sign.
    records: BTreeSet<Vec<u8>>,
}

static WATCH: Mutex<Watch> = Mutex::new(Watch { guardian: None, records: BTreeSet::new() });

fn lock() -> MutexGuard<'static, Watch> {
    // A panic elsewhere must not stop us from unregistering: the data is valid after each statement.
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    fn add(&mut self, record: &[u8]) -> Result<(), ProcessError> {
        let told = self.guardian.is_some() && self.tell(b'+', record).is_ok();
        self.records.insert(record.to_owned());
        if told {
            return Ok(());
        }
        let started = self.start();
        if started.is_err() {
            self.records.remove(record);
        }
        started
    }

    fn remove(&mut self, record: &[u8]) {
        if self.records.remove(record) {
            // A dead guardian has already cleaned, or is replaced with the next registration.
            let _ = self.tell(b'-', record);
        }
    }

    fn tell(&mut self, sign: u8, record: &[u8]) -> std::io::Result<()> {
        let Some(pipe) = self.guardian.as_mut().and_then(|guardian| guardian.stdin.as_mut()) else {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        };
        let mut message = Vec::with_capacity(record.len() + 2);
        message.push(sign);
        message.extend_from_slice(record);
        message.push(0);
        pipe.write_all(&message)
    }

    fn start(&mut self) -> Result<(), ProcessError> {
        if let Some(mut dead) = self.guardian.take() {
            drop(dead.stdin.take());
            let _ = dead.wait();
        }
        let (mut ours, theirs) = UnixStream::pair().map_err(ProcessError::io(START))?;
        ours.set_read_timeout(Some(READY)).map_err(ProcessError::io(START))?;
        let mut child = Command::new(binary::path()?)
            .arg(GUARDIAN)
            .stdin(Stdio::piped())
            .stdout(OwnedFd::from(theirs))
            .stderr(Stdio::null())
            .spawn()
            .map_err(ProcessError::io(START))?;
        // It says one byte when it has left our session, where a Ctrl-C could still have hit it.
        if let Err(source) = ours.read_exact(&mut [0]) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(ProcessError::Io { what: START, source });
        }
        self.guardian = Some(child);
        for record in self.records.clone() {
            self.tell(b'+', &record).map_err(ProcessError::io("write to the guardian process"))?;
        }
        Ok(())
    }
}

/// A registration that is taken back when dropped.
#[derive(Debug)]
pub(super) struct Registration(Vec<u8>);

impl Drop for Registration {
    fn drop(&mut self) {
        lock().remove(&self.0);
    }
}

fn register(kind: u8, payload: &[u8]) -> Result<Registration, ProcessError> {
    let mut record = vec![kind];
    record.extend_from_slice(payload);
    lock().add(&record)?;
    Ok(Registration(record))
}

/// Registers a process group for SIGKILL.
pub(super) fn group(id: i32) -> Result<Registration, ProcessError> {
    register(b'g', id.to_string().as_bytes())
}

/// Registers a folder for removal.
pub(super) fn folder(path: &std::path::Path) -> Result<Registration, ProcessError> {
    register(b'f', path.as_os_str().as_encoded_bytes())
}

/// A command the guardian runs if we die; dropping this means it is no longer needed.
#[derive(Debug)]
pub struct CommandGuard(#[expect(dead_code, reason = "held for its Drop")] Registration);

/// Has `words` run (without a shell, for at most 15 s) if we die, for instance to remove a container.
pub fn guard_command(words: &[&str]) -> Result<CommandGuard, ProcessError> {
    let payload = words.join(std::str::from_utf8(&[SEPARATOR]).unwrap_or(" "));
    register(b'c', payload.as_bytes()).map(CommandGuard)
}

/// Whether a guardian can be had: starts one if there is none yet.
pub fn guardian_alive() -> Result<(), ProcessError> {
    let mut watch = lock();
    if let Some(guardian) = watch.guardian.as_mut()
        && matches!(guardian.try_wait(), Ok(None))
    {
        return Ok(());
    }
    watch.start()
}

/// Process id of the guardian, if one runs.
pub fn guardian_id() -> Option<u32> {
    lock().guardian.as_ref().map(Child::id)
}
