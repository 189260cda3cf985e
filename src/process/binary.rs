//! Where our own binary is: guardian and shim are hidden subcommands of it.
//!
//! From the real program that is the running executable. From a test or a bench it is the binary
//! that Cargo built beside it.

use std::{
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::ProcessError;

/// Set by `main`: then the running executable is the binary, whatever its name.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Notes that the running executable is the binary itself.
pub(super) fn is_running() {
    RUNNING.store(true, Ordering::Relaxed);
}

/// Path to run, found once. On Linux the running program is named through `/proc`, which holds also
/// when the file was replaced by an upgrade or a rebuild while we run.
pub(super) fn path() -> Result<PathBuf, ProcessError> {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(found.clone());
    }
    let found = find()?;
    Ok(FOUND.get_or_init(|| found).clone())
}

fn find() -> Result<PathBuf, ProcessError> {
    if let Some(given) = std::env::var_os("CACHELAB_BIN").map(PathBuf::from) {
        return if super::is_executable(&given) { Ok(given) } else { Err(ProcessError::NoBinary { looked_at: given }) };
    }
    let current = std::env::current_exe().map_err(ProcessError::io("find our own executable"))?;
    if RUNNING.load(Ordering::Relaxed) {
        let own = PathBuf::from("/proc/self/exe");
        return Ok(if own.exists() { own } else { current });
    }
    // target/PROFILE/deps/test-HASH or target/PROFILE/examples/NAME: the binary is one level up.
    let beside = current.parent().and_then(|deps| deps.parent()).unwrap_or(&current).join("cachelab");
    if super::is_executable(&beside) { Ok(beside) } else { Err(ProcessError::NoBinary { looked_at: beside }) }
}
