//! A live Redis or Valkey, whatever the machine offers: the ladder of rungs (a given URL, a binary
//! on PATH, the fetched Valkey, Docker), private instances that die with us, and what was found.
//!
//! Owns: choosing, fetching, starting, stopping. Must not know: lessons, labs, who prints.

mod borrowed;
mod control;
mod docker;
mod endpoint;
mod error;
mod feature;
mod fetch;
mod info;
mod ladder;
mod local;
mod pin;
mod private;
mod version;

use std::{fmt, path::PathBuf, time::Duration};

pub use borrowed::masked as masked_url;
pub use control::Control;
pub use docker::hidden_main;
pub use endpoint::Stream;
pub use error::ServerError;
pub use feature::Feature;
pub use fetch::{cache_dir, fetched_path};
pub use info::Info;
pub use ladder::{Ladder, Outcome, Rung, RungKind, Step};
pub use version::Version;

/// Oldest server anything here runs on, by the Redis version it is compatible with.
pub const OLDEST: Version = Version { major: 7, minor: 0, patch: 0 };

/// What keys on a borrowed server start with.
pub const PREFIX: &str = "cachelab:";

/// What is asked of the ladder.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The learner's own server, with its password; taken if `rung` is [`Rung::Auto`].
    pub url: Option<String>,
    /// Which rung to use.
    pub rung: Rung,
    /// Nothing may use the network (a given URL may).
    pub offline: bool,
    /// At least this Redis-compatible version; [`OLDEST`] holds anyway.
    pub min_version: Option<Version>,
    /// Lines of `redis.conf` for a private instance, name and the rest of the line as it stands there
    /// (quote what needs quotes). They come after our own, so they win.
    pub config: Vec<(String, String)>,
    /// How a private instance listens.
    pub listen: Listen,
}

impl fmt::Debug for Options {
    /// Without the password in the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("url", &self.url.as_deref().map(masked_url))
            .field("rung", &self.rung)
            .field("offline", &self.offline)
            .field("min_version", &self.min_version)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// How a private instance listens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Listen {
    /// On a unix socket in a folder only we can enter: fastest, and nobody else gets in.
    #[default]
    Unix,
    /// On a loopback port with a random password, for clients that can't do unix sockets.
    Tcp,
}

/// What `start` is doing, for whoever waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Trying a rung.
    Trying(RungKind),
    /// Fetching a package; bytes so far and, when known, in all.
    Fetching {
        /// What, for a person.
        what: String,
        /// So far.
        bytes: u64,
        /// In all.
        total: Option<u64>,
    },
    /// Pulling or starting a container from this image.
    Container {
        /// Its name.
        image: String,
    },
    /// Starting a server, described as `valkey-server 9.1.2`.
    Starting(String),
}

/// A live server, ours or borrowed. Dropping it kills a private one; [`stop`](Server::stop) is kinder.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    ladder: Ladder,
    control: Control,
}

/// Finds or starts a server, rung by rung. `progress` hears what is being done.
pub async fn start(options: &Options, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Server, ServerError> {
    ladder::climb(options, progress).await
}

impl Server {
    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Which rung was taken, and why the others were not.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Faults for a private server; refuses on a borrowed one.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// What this server has of what labs may ask for. Only commands that read are sent.
    pub async fn features(&self) -> Result<Vec<Feature>, ServerError> {
        let mut connection = self.endpoint.ask(Duration::from_secs(5)).await?;
        let mut features = feature::ask(&self.endpoint, &mut connection).await?;
        features.push(feature::tls(&self.endpoint, self.control.binary()).await);
        Ok(features)
    }

    /// Stops a private server (`SHUTDOWN NOSAVE`, bounded, then SIGKILL); leaves a borrowed one alone.
    pub async fn stop(self) {
        self.control.stop().await;
    }
}

/// Where a live server is and how to speak to it. Cheap to clone; passed down by the front end.
#[derive(Clone, PartialEq, Eq)]
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
