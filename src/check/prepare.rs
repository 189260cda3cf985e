//! What has to happen once before a program can be started: its Python packages, its `setup`, its
//! `build`; each done again only when what it depends on has changed.
//!
//! Owns: the cache of that, keyed by content. Must not know: instances, checks.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use super::manifest::Manifest;
use crate::process::{Group, ProcessError, Spawn};

/// How long one command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(300);
/// Files that say what a program depends on: `setup` is run again when one of them changes.
const DEPENDENCY_FILES: &[&str] = &[
    "package.json",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "requirements.txt",
    "pyproject.toml",
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "go.mod",
    "go.sum",
    "Cargo.toml",
    "Cargo.lock",
    "Gemfile",
    "Gemfile.lock",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "composer.json",
    "composer.lock",
    "mix.exs",
    "mix.lock",
    "deno.json",
];
/// Folders that hold results, not sources.
const RESULT_FOLDERS: &[&str] =
    &["node_modules", "target", "build", "dist", "bin", "obj", "out", "__pycache__", "venv", "vendor"];

/// A program that can be started any number of times.
#[derive(Debug, Clone)]
pub struct Program {
    /// Program and arguments.
    pub run: Vec<String>,
    /// Where it runs.
    pub folder: PathBuf,
    /// Its own environment: the manifest's, and PATH when there are Python packages.
    pub env: Vec<(OsString, OsString)>,
}

/// Why a program is not ready to be started.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A command could not be started.
    #[error("{what} cannot be started: {source}\nThe command was: {command}")]
    Start {
        /// `setup`.
        what: &'static str,
        /// As in the manifest.
        command: String,
        /// Why.
        source: ProcessError,
    },
    /// A command failed.
    #[error("{what} failed ({status}): {command}")]
    Failed {
        /// `setup`.
        what: &'static str,
        /// As in the manifest.
        command: String,
        /// How it ended.
        status: String,
        /// Its last lines.
        output: Vec<String>,
    },
    /// The cache folder cannot be used.
    #[error("cannot use the cache folder {}: {source}", path.display())]
    Cache {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another cachelab is at it and does not finish.
    #[error("another cachelab has been preparing {} for minutes; remove it if that is not so", .0.display())]
    Busy(PathBuf),
}

impl PrepareError {
    /// The learner's program is at fault, not the machine.
    pub fn learners(&self) -> bool {
        matches!(self, Self::Start { .. } | Self::Failed { .. })
    }

    /// Last lines of what failed.
    pub fn output(&self) -> Vec<String> {
        if let Self::Failed { output, .. } = self { output.clone() } else { Vec::new() }
    }
}

/// Where cachelab keeps what can be had again: `CACHELAB_CACHE_DIR`, or the user's cache folder.
pub fn cache_root() -> PathBuf {
    use etcetera::BaseStrategy;
    if let Some(dir) = std::env::var_os("CACHELAB_CACHE_DIR") {
        return PathBuf::from(dir);
    }
    etcetera::choose_base_strategy().map_or_else(|_| std::env::temp_dir(), |base| base.cache_dir()).join("cachelab")
}

/// Does what has to be done; `say` hears about everything that takes time.
pub async fn prepare(folder: &Path, manifest: &Manifest, say: &mut dyn FnMut(String)) -> Result<Program, PrepareError> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let mut env: Vec<(OsString, OsString)> = vec![
        // Last words of a crashed Python program are worth more than the speed of its prints.
        ("PYTHONUNBUFFERED".into(), "1".into()),
        // The learner's folder stays as it is.
        ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
    ];
    if let Some(python) = &manifest.python {
        env.extend(python_packages(&folder.join(python.get_ref()), say).await?);
    }
    env.extend(manifest.env.iter().map(|(n, v)| (n.into(), v.into())));
    let setup = Stage { what: "setup", commands: manifest.setup.clone(), inputs: dependency_files(&folder) };
    setup.run(&folder, &env, say).await?;
    let commands = manifest.build.all();
    let inputs = if commands.is_empty() { Vec::new() } else { source_files(&folder) };
    Stage { what: "build", commands, inputs }.run(&folder, &env, say).await?;
    Ok(Program { run: manifest.run.get_ref().clone(), folder, env })
}

struct Stage {
    what: &'static str,
    commands: Vec<Vec<String>>,
    inputs: Vec<PathBuf>,
}

impl Stage {
    async fn run(
        &self,
        folder: &Path,
        env: &[(OsString, OsString)],
        say: &mut dyn FnMut(String),
    ) -> Result<(), PrepareError> {
        if self.commands.is_empty() {
            return Ok(());
        }
        let stamp_file = cache_root().join(self.what).join(hex(&Sha256::digest(folder.as_os_str().as_encoded_bytes())));
        let mut hash = Sha256::new();
        hash.update(format!("{:?}", self.commands));
        for file in &self.inputs {
            hash.update(file.as_os_str().as_encoded_bytes());
            hash.update(fs::read(file).unwrap_or_default());
        }
        let hash = hex(&hash.finalize());
        // What the commands made must still be there: somebody may have removed node_modules.
        let done = fs::read_to_string(&stamp_file).unwrap_or_default();
        let mut lines = done.lines();
        if lines.next() == Some(&hash) && lines.all(|made| folder.join(made).exists()) {
            return Ok(());
        }
        for command in &self.commands {
            say(format!("{}: {}", self.what, command.join(" ")));
            execute(self.what, command, folder, env).await?;
        }
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names: Vec<_> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        write_file(&stamp_file, &format!("{hash}\n{}", names.join("\n")))
    }
}

/// Runs one command to its end.
async fn execute(
    what: &'static str,
    command: &[String],
    folder: &Path,
    env: &[(OsString, OsString)],
) -> Result<(), PrepareError> {
    let text = command.join(" ");
    let mut spawn = Spawn::new(&command[0], folder).args(&command[1..]);
    spawn.env.extend(env.iter().cloned());
    let mut group =
        Group::spawn(&spawn).await.map_err(|source| PrepareError::Start { what, command: text.clone(), source })?;
    let status = match tokio::time::timeout(COMMAND_LIMIT, group.wait()).await {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(_) => format!("not finished after {} s", COMMAND_LIMIT.as_secs()),
    };
    Err(PrepareError::Failed { what, command: text, status, output: group.tail(20) })
}

/// A virtual environment for a requirements file, made once per content; gives the environment to use it.
async fn python_packages(
    requirements: &Path,
    say: &mut dyn FnMut(String),
) -> Result<Vec<(OsString, OsString)>, PrepareError> {
    let python = crate::process::find_on_path("python3").unwrap_or_else(|| PathBuf::from("python3"));
    let mut hash = Sha256::new();
    hash.update(python.as_os_str().as_encoded_bytes());
    hash.update(python_version(&python));
    hash.update(fs::read(requirements).unwrap_or_default());
    let venv = cache_root().join("python").join(&hex(&hash.finalize())[..16]);
    let ready = venv.join("cachelab-ready");
    let _lock = lock(&venv.with_extension("lock"), &ready).await?;
    if !ready.exists() {
        let _ = fs::remove_dir_all(&venv);
        say("installing the Python packages, once".to_owned());
        let path = |p: &Path| p.to_string_lossy().into_owned();
        let folder = requirements.parent().unwrap_or(Path::new("."));
        let make: Vec<String> = [&path(&python), "-m", "venv", &path(&venv)].map(str::to_owned).into();
        execute("python -m venv", &make, folder, &[]).await?;
        let pip = path(&venv.join("bin/python3"));
        let install =
            [&pip, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &path(requirements)];
        execute("pip install", &install.map(str::to_owned), folder, &[]).await?;
        write_file(&ready, "")?;
    }
    let old = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(venv.join("bin")).chain(std::env::split_paths(&old));
    let path = std::env::join_paths(all).unwrap_or(old);
    Ok(vec![("PATH".into(), path), ("VIRTUAL_ENV".into(), venv.into_os_string())])
}

fn python_version(python: &Path) -> Vec<u8> {
    std::process::Command::new(python).arg("--version").output().map(|o| o.stdout).unwrap_or_default()
}

/// Two runs at once prepare the same thing once. Waits until `ready` exists or the lock is ours.
async fn lock(path: &Path, ready: &Path) -> Result<Option<fs::File>, PrepareError> {
    let cache = |source| PrepareError::Cache { path: path.to_path_buf(), source };
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(cache)?;
    let begun = Instant::now();
    loop {
        if ready.exists() {
            return Ok(None);
        }
        let file = fs::File::options().create(true).truncate(false).write(true).open(path).map_err(cache)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) if begun.elapsed() < COMMAND_LIMIT * 2 => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(PrepareError::Busy(path.to_path_buf())),
            Err(error) => return Err(cache(error.into())),
        }
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), PrepareError> {
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(path, text)
    };
    write().map_err(|source| PrepareError::Cache { path: path.to_path_buf(), source })
}

fn dependency_files(folder: &Path) -> Vec<PathBuf> {
    DEPENDENCY_FILES.iter().map(|name| folder.join(name)).filter(|file| file.is_file()).collect()
}

/// All files of a folder that are sources, sorted.
fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![folder.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else { continue };
            if name.starts_with('.') || (kind.is_dir() && RESULT_FOLDERS.contains(&name.as_str())) {
                continue;
            }
            if kind.is_dir() {
                todo.push(entry.path());
            } else if entry.metadata().is_ok_and(|m| m.len() < 1 << 20) {
                // Larger files are results, not sources.
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
