//! A server given by URL is somebody's data: everything cachelab can do is done to one that is full of
//! foreign keys, and then it is as it was.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

#[path = "support/pty.rs"]
#[allow(dead_code)] // the pictures use the rest
mod pty;

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use cachelab::server::{self, Listen, Options};
use pty::{Start, Terminal};
use redis::{Connection, Value};

/// Key, its DUMP and its absolute expiry.
type World = BTreeMap<Vec<u8>, (Vec<u8>, i64)>;

fn ask<T: redis::FromRedisValue>(connection: &mut Connection, words: &[&str]) -> T {
    redis::cmd(words[0]).arg(&words[1..]).query(connection).unwrap()
}

/// Foreign keys of every type, with names that lessons and labs use too, some with an expiry.
fn fill(connection: &mut Connection) {
    for n in 0..200 {
        let name = format!("theirs:{n}");
        ask::<Value>(connection, &["SET", &name, "precious"]);
        ask::<Value>(connection, &["PEXPIREAT", &name, "4102444800000"]);
    }
    let commands: &[&[&str]] = &[
        &["SET", "lock:shoe", "theirs"],
        &["SET", "fence:shoe", "99"],
        &["SET", "item:1", "theirs"],
        &["SET", "items:1", "theirs"],
        &["SET", "product:1", "theirs"],
        &["RPUSH", "nobody:home", "a", "b"],
        &["SADD", "set", "a", "b"],
        &["ZADD", "ranks", "1", "a", "2", "b"],
        &["HSET", "hash", "field", "value"],
        &["XADD", "stream", "1-1", "field", "value"],
        &["PFADD", "visitors", "a", "b"],
        &["SETBIT", "bits", "100", "1"],
    ];
    for command in commands {
        ask::<Value>(connection, command);
    }
}

fn world(connection: &mut Connection) -> World {
    let names: Vec<Vec<u8>> = ask(connection, &["KEYS", "*"]);
    names
        .into_iter()
        .map(|name| {
            let dump = redis::cmd("DUMP").arg(&name).query(connection).unwrap();
            let expiry = redis::cmd("PEXPIRETIME").arg(&name).query(connection).unwrap();
            (name, (dump, expiry))
        })
        .collect()
}

fn settings(connection: &mut Connection) -> BTreeMap<String, String> {
    ask(connection, &["CONFIG", "GET", "*"])
}

fn cachelab(url: &str, home: &std::path::Path, args: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_cachelab"))
        .args(["--redis", url])
        .args(args)
        .env("CACHELAB_HOME", home)
        .env("CACHELAB_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    // What a command finds out is judged elsewhere; here it must only have worked.
    let code = output.status.code();
    assert!(matches!(code, Some(0..=2)), "{args:?}: {code:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Opens the course, runs a block of a lesson, leaves.
fn walk(url: &str, home: PathBuf) {
    let args = ["--redis", url];
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_cachelab"));
    let mut terminal = Terminal::start(&Start { binary, args: &args, env: &[], home, dir: None, rows: 40, cols: 120 });
    terminal.wait_for("yours");
    terminal.keys("\x1b[B\x1b[B");
    terminal.wait_for("turn away whoever");
    terminal.keys("\r");
    terminal.wait_for("GitHub");
    terminal.keys("\t\r");
    terminal.wait_for("ran as written");
    terminal.keys("qq");
    terminal.wait_exit();
}

#[test]
fn a_server_given_by_url_is_as_it_was() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = Options { listen: Listen::Tcp, ..Options::default() };
    let server = runtime.block_on(server::start(&options, &mut |_| {})).unwrap();
    let mut theirs = server.endpoint().client().unwrap().get_connection().unwrap();
    fill(&mut theirs);
    let (before, config) = (world(&mut theirs), settings(&mut theirs));
    ask::<Value>(&mut theirs, &["CONFIG", "RESETSTAT"]);

    let url = server.endpoint().url();
    let home = tempfile::tempdir().unwrap();
    cachelab(&url, home.path(), &["doctor"]);
    for unit in ["week1/why", "week1/cache-api", "week2/locks"] {
        cachelab(&url, home.path(), &["read", unit, "--run"]);
        cachelab(&url, home.path(), &["lab", unit, "--short"]);
    }
    cachelab(&url, home.path(), &["dev", "check", "--part", "blocks"]);
    walk(&url, home.path().join("tui"));

    let stats: String = ask(&mut theirs, &["INFO", "commandstats"]);
    for forbidden in ["flushall", "flushdb", "config|set", "shutdown", "debug", "swapdb", "script|flush", "keys"] {
        let ours = stats.lines().find(|line| line.starts_with(&format!("cmdstat_{forbidden}:")));
        assert_eq!(ours, None, "cachelab sent {forbidden}");
    }
    assert!(stats.contains("cmdstat_set:"), "it did write: {stats}");
    let after = world(&mut theirs);
    let lost: Vec<_> = before.iter().filter(|(name, state)| after.get(*name) != Some(state)).collect();
    assert!(lost.is_empty(), "changed or gone: {lost:?}");
    let prefixed = |name: &&Vec<u8>| !name.starts_with(b"cachelab:");
    let foreign: Vec<_> = after.keys().filter(|name| !before.contains_key(*name)).filter(prefixed).collect();
    assert!(foreign.is_empty(), "new keys outside the prefix: {foreign:?}");
    assert_eq!(settings(&mut theirs), config, "its configuration");
    runtime.block_on(server.stop());
}
