//! Parity with redis-cli: the corpus through both, on the same server, byte for byte.
//!
//! A marker after each line tells whose output differs. Where redis-cli is not installed the tests
//! say that they are skipped.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use cachelab::server::{self, Listen, Server};

const CORPUS: &str = include_str!("corpus.txt");
/// redis-cli prints errors and infinities as something that is not JSON (see docs/console.md).
const NOT_JSON: [&str; 2] = ["error:\"", "inf"];

fn redis_cli() -> Option<String> {
    let output = Command::new("redis-cli").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Corpus lines with a marker after each, and a fresh start before all.
fn input() -> (Vec<String>, String) {
    let lines: Vec<String> = CORPUS.lines().filter(|line| !line.starts_with("# ")).map(str::to_owned).collect();
    let mut text = String::from("FLUSHALL\nSCRIPT FLUSH\nFUNCTION FLUSH\n");
    for (number, line) in lines.iter().enumerate() {
        text.extend([line, "\nECHO <<", &number.to_string(), ">>\n"]);
    }
    (lines, text)
}

fn run(program: &Path, arguments: &[&str], input: &str) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments).env_remove("CACHELAB_REDIS_URL").env_remove("REDISCLI_AUTH");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output.stdout
}

/// Output cut at the markers.
fn segments(output: &[u8]) -> Vec<Vec<u8>> {
    let mut segments = vec![Vec::new()];
    for line in output.split_inclusive(|byte| *byte == b'\n') {
        let last = segments.last_mut().unwrap();
        if line.windows(2).any(|pair| pair == b"<<") && line.windows(2).any(|pair| pair == b">>") {
            segments.push(Vec::new());
        } else {
            last.extend_from_slice(line);
        }
    }
    segments
}

async fn compare(modes: &[&str]) {
    let Some(version) = redis_cli() else {
        eprintln!("skipped: no redis-cli on PATH");
        return;
    };
    let options = server::Options { listen: Listen::Unix, ..server::Options::default() };
    let server: Server = server::start(&options, &mut |_| {}).await.expect("a server");
    let server::Address::Unix(socket) = &server.endpoint().address else { panic!("not a unix socket") };
    let socket = socket.to_str().unwrap().to_owned();
    let url = server.endpoint().url();
    let (lines, text) = input();
    let password = server.endpoint().password.clone();
    let mut theirs_arguments = vec!["-s", &socket];
    if let Some(password) = &password {
        theirs_arguments.extend(["--no-auth-warning", "-a", password]);
    }
    theirs_arguments.extend(modes);
    let mut our_arguments = vec!["console", "--redis", &url];
    our_arguments.extend(modes);
    let theirs = segments(&run(Path::new("redis-cli"), &theirs_arguments, &text));
    let ours = segments(&run(Path::new(env!("CARGO_BIN_EXE_cachelab")), &our_arguments, &text));
    server.stop().await;
    let json = modes.iter().any(|mode| mode.contains("json"));
    let mut differing = Vec::new();
    let mut allowed = 0;
    for (number, (their, our)) in theirs.iter().zip(&ours).enumerate() {
        let (their, our) = (String::from_utf8_lossy(their), String::from_utf8_lossy(our));
        if their == our {
            continue;
        }
        if json && NOT_JSON.iter().any(|mark| their.contains(mark)) {
            allowed += 1;
            continue;
        }
        let line = lines.get(number).map_or("(end)", String::as_str);
        differing.push(format!("{line}\n  redis-cli: {their:?}\n  cachelab:  {our:?}"));
    }
    eprintln!(
        "{modes:?} against {version}: {} lines, {} equal, {allowed} deviations on purpose",
        lines.len(),
        theirs.len() - differing.len() - allowed
    );
    assert_eq!(theirs.len(), ours.len(), "one of the two ended early");
    assert!(differing.is_empty(), "{} lines differ:\n{}", differing.len(), differing.join("\n"));
}

#[tokio::test]
async fn terminal_format() {
    compare(&["--no-raw"]).await;
}

#[tokio::test]
async fn terminal_format_of_resp3() {
    compare(&["--no-raw", "-3"]).await;
}

#[tokio::test]
async fn raw() {
    compare(&["--raw"]).await;
}

#[tokio::test]
async fn raw_resp3() {
    compare(&["-3"]).await;
}

#[tokio::test]
async fn csv() {
    compare(&["--csv"]).await;
}

#[tokio::test]
async fn json() {
    compare(&["--json"]).await;
}

#[tokio::test]
async fn quoted_json() {
    compare(&["--quoted-json"]).await;
}

#[tokio::test]
async fn csv_resp3() {
    compare(&["--csv", "-3"]).await;
}
