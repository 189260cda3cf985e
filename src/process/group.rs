//! A running program with all it starts: one process group, one session, two streams of output.
//!
//! Two threads read the streams and one waits for the leader, so that a group does not depend on
//! any async runtime being driven. When the leader ends, what is left of its group is killed,
//! before the leader's id is given back to the system: no signal can reach a stranger.

use std::{
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        mpsc::{self as sync_mpsc, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::sync::{mpsc, oneshot, watch as status_watch};

use super::{
    EXEC, ProcessError, Spawn, binary,
    output::{Output, OutputLine, Source},
    tree, watch,
};

/// How long the shim may take to become the program.
const START: Duration = Duration::from_secs(10);
/// How long a signal may take to be seen to work.
const CONFIRM: Duration = Duration::from_secs(2);
/// How long output may still arrive after the leader ended. All of its group is dead by then, so the
/// streams end at once, unless somebody got away with them, or this machine is very busy.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A group we own: dropping it kills it.
#[derive(Debug)]
pub struct Group {
    handle: GroupHandle,
    lines: Option<mpsc::Receiver<OutputLine>>,
}

/// A shared way to signal and observe a group; does not keep it alive.
#[derive(Debug, Clone)]
pub struct GroupHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    leader: Pid,
    /// Once true, the id may belong to somebody else.
    reaped: Mutex<bool>,
    output: Arc<Output>,
    status: status_watch::Receiver<Option<ExitStatus>>,
}

impl Group {
    /// Starts a program in a session and process group of its own, with nothing on its stdin.
    /// Returns when the program itself is running; that it could not be executed is an error here.
    pub async fn spawn(spawn: &Spawn) -> Result<Self, ProcessError> {
        if !spawn.dir.is_dir() {
            return Err(ProcessError::NoFolder { dir: spawn.dir.clone() });
        }
        let (ours, theirs) = UnixStream::pair().map_err(ProcessError::io("make a socket pair"))?;
        ours.set_read_timeout(Some(START)).map_err(ProcessError::io("make a socket pair"))?;
        let mut command = Command::new(binary::path()?);
        command
            .arg0("cachelab")
            .arg(EXEC)
            .arg(&spawn.program)
            .args(&spawn.args)
            .envs(spawn.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&spawn.dir)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (reply, replied) = oneshot::channel();
        let program = spawn.program.to_string_lossy().into_owned();
        spawner()
            .send(Job { command, program, socket: ours, reply })
            .map_err(|_| ProcessError::io("start a process")(io::ErrorKind::BrokenPipe.into()))?;
        replied.await.unwrap_or_else(|_| Err(ProcessError::io("start a process")(io::ErrorKind::BrokenPipe.into())))
    }

    /// Id of the group, which is also that of its leader and its session.
    pub fn id(&self) -> u32 {
        self.handle.id()
    }

    /// A handle for others.
    pub fn handle(&self) -> GroupHandle {
        self.handle.clone()
    }

    /// Every line, until the end of the program closes the channel; a second call gets a closed one. Lines nobody takes in time
    /// are dropped here and stay in [`tail`](Self::tail).
    pub fn take_lines(&mut self) -> mpsc::Receiver<OutputLine> {
        self.lines.take().unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// The last `n` lines of both streams (500 are kept).
    pub fn tail(&self, n: usize) -> Vec<String> {
        self.handle.tail(n)
    }

    /// How the leader ended, if it did.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.handle.status()
    }

    /// Waits for the leader to end; its last output has been read by then.
    pub async fn wait(&mut self) -> ExitStatus {
        self.handle.ended().await
    }

    /// Stops the whole group (SIGSTOP); returns when it is seen to be stopped.
    pub async fn pause(&self) -> Result<(), ProcessError> {
        self.handle.pause().await
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.handle.resume();
    }

    /// Kills the whole group (SIGKILL), stopped or not.
    pub fn kill(&self) {
        self.handle.kill();
    }

    /// Asks politely (SIGTERM), and kills after `grace`. Returns when the leader has ended.
    pub async fn terminate(&mut self, grace: Duration) -> ExitStatus {
        self.handle.signal(Signal::TERM);
        self.handle.signal(Signal::CONT);
        if let Ok(status) = tokio::time::timeout(grace, self.handle.ended()).await {
            return status;
        }
        self.kill();
        self.handle.ended().await
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

impl GroupHandle {
    /// Id of the group.
    pub fn id(&self) -> u32 {
        self.0.leader.as_raw_nonzero().get().unsigned_abs()
    }

    /// The last `n` lines of both streams.
    pub fn tail(&self, n: usize) -> Vec<String> {
        self.0.output.tail(n)
    }

    /// How many lines it has printed.
    pub fn line_count(&self) -> u64 {
        self.0.output.total()
    }

    /// How the leader ended, if it did.
    pub fn status(&self) -> Option<ExitStatus> {
        *self.0.status.borrow()
    }

    /// Waits for the leader to end.
    pub async fn ended(&self) -> ExitStatus {
        let mut status = self.0.status.clone();
        let seen = status.wait_for(Option::is_some).await.ok().and_then(|seen| *seen);
        // The waiting thread always leaves a status; a status of nothing is exit code 0.
        seen.unwrap_or_default()
    }

    /// Stops the whole group; returns when it is seen to be stopped.
    pub async fn pause(&self) -> Result<(), ProcessError> {
        self.signal(Signal::STOP);
        let leader = self.0.leader;
        self.confirm("stop", || tree::stopped(leader).unwrap_or_else(|| leader_stopped(leader))).await
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Lets it go on; returns when it is seen to.
    pub async fn resume_confirmed(&self) -> Result<(), ProcessError> {
        self.signal(Signal::CONT);
        let leader = self.0.leader;
        self.confirm("continue", || tree::running(leader).unwrap_or_else(|| !leader_stopped(leader))).await
    }

    /// Kills the whole group.
    pub fn kill(&self) {
        let reaped = self.0.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            tree::kill(self.0.leader);
        }
    }

    fn signal(&self, signal: Signal) {
        let reaped = self.0.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            // Fails only when nobody is left.
            let _ = rustix::process::kill_process_group(self.0.leader, signal);
        }
    }

    async fn confirm(&self, what: &'static str, seen: impl Fn() -> bool) -> Result<(), ProcessError> {
        let start = Instant::now();
        loop {
            if self.status().is_some() {
                return Err(ProcessError::Ended { group: self.id() });
            }
            if seen() {
                return Ok(());
            }
            if start.elapsed() > CONFIRM {
                return Err(ProcessError::Unconfirmed { group: self.id(), what, waited: CONFIRM });
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Where nothing tells of the whole group.
fn leader_stopped(leader: Pid) -> bool {
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    matches!(rustix::process::waitid(WaitId::Pid(leader), options), Ok(Some(status)) if status.stopped())
}

/// One child to be made.
struct Job {
    command: Command,
    program: String,
    socket: UnixStream,
    reply: oneshot::Sender<Result<Group, ProcessError>>,
}

/// The thread that forks. It lives as long as we do, which matters: on Linux a child is killed when
/// the *thread* that made it ends.
fn spawner() -> &'static sync_mpsc::Sender<Job> {
    static SPAWNER: OnceLock<sync_mpsc::Sender<Job>> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        let (sender, jobs) = sync_mpsc::channel::<Job>();
        let _ = thread::Builder::new().name("spawner".into()).spawn(move || {
            for job in jobs {
                start(job);
            }
        });
        sender
    })
}

fn start(mut job: Job) {
    let child = match job.command.spawn() {
        Ok(child) => child,
        Err(source) => {
            let _ = job.reply.send(Err(ProcessError::Io { what: "start a process", source }));
            return;
        }
    };
    // Ours of the child's socket must not stay open, or we would not see it close.
    drop(job.command);
    let (program, socket, reply) = (job.program, job.socket, job.reply);
    let _ = thread::Builder::new().name("child".into()).spawn(move || accompany(child, &program, socket, reply));
}

/// The life of one child, on a thread of its own.
fn accompany(mut child: Child, program: &str, socket: UnixStream, reply: oneshot::Sender<Result<Group, ProcessError>>) {
    let Some(leader) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
    let registration = match shake_hands(leader, program, socket) {
        Ok(registration) => registration,
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            let _ = reply.send(Err(error));
            return;
        }
    };
    let (output, lines) = Output::new();
    let readers = read(&mut child, &output);
    let (sender, status) = status_watch::channel(None);
    let shared = Arc::new(Shared { leader, reaped: Mutex::new(false), output, status });
    // If nobody waits any more, the group comes back, is dropped, and that kills it.
    let _ = reply.send(Ok(Group { handle: GroupHandle(Arc::clone(&shared)), lines: Some(lines) }));
    wait_for_end(leader);
    tree::kill(leader);
    while !matches!(readers.recv_timeout(LAST_WORDS), Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) {
    }
    shared.output.close();
    drop(registration);
    let mut reaped = shared.reaped.lock().unwrap_or_else(PoisonError::into_inner);
    let status = child.wait().unwrap_or_default();
    *reaped = true;
    drop(reaped);
    let _ = sender.send(Some(status));
}

/// Until the leader has ended, leaving it as a zombie so that its id stays its own.
fn wait_for_end(leader: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(leader), options) {}
}

/// Threads that read both streams; the channel disconnects when both have ended.
fn read(child: &mut Child, output: &Arc<Output>) -> sync_mpsc::Receiver<()> {
    let (alive, ended) = sync_mpsc::channel::<()>();
    let streams: [(Source, Option<Box<dyn Read + Send>>); 2] = [
        (Source::Stdout, child.stdout.take().map(|stream| Box::new(stream) as _)),
        (Source::Stderr, child.stderr.take().map(|stream| Box::new(stream) as _)),
    ];
    for (source, stream) in streams {
        let (Some(stream), output, alive) = (stream, Arc::clone(output), alive.clone()) else { continue };
        let _ = thread::Builder::new().name("output".into()).spawn(move || {
            output.drain(source, stream);
            drop(alive);
        });
    }
    ended
}

/// The parent's half of what `shim.rs` does.
fn shake_hands(leader: Pid, program: &str, mut socket: UnixStream) -> Result<watch::Registration, ProcessError> {
    let mut ready = [0];
    socket.read_exact(&mut ready).map_err(ProcessError::io("hear from a new process"))?;
    let registration = watch::group(leader.as_raw_nonzero().get())?;
    socket.write_all(b"g").map_err(ProcessError::io("speak to a new process"))?;
    let mut refusal = Vec::new();
    socket.read_to_end(&mut refusal).map_err(ProcessError::io("hear from a new process"))?;
    let program = program.to_owned();
    match refusal.split_first() {
        None => Ok(registration),
        Some((b'n', _)) => Err(ProcessError::NotFound { program }),
        Some((_, reason)) => Err(ProcessError::Exec { program, reason: String::from_utf8_lossy(reason).into_owned() }),
    }
}
