//! A server binary on this machine: on PATH, and what version it is.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{ServerError, Version};
use crate::process::{self, Group, Spawn};

/// How long `--version` may take; a cold binary on a slow disk included.
const PATIENCE: Duration = Duration::from_secs(5);

/// A binary that said its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binary {
    pub(super) path: PathBuf,
    /// `redis` or `valkey`.
    pub(super) name: String,
    pub(super) version: Version,
}

/// Valkey before Redis, as both are on PATH on some systems and one is a link to the other.
const NAMES: [&str; 2] = ["valkey-server", "redis-server"];

/// The first binary on PATH that is new enough; else why not, for a person.
pub(super) async fn on_path(needed: Version) -> Result<Binary, String> {
    let mut reasons = Vec::new();
    for name in NAMES {
        let Some(path) = process::find_on_path(name) else { continue };
        match inspect(&path).await {
            // Every Valkey is compatible with Redis 7.2, whatever its own number.
            Ok(binary) if binary.redis_version() >= needed => return Ok(binary),
            Ok(binary) => {
                reasons.push(format!("{} is {}, {needed} or newer is needed", path.display(), binary.version));
            }
            Err(error) => reasons.push(error.to_string()),
        }
    }
    if reasons.is_empty() {
        return Err(format!("neither {} nor {} is on PATH", NAMES[0], NAMES[1]));
    }
    Err(reasons.join("; "))
}

impl Binary {
    /// The Redis version it is compatible with.
    pub(super) fn redis_version(&self) -> Version {
        if self.name == "valkey" { Version::new(7, 2, 4) } else { self.version }
    }

    /// `valkey-server 9.1.2`.
    pub(super) fn describe(&self) -> String {
        format!("{}-server {}", self.name, self.version)
    }
}

/// Asks a binary for its version.
pub(super) async fn inspect(path: &Path) -> Result<Binary, ServerError> {
    let mut group = Group::spawn(&Spawn::new(path, "/").args(["--version"])).await?;
    let wrong = |what: &str, tail| ServerError::Instance { what: format!("{} {what}", path.display()), tail };
    if tokio::time::timeout(PATIENCE, group.wait()).await.is_err() {
        group.kill();
        return Err(wrong("does not say its version", group.tail(5)));
    }
    let tail = group.tail(5);
    match tail.iter().find_map(|line| Version::of_binary(line)) {
        Some((name, version)) => Ok(Binary { path: path.to_owned(), name, version }),
        None => Err(wrong("does not say its version", tail)),
    }
}

/// Whether a binary was built with TLS: one that was complains of the missing certificate when it is
/// told to listen on a TLS port, one that was not of the option. Either ends at once.
pub(super) async fn has_tls(path: &Path) -> Option<bool> {
    let args = ["--port", "0", "--tls-port", "1", "--bind", "127.0.0.1", "--save", ""];
    let mut group = Group::spawn(&Spawn::new(path, "/").args(args)).await.ok()?;
    tokio::time::timeout(PATIENCE, group.wait()).await.ok()?;
    Some(group.tail(20).iter().any(|line| line.contains("tls-cert-file")))
}
