//! Child processes that never outlive us: groups with a guardian, bounded output, signals that are confirmed.
//!
//! Owns: starting a program as the leader of its own session and process group, keeping its last
//! output, stopping and ending all of it, and temporary folders that go when we go. One *guardian*
//! (this same binary, a hidden subcommand) holds the other end of a pipe; when the pipe closes,
//! however we died, it kills every registered group and removes every registered folder. A child
//! starts through a tiny *shim* (this same binary again) that becomes a session leader, waits until
//! it is registered, and only then turns into the program: there is no instant in which a running
//! program is unknown to the guardian.
//!
//! Must not know: what the programs are for.

mod binary;
mod folder;
mod group;
mod guardian;
mod output;
mod shim;
mod tree;
mod watch;

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

pub use folder::Folder;
pub use group::{Group, GroupHandle};
pub use output::{OutputLine, Source, visible};
pub use watch::{CommandGuard, guard_command, guardian_alive, guardian_id};

/// What to start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spawn {
    /// A name looked up on PATH (the child's, when `env` sets one), or a path relative to `dir`.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Set in addition to what we have in our own environment.
    pub env: Vec<(OsString, OsString)>,
    /// Where it runs; must exist.
    pub dir: PathBuf,
}

impl Spawn {
    /// `program` in `dir`, without arguments.
    pub fn new(program: impl Into<OsString>, dir: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), dir: dir.into(), ..Self::default() }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: Into<OsString>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds one environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }
}

/// Why a child or its guard could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Neither a file nor on PATH.
    #[error("cannot find the program {program:?}")]
    NotFound {
        /// As it was asked for.
        program: String,
    },
    /// The folder to run in is missing or not a folder.
    #[error("cannot run in {}: it is not a folder", dir.display())]
    NoFolder {
        /// As it was asked for.
        dir: PathBuf,
    },
    /// The operating system refused to execute it.
    #[error("cannot start {program:?}: {reason}")]
    Exec {
        /// As it was asked for.
        program: String,
        /// The operating system's words.
        reason: String,
    },
    /// Our own binary, which guards and starts children, was not found.
    #[error(
        "cannot find cachelab's own binary, which guards child processes (looked at {}): run `cargo build`, or set CACHELAB_BIN",
        looked_at.display()
    )]
    NoBinary {
        /// The last place looked at.
        looked_at: PathBuf,
    },
    /// A signal was sent but its effect was not seen in time.
    #[error("process group {group} did not {what} within {} ms", waited.as_millis())]
    Unconfirmed {
        /// The group's id.
        group: u32,
        /// `stop`, `continue`.
        what: &'static str,
        /// How long we waited.
        waited: Duration,
    },
    /// The group has ended already.
    #[error("process group {group} has ended")]
    Ended {
        /// The group's id.
        group: u32,
    },
    /// A temporary folder could not be made.
    #[error("cannot create a folder in {}: {source}; TMPDIR names another place", parent.display())]
    Folder {
        /// Where it was to be.
        parent: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Anything else of the operating system.
    #[error("cannot {what}: {source}")]
    Io {
        /// What we were about to do.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl ProcessError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

/// First argument of the hidden subcommand that guards; see [`hidden_main`].
pub(crate) const GUARDIAN: &str = "__guardian";
/// First argument of the hidden subcommand that becomes a child; see [`hidden_main`].
pub(crate) const EXEC: &str = "__exec";

/// Runs a hidden subcommand when the arguments ask for one; to be called before anything else in
/// `main`, so that guardian and shim start fast and touch nothing.
pub fn hidden_main() -> Option<ExitCode> {
    binary::is_running();
    let mut args = std::env::args_os().skip(1);
    let first = args.next()?;
    if first == GUARDIAN {
        return Some(guardian::main());
    }
    if first == EXEC {
        return Some(shim::main(&args.collect::<Vec<_>>()));
    }
    None
}

/// Our own binary, for hidden subcommands that others define.
pub fn own_binary() -> Result<PathBuf, ProcessError> {
    binary::path()
}

/// Whether `path` is a file that may be executed.
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The first executable called `name` on PATH.
pub fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_absolute() && is_executable(file))
}
