//! A private instance: a server process of our own, on a socket nobody else gets at.
//!
//! Its folder and its process group are registered with the guardian before they exist, so it dies
//! with us however we die.

use std::{
    fmt::Write as _,
    net::TcpListener,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Address, Endpoint, Flavour, Info, Listen, Options, Ownership, ServerError, Version};
use crate::process::{Folder, Group, GroupHandle, Spawn};

/// How long a new server may take until it answers, reading its append-only file included.
const START: Duration = Duration::from_secs(15);
/// How long `SHUTDOWN NOSAVE` may take before SIGKILL.
const STOP: Duration = Duration::from_secs(1);
/// How often another port is tried when somebody took ours.
const PORTS: usize = 5;

/// One server process, its folder and its address.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) binary: PathBuf,
    pub(super) endpoint: Endpoint,
    /// The process; `None` after a kill.
    group: Mutex<Option<Group>>,
    /// One `restart` at a time.
    restarting: tokio::sync::Mutex<()>,
    // Dropped last, when the process is dead.
    folder: Folder,
}

/// Starts `binary` and waits until it answers.
pub(super) async fn start(binary: &Path, options: &Options) -> Result<Instance, ServerError> {
    let folder = Folder::for_sockets()?;
    let mut tries = 0;
    loop {
        tries += 1;
        let draft = draft(&folder, options.listen)?;
        write_config(&folder, &draft, &options.config)?;
        match launch(binary, folder.path(), &draft).await {
            Ok((group, endpoint)) => {
                return Ok(Instance {
                    binary: binary.to_owned(),
                    endpoint,
                    group: Mutex::new(Some(group)),
                    restarting: tokio::sync::Mutex::default(),
                    folder,
                });
            }
            Err(ServerError::Instance { tail, .. })
                if options.listen == Listen::Tcp && tries < PORTS && port_taken(&tail) => {}
            Err(error) => return Err(error),
        }
    }
}

fn port_taken(tail: &[String]) -> bool {
    tail.iter().any(|line| line.contains("Address already in use"))
}

/// An endpoint whose version is not known yet.
fn draft(folder: &Folder, listen: Listen) -> Result<Endpoint, ServerError> {
    match listen {
        Listen::Unix => Ok(unknown(Address::Unix(folder.path().join("redis.sock")), None)),
        Listen::Tcp => loopback(),
    }
}

/// A free port on loopback and a random password.
pub(super) fn loopback() -> Result<Endpoint, ServerError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let port = listener.map_err(ServerError::io("find a free port"))?.port();
    let password = format!("{:016x}{:016x}", rand::random::<u64>(), rand::random::<u64>());
    Ok(unknown(Address::Tcp { host: "127.0.0.1".into(), port }, Some(password)))
}

/// A private endpoint that has not said what it is yet.
fn unknown(address: Address, password: Option<String>) -> Endpoint {
    let version = Version::new(0, 0, 0);
    Endpoint {
        address,
        username: None,
        password,
        database: 0,
        tls: false,
        ownership: Ownership::Private,
        flavour: Flavour { name: "redis".into(), version },
        redis_version: version,
    }
}

/// Refuses what would not be one line of `redis.conf`.
pub(super) fn check_line(name: &str, value: &str) -> Result<(), ServerError> {
    if name.is_empty() || name.contains(char::is_whitespace) || value.contains(['\n', '\r', '\0']) {
        let what = format!("{name:?} {value:?} is not a line of redis.conf");
        return Err(ServerError::Instance { what, tail: Vec::new() });
    }
    Ok(())
}

/// Writes `redis.conf`: a file, so that the password is not on a command line for all to see.
fn write_config(folder: &Folder, endpoint: &Endpoint, extra: &[(String, String)]) -> Result<(), ServerError> {
    let mut text = String::from("daemonize no\nsave \"\"\nappendonly no\nloglevel notice\nalways-show-logo no\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name} {value}");
    };
    line("dir", &quoted(&folder.path().display().to_string()));
    match &endpoint.address {
        Address::Unix(path) => {
            line("port", "0");
            line("unixsocket", &quoted(&path.display().to_string()));
            line("unixsocketperm", "700");
        }
        Address::Tcp { host, port } => {
            line("bind", host);
            line("port", &port.to_string());
        }
    }
    if let Some(password) = &endpoint.password {
        line("requirepass", &quoted(password));
    }
    for (name, value) in extra {
        check_line(name, value)?;
        line(name, value);
    }
    let file = config_file(folder.path());
    let mut open = std::fs::OpenOptions::new();
    let open = open.write(true).create(true).truncate(true).mode(0o600).open(&file);
    open.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(ServerError::io(format!("write {}", file.display())))
}

fn config_file(folder: &Path) -> PathBuf {
    folder.join("redis.conf")
}

/// A word of `redis.conf` in double quotes.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Starts the process on the written configuration, and waits until it is it that answers.
async fn launch(binary: &Path, folder: &Path, draft: &Endpoint) -> Result<(Group, Endpoint), ServerError> {
    let spawn = Spawn::new(binary, folder).args([config_file(folder)]);
    let group = Group::spawn(&spawn).await?;
    let info = answer(&group.handle(), draft).await?;
    Ok((group, draft.clone().told(&info)))
}

/// Asks until the new process answers, and makes sure that it is the one that does.
async fn answer(group: &GroupHandle, endpoint: &Endpoint) -> Result<Info, ServerError> {
    let begun = Instant::now();
    let failed = |what: String| ServerError::Instance { what, tail: group.tail(12) };
    loop {
        let last = match first_words(endpoint).await {
            Ok(info) if info.process_id == group.id() => return Ok(info),
            Ok(info) => {
                return Err(failed(format!(
                    "another server (process {}) answers at {}",
                    info.process_id,
                    endpoint.address_text()
                )));
            }
            Err(error) => error,
        };
        if let Some(status) = group.status() {
            return Err(failed(format!("the server ended at start ({status})")));
        }
        if begun.elapsed() > START {
            return Err(failed(format!("the server did not answer within {} s: {last}", START.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Connects and asks who it is; an error until it has loaded its data.
pub(super) async fn first_words(endpoint: &Endpoint) -> Result<Info, ServerError> {
    // Cheaper than a client while nobody listens.
    drop(endpoint.connect().await.map_err(ServerError::io("connect"))?);
    let mut connection = endpoint.client()?.get_multiplexed_async_connection().await?;
    let info = Info::ask(&mut connection).await?;
    // INFO answers while data are still being loaded, PING does not.
    redis::cmd("PING").query_async::<()>(&mut connection).await?;
    Ok(info)
}

impl Instance {
    fn group(&self) -> MutexGuard<'_, Option<Group>> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process, unless it was killed.
    pub(super) fn process(&self) -> Option<GroupHandle> {
        self.group().as_ref().map(Group::handle)
    }

    /// SIGKILL; returns when it is dead.
    pub(super) async fn kill(&self) {
        let group = self.group().take();
        if let Some(mut group) = group {
            group.kill();
            group.wait().await;
        }
    }

    /// Kills what runs and starts it again, on the same address and configuration.
    pub(super) async fn restart(&self) -> Result<(), ServerError> {
        let _one = self.restarting.lock().await;
        self.kill().await;
        let (group, _) = launch(&self.binary, self.folder.path(), &self.endpoint).await?;
        *self.group() = Some(group);
        Ok(())
    }

    /// `SHUTDOWN NOSAVE NOW` (without waiting for replicas), and SIGKILL when that takes too long.
    pub(super) async fn stop(&self) {
        let group = self.group().take();
        let Some(mut group) = group else { return };
        // A paused one would not hear us.
        group.resume();
        let polite = async {
            let mut connection = self.endpoint.client()?.get_multiplexed_async_connection().await?;
            // It answers only if it refuses.
            let _ = redis::cmd("SHUTDOWN").arg("NOSAVE").arg("NOW").query_async::<()>(&mut connection).await;
            group.wait().await;
            redis::RedisResult::Ok(())
        };
        if !matches!(tokio::time::timeout(STOP, polite).await, Ok(Ok(()))) {
            group.kill();
            group.wait().await;
        }
    }
}
