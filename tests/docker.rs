//! The Docker rung on a real engine, with an image made here from the fetched server. Skips, and says
//! so, where no engine answers; `.ci/docker start` gives one where it can.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use cachelab::server::{self, Address, Options, Rung, RungKind};
use redis::aio::MultiplexedConnection;

fn docker(args: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(args).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The image's name, or `None` when there is no engine.
fn image() -> Option<String> {
    static IMAGE: OnceLock<Option<String>> = OnceLock::new();
    IMAGE
        .get_or_init(|| {
            let engine = docker(&["version", "--format", "{{.Server.Version}}"]).filter(|version| !version.is_empty());
            if engine.is_none() {
                eprintln!("skipped: no Docker engine answers");
                return None;
            }
            if !cfg!(target_os = "linux") {
                eprintln!("skipped: the image is made from this machine's own libraries");
                return None;
            }
            Some(make_image())
        })
        .clone()
}

/// The fetched server and the libraries it needs, as an image without anything else.
fn make_image() -> String {
    let binary = fetched();
    let root = tempfile::tempdir().unwrap();
    let put = |from: &Path, to: &str| {
        let to = root.path().join(to.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    };
    put(&binary, "/usr/bin/valkey-server");
    std::fs::create_dir_all(root.path().join("data")).unwrap();
    let libraries = Command::new("ldd").arg(&binary).output().unwrap();
    for word in String::from_utf8_lossy(&libraries.stdout).split_whitespace().filter(|word| word.starts_with('/')) {
        put(Path::new(word), word);
    }
    let archive = root.path().with_extension("tar");
    let tar = Command::new("tar").arg("-C").arg(root.path()).arg("-cf").arg(&archive).arg(".").status().unwrap();
    assert!(tar.success());
    let name = "cachelab-test/valkey:fetched";
    docker(&["import", "-c", "WORKDIR /data", &archive.display().to_string(), name]).expect("docker import");
    std::fs::remove_file(archive).unwrap();
    name.to_owned()
}

fn fetched() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("server-cache");
    let output = Command::new(env!("CARGO_BIN_EXE_cachelab"))
        .args(["doctor", "--server", "fetch"])
        .env("CACHELAB_CACHE_DIR", &cache)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let folder = std::fs::read_dir(cache.join("server")).unwrap().flatten().next().unwrap();
    folder.path().join("valkey-server")
}

async fn connect(endpoint: &server::Endpoint) -> MultiplexedConnection {
    endpoint.client().unwrap().get_multiplexed_async_connection().await.unwrap()
}

/// Our containers, by name.
fn containers() -> Vec<String> {
    let all = docker(&["ps", "--all", "--filter", "label=cachelab=server", "--format", "{{.Names}}"]).unwrap();
    all.lines().map(str::to_owned).collect()
}

/// The container that publishes this endpoint's port.
fn container_of(endpoint: &server::Endpoint) -> String {
    let Address::Tcp { port, .. } = endpoint.address else { panic!("tcp") };
    docker(&["ps", "--filter", &format!("publish={port}"), "--format", "{{.Names}}"]).unwrap()
}

#[tokio::test]
async fn a_container_lives_and_takes_faults() {
    let Some(image) = image() else { return };
    let config = vec![("maxmemory".into(), "12mb".into()), ("appendonly".into(), "yes".into())];
    let options = Options { rung: Rung::Docker(Some(image)), offline: true, config, ..Options::default() };
    let server = server::start(&options, &mut |_| ()).await.unwrap();
    assert_eq!(server.ladder().taken(), Some(RungKind::Docker));
    let (endpoint, control) = (server.endpoint().clone(), server.control());
    assert!(endpoint.is_private());
    let mut connection = connect(&endpoint).await;
    let limit: Vec<String> =
        redis::cmd("CONFIG").arg("GET").arg("maxmemory").query_async(&mut connection).await.unwrap();
    assert_eq!(limit, ["maxmemory", "12582912"]);
    redis::cmd("SET").arg("kept").arg("yes").exec_async(&mut connection).await.unwrap();
    redis::cmd("WAITAOF").arg(1).arg(0).arg(2000).exec_async(&mut connection).await.unwrap();

    control.pause().await.unwrap();
    let ping = redis::cmd("PING");
    assert!(tokio::time::timeout(Duration::from_millis(100), ping.exec_async(&mut connection)).await.is_err());
    control.resume().await.unwrap();
    ping.exec_async(&mut connect(&endpoint).await).await.unwrap();

    control.kill().await.unwrap();
    control.kill().await.unwrap();
    control.restart().await.unwrap();
    let kept: String = redis::cmd("GET").arg("kept").query_async(&mut connect(&endpoint).await).await.unwrap();
    assert_eq!(kept, "yes", "the same container came back, at the same address");
    assert!(!control.log(5).await.is_empty());

    let mut open = endpoint.clone();
    open.password = None;
    let error = redis::cmd("PING").query_async::<String>(&mut connect(&open).await).await.unwrap_err();
    assert!(error.to_string().contains("Auth"), "{error}");

    let name = container_of(&endpoint);
    assert!(containers().contains(&name));
    server.stop().await;
    assert!(!containers().contains(&name));
}

#[test]
fn a_container_dropped_outside_of_a_runtime_goes() {
    let Some(image) = image() else { return };
    let options = Options { rung: Rung::Docker(Some(image)), offline: true, ..Options::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(server::start(&options, &mut |_| ())).unwrap();
    let name = container_of(server.endpoint());
    drop(runtime);
    drop(server);
    assert!(!containers().contains(&name));
}

#[test]
fn no_container_outlives_a_sigkill() {
    let Some(image) = image() else { return };
    for wait in [None, Some(150), Some(350)] {
        let before = containers();
        let mut child = Command::new(env!("CARGO_BIN_EXE_cachelab"))
            .args(["doctor", "--format", "json", "--hold", "60", "--server", &format!("docker:{image}")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        match wait {
            // Once when all is up, and in the middle of getting there.
            None => {
                let mut first = [0];
                std::io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut first).unwrap();
                assert!(containers().len() > before.len() || containers() != before);
            }
            Some(wait) => std::thread::sleep(Duration::from_millis(wait)),
        }
        let ours: Vec<String> = containers().into_iter().filter(|name| !before.contains(name)).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while containers().iter().any(|name| ours.contains(name)) {
            assert!(Instant::now() < end, "left: {:?}", containers());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[tokio::test]
async fn images_that_cannot_serve_say_why() {
    let Some(image) = image() else { return };
    let start = |image: &str, config: Vec<(String, String)>| {
        let options = Options { rung: Rung::Docker(Some(image.into())), offline: true, config, ..Options::default() };
        async move { server::start(&options, &mut |_| ()).await.unwrap_err().to_string() }
    };
    let error = start("cachelab-test/nothing:1", Vec::new()).await;
    assert!(error.contains("no image cachelab-test/nothing:1") && error.contains("--offline"), "{error}");
    let error = start(&image, vec![("maxmemory-policy".into(), "magic".into())]).await;
    assert!(error.contains("ended") && error.contains("magic"), "{error}");
    assert!(docker(&["tag", &image, "cachelab-test/redis:wrong"]).is_some());
    let error = start("cachelab-test/redis:wrong", Vec::new()).await;
    assert!(error.contains("redis-server"), "{error}");
}

#[test]
fn docker_is_the_last_rung() {
    let Some(image) = image() else { return };
    if std::env::var_os("CACHELAB_TEST_ENGINE").is_none() {
        eprintln!("skipped: this engine is not the tests' own, so no image of it is renamed");
        return;
    }
    assert!(docker(&["tag", &image, "valkey/valkey:9"]).is_some());
    let empty = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cachelab"))
        .args(["doctor", "--format", "json", "--offline"])
        .env("PATH", empty.path())
        .env("CACHELAB_CACHE_DIR", empty.path())
        .env_remove("CACHELAB_REDIS_URL")
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ladder"][3]["state"], "taken", "{report}");
    assert!(report["ladder"][2]["detail"].as_str().unwrap().contains("--offline"), "{report}");
    assert_eq!(report["server"]["name"], "valkey");
}
