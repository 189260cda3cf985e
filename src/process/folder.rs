//! Temporary folders that go when we go.

use std::{
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::{ProcessError, watch};

/// A new folder that only we can read (0700), removed when this is dropped, or by the guardian when we die.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _registration: watch::Registration,
}

impl Folder {
    /// Makes one inside `parent`, with a random name that starts with `cachelab-`.
    pub fn create_in(parent: &Path) -> Result<Self, ProcessError> {
        loop {
            let path = parent.join(format!("cachelab-{:012x}", rand::random::<u64>() >> 16));
            // Known to the guardian before it exists. The name is random enough to be ours alone.
            let registration = watch::folder(&path)?;
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path, _registration: registration }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(ProcessError::Folder { parent: parent.to_owned(), source }),
            }
        }
    }

    /// Makes one in the system's temporary folder.
    pub fn create() -> Result<Self, ProcessError> {
        Self::create_in(&std::env::temp_dir())
    }

    /// Makes one whose path is short enough for a unix socket in it (about 100 bytes for all).
    pub fn for_sockets() -> Result<Self, ProcessError> {
        const ROOM: usize = 60;
        let temp = std::env::temp_dir();
        let short = temp.is_absolute() && temp.as_os_str().len() <= ROOM;
        Self::create_in(if short { &temp } else { Path::new("/tmp") })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A process that was just killed may still write: once more then.
        if std::fs::remove_dir_all(&self.path).is_err() && self.path.exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
