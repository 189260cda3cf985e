//! A live Redis or Valkey, whatever the machine offers: the ladder of rungs (a given URL, a binary
//! on PATH, the fetched Valkey, Docker), private instances that die with us, and what was found.
//!
//! Owns: choosing, fetching, starting, stopping. Must not know: lessons, labs, who prints.

use std::path::PathBuf;

/// Where a live server is and how to speak to it. Cheap to clone; passed down by the front end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// TCP or unix socket.
    pub address: Address,
    /// ACL user; `None` is the default user.
    pub username: Option<String>,
    /// Password, never printed.
    pub password: Option<String>,
    /// Database selected after connecting.
    pub database: u32,
    /// `rediss://`.
    pub tls: bool,
    /// Ours to do with as we like, or somebody's data.
    pub ownership: Ownership,
    /// `valkey` or `redis`, as `INFO server` says, with its own version (`9.1.2`).
    pub flavour: Flavour,
    /// The Redis version it is compatible with (Valkey 9.1.2 reports 7.2.4), for `min-version`.
    pub redis_version: Version,
}

/// TCP or unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Host and port.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Path of a unix socket.
    Unix(PathBuf),
}

/// Whose server it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// Started by us: FLUSHALL, CONFIG SET and kill are ours.
    Private,
    /// Given by URL: every key we write starts with this prefix (`cachelab:`), no FLUSH, no CONFIG SET.
    Borrowed {
        /// Ends with a colon.
        prefix: String,
    },
}

/// Which server software, and its own version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flavour {
    /// `redis` or `valkey`.
    pub name: String,
    /// Its own version.
    pub version: Version,
}

/// `major.minor.patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major.
    pub major: u16,
    /// Minor.
    pub minor: u16,
    /// Patch.
    pub patch: u16,
}
