//! The file: one lock, atomic replacement, a backup of the last good one.
//!
//! Every change is recorded by itself: take the lock, read what is there now (another cachelab may
//! have written), apply the change, replace the file. So two cachelabs merge, and a kill at any
//! moment loses at most the change that was under way. A file that can't be read is put aside under
//! a new name, never overwritten; one of a newer version is left alone.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use atomic_write_file::AtomicWriteFile;
use etcetera::BaseStrategy;
use rustix::fs::{FlockOperation, flock};

use super::{Change, Progress, Timestamp, VERSION};
use crate::course::UnitId;

const FILE: &str = "progress.json";
/// A writer holds the lock for a few milliseconds; this long means that it hangs.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Why progress can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ProgressError {
    /// No home directory.
    #[error("no home directory to keep progress in; set CACHELAB_HOME to a folder")]
    NoHome,
    /// Written by a newer cachelab.
    #[error(
        "{path} was written by a newer cachelab (version {found}, this one knows {VERSION}); it is left as it is. Update cachelab, or set CACHELAB_HOME to another folder"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Another process holds the lock.
    #[error("{path} is locked by another cachelab that does not let go")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The file system said no.
    #[error("{path}: {error}")]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// What [`Store::load`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The progress.
    pub progress: Progress,
    /// To be told to the learner: a damaged file, what was done about it.
    pub notice: Option<String>,
}

/// Where progress is kept. Cheap to clone; every call blocks for a few milliseconds of disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// `CACHELAB_HOME`, else `cachelab` in the user's data folder (`~/.local/share/cachelab`).
    pub fn default_location() -> Result<Store, ProgressError> {
        if let Some(folder) = std::env::var_os("CACHELAB_HOME").filter(|f| !f.is_empty()) {
            return Ok(Store::at(folder));
        }
        let base = etcetera::choose_base_strategy().map_err(|_| ProgressError::NoHome)?;
        Ok(Store::at(base.data_dir().join("cachelab")))
    }

    /// In that folder, which is made when something is written.
    pub fn at(folder: impl Into<PathBuf>) -> Store {
        Store { folder: folder.into() }
    }

    /// The file that holds the progress.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// Reads what is there; nothing there is no progress. Writes only to put a damaged file aside.
    pub fn load(&self) -> Result<Loaded, ProgressError> {
        match read(&self.path())? {
            Found::Good(progress) => Ok(Loaded { progress, notice: None }),
            // Only a person or a power cut makes these; the lock keeps two cachelabs from both mending.
            Found::Missing if !self.backup().exists() => Ok(Loaded { progress: Progress::default(), notice: None }),
            Found::Missing | Found::Damaged(_) => {
                let _lock = self.lock()?;
                self.load_locked()
            }
        }
    }

    /// Adds one change to what is on disk now, and returns the sum.
    pub fn record(&self, unit: &UnitId, change: &Change) -> Result<Progress, ProgressError> {
        let _lock = self.lock()?;
        self.remove_strays();
        let mut progress = self.load_locked()?.progress;
        progress.apply(unit, change, Timestamp::now());
        self.write(&progress)?;
        Ok(progress)
    }

    fn backup(&self) -> PathBuf {
        self.folder.join(format!("{FILE}.bak"))
    }

    fn load_locked(&self) -> Result<Loaded, ProgressError> {
        let path = self.path();
        let reason = match read(&path)? {
            Found::Good(progress) => return Ok(Loaded { progress, notice: None }),
            Found::Missing => None,
            Found::Damaged(reason) => Some(reason),
        };
        let backup = read(&self.backup())?;
        let aside = match &reason {
            Some(_) => Some(self.put_aside(&path)?),
            None => None,
        };
        let (progress, outcome) = match backup {
            Found::Good(progress) => (progress, "continued from its backup; at most the last action is lost"),
            Found::Missing if reason.is_none() => return Ok(Loaded { progress: Progress::default(), notice: None }),
            Found::Missing | Found::Damaged(_) => {
                (Progress::default(), "there is no good backup: progress starts anew")
            }
        };
        self.write(&progress)?;
        let path = path.display();
        let notice = match (reason, aside) {
            (Some(reason), Some(aside)) => {
                format!("{path} was damaged ({reason}) and is kept as {}; {outcome}", aside.display())
            }
            _ => format!("{path} was missing; {outcome}"),
        };
        Ok(Loaded { progress, notice: Some(notice) })
    }

    /// Renames a damaged file to a name that is free.
    fn put_aside(&self, path: &Path) -> Result<PathBuf, ProgressError> {
        let name = |n: u32| self.folder.join(format!("{FILE}.damaged-{n}"));
        let mut number = 1;
        while name(number).exists() {
            number += 1;
        }
        let aside = name(number);
        fs::rename(path, &aside).map_err(|e| at(path, e))?;
        Ok(aside)
    }

    fn write(&self, progress: &Progress) -> Result<(), ProgressError> {
        let path = self.path();
        // Serialising plain data into memory has no way to fail but a bug.
        let mut text = serde_json::to_string_pretty(progress).map_err(|e| at(&path, e.into()))?;
        text.push('\n');
        // The file that was read under this lock is good (a damaged one has been put aside): it is the backup.
        if let Ok(good) = fs::read(&path) {
            replace(&self.backup(), &good)?;
        }
        replace(&path, text.as_bytes())
    }

    /// The lock is the kernel's: it goes with the process, however it ends.
    fn lock(&self) -> Result<File, ProgressError> {
        fs::create_dir_all(&self.folder).map_err(|e| at(&self.folder, e))?;
        let path = self.folder.join("progress.lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|e| at(&path, e))?;
        let start = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(at(&path, error.into())),
            }
            if start.elapsed() > LOCK_WAIT {
                return Err(ProgressError::Locked { path });
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// Removes temporary files of writers that were killed. Under the lock nobody else is writing.
    fn remove_strays(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&format!(".{FILE}.")) {
                // A stray that can't be removed does no harm.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

enum Found {
    Good(Progress),
    Missing,
    Damaged(String),
}

fn read(path: &Path) -> Result<Found, ProgressError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(at(path, error)),
    };
    parse(&bytes).map_err(|found| ProgressError::Newer { path: path.to_owned(), found })
}

/// `Err` holds the version of a file that is too new.
fn parse(bytes: &[u8]) -> Result<Found, u32> {
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    match serde_json::from_slice::<Version>(bytes) {
        Ok(Version { version }) if version > VERSION => Err(version),
        Ok(_) => Ok(serde_json::from_slice(bytes).map_or_else(|e| Found::Damaged(e.to_string()), Found::Good)),
        Err(error) => Ok(Found::Damaged(error.to_string())),
    }
}

fn replace(path: &Path, content: &[u8]) -> Result<(), ProgressError> {
    let write = || {
        let mut file = AtomicWriteFile::open(path)?;
        file.write_all(content)?;
        file.commit()
    };
    write().map_err(|e| at(path, e))
}

fn at(path: &Path, error: io::Error) -> ProgressError {
    ProgressError::Io { path: path.to_owned(), error }
}
