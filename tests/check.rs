//! `cachelab check` on the real binary: programs that are right, programs that are wrong each in one way,
//! and programs that cannot be judged. One at a time: each uses half the machine.
//!
//! `CACHELAB_MATRIX=N` runs every check on every program of `week2/locks` and of the fixtures, N times.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn scratch() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("check");
    fs::create_dir_all(&path).unwrap();
    path
}

fn cachelab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachelab"));
    command
        .args(arguments)
        .env("CACHELAB_CACHE_DIR", scratch().join("cache"))
        .env("XDG_DATA_HOME", scratch().join("data"))
        .env("XDG_STATE_HOME", scratch().join("state"))
        .env_remove("CACHELAB_REDIS_URL")
        .stdin(Stdio::null());
    command
}

/// A program made of the fixture `sale`, with its choices as `LOCK=getset ODD=chatty`.
fn sale(choices: &str) -> PathBuf {
    let name = if choices.is_empty() { "plain".to_owned() } else { choices.replace([' ', '=', ','], "-") };
    let folder = scratch().join("programs").join(name);
    fs::create_dir_all(&folder).unwrap();
    let main = Path::new(ROOT).join("tests/fixtures/sale/main.py");
    let env: String = choices
        .split_whitespace()
        .map(|choice| choice.split_once('=').unwrap())
        .fold(String::new(), |text, (name, value)| text + &format!("SALE_{name} = {value:?}\n"));
    let text =
        format!("exercise = \"week2/locks\"\nrun = [\"python3\", {:?}]\n[env]\n{env}", main.display().to_string());
    fs::write(folder.join("cachelab.toml"), text).unwrap();
    folder
}

/// A program of the course, in a folder of its own that stays, so that what it installs is installed once.
fn course_program(kind: &str, name: &str) -> PathBuf {
    let from = Path::new(ROOT).join("labs/week2/locks").join(kind).join(name);
    let to = scratch().join("programs").join(format!("{kind}-{name}"));
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten().filter(|e| e.path().is_file()) {
        let bytes = fs::read(entry.path()).unwrap();
        let target = to.join(entry.file_name());
        if fs::read(&target).ok().as_ref() != Some(&bytes) {
            fs::write(target, bytes).unwrap();
        }
    }
    to
}

/// Exit code and the report of a check.
fn check(folder: &Path, more: &[&str]) -> (i32, Value) {
    let dir = folder.display().to_string();
    let mut arguments = vec!["check", "week2/locks", "--dir", &dir, "--format", "json", "--budget", "120"];
    arguments.extend(more);
    let output = cachelab(&arguments).output().unwrap();
    let value = serde_json::from_slice(&output.stdout);
    (output.status.code().unwrap_or(-1), value.unwrap_or_else(|e| panic!("{e}: {}", text(&output))))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn verdicts(report: &Value) -> BTreeMap<String, String> {
    let results = report["report"]["results"].as_array().unwrap_or_else(|| panic!("{report:#}"));
    let pair =
        |r: &Value| (r["check"].as_str().unwrap().to_owned(), r["verdict"]["verdict"].as_str().unwrap().to_owned());
    results.iter().map(pair).collect()
}

fn passes(folder: &Path, more: &[&str]) -> Value {
    let (code, report) = check(folder, more);
    assert_eq!(code, 0, "{}: {report:#}", folder.display());
    report
}

/// Rejected by that check, and by no other.
fn rejected(folder: &Path, by: &str, more: &[&str]) -> Value {
    let (code, report) = check(folder, more);
    let failed: Vec<_> = verdicts(&report).into_iter().filter(|(_, v)| v == "fail" || v == "broken").collect();
    assert_eq!(failed, [(by.to_owned(), "fail".to_owned())], "{}: {report:#}", folder.display());
    assert_eq!(code, 1);
    report
}

fn failure<'r>(report: &'r Value, check: &str) -> &'r Value {
    let results = report["report"]["results"].as_array().unwrap();
    &results.iter().find(|r| r["check"] == check).unwrap()["verdict"]
}

fn exercise() -> cachelab::course::Exercise {
    let course = cachelab::course::Course::embedded().unwrap();
    let unit = course.unit(&"week2/locks".parse().unwrap()).unwrap();
    unit.lab.clone().unwrap().exercise.unwrap()
}

#[test]
fn the_exercise_names_only_known_properties() {
    assert_eq!(cachelab::check::validate(&exercise(), Path::new("lab.toml"), ""), []);
}

#[test]
fn a_right_program_passes_every_check() {
    let _alone = alone();
    let report = passes(&course_program("right", "python-lua"), &[]);
    assert_eq!(verdicts(&report).len(), 8);
}

#[test]
fn a_right_program_with_one_thread_blocking_waits_and_a_flood_of_output_passes() {
    let _alone = alone();
    passes(&sale("SERVER=single"), &["--only", "owner-release", "--only", "fencing"]);
    passes(&sale("WAIT=block ODD=auth"), &["--only", "owner-release", "--only", "waiting"]);
    passes(&sale("ODD=chatty"), &["--only", "expiry"]);
}

#[test]
fn each_wrong_program_is_rejected_by_its_check() {
    let _alone = alone();
    for wrong in exercise().wrong {
        let by = wrong.check.get_ref();
        rejected(&course_program("wrong", wrong.program.get_ref()), by, &["--only", by]);
    }
}

#[test]
fn other_mistakes_are_rejected_too() {
    let _alone = alone();
    for (choices, by) in [
        ("LOCK=getset TOKEN=after", "never-oversold"),
        ("LOCK=none", "never-oversold"),
        ("ODD=read-first", "never-oversold"),
        ("RELEASE=get-del", "owner-release"),
        ("RELEASE=finally-del", "owner-release"),
        ("LOCK=contender-extends TOKEN=after", "expiry"),
        ("LOCK=seconds TOKEN=after", "expiry"),
        ("TOKEN=write-only", "fencing"),
        ("LOCK=setnx-expire TOKEN=after", "fencing"),
        ("WAIT=forever", "waiting"),
        ("WAIT=refuse", "waiting"),
    ] {
        rejected(&sale(choices), by, &["--only", by]);
    }
}

#[test]
fn a_counterexample_is_drawn_and_can_be_replayed() {
    let _alone = alone();
    let folder = sale("LOCK=getset TOKEN=after");
    let report = rejected(&folder, "never-oversold", &["--only", "never-oversold"]);
    let failed = failure(&report, "never-oversold");
    let example = &failed["counterexample"];
    assert_eq!(example["lanes"].as_array().unwrap().len(), 2, "the fewest buyers: {example:#}");
    let violating: Vec<_> = example["steps"].as_array().unwrap().iter().filter(|s| s["violates"] == true).collect();
    assert_eq!(violating.len(), 1);
    assert!(violating[0]["text"].as_str().unwrap().starts_with("PUT /stock/"), "{violating:?}");
    let id = failed["replay"].as_str().unwrap();
    let history = scratch().join("cache/replays").join(format!("{id}.jsonl"));
    let lines = fs::read_to_string(history).unwrap();
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["at_us"].is_u64()), "{lines}");
    let (code, again) = check(&folder, &["--replay", id]);
    assert_eq!(code, 1);
    assert_eq!(failure(&again, "never-oversold")["counterexample"]["headline"], "2 buyers, stock 2, replayed");
    // The mistake corrected, the same order does no harm: no verdict but the truth.
    let (code, cured) = check(&sale(""), &["--replay", id]);
    assert_eq!((code, failure(&cured, "never-oversold")["verdict"].as_str()), (2, Some("inconclusive")));
}

#[test]
fn what_cannot_be_judged_says_why_and_whose_fault_it_is() {
    let _alone = alone();
    let aborted = |folder: &Path, wanted: &str| {
        let (code, report) = check(folder, &["--only", "serves"]);
        let text = format!("{}", report["aborted"]);
        assert_eq!((code, report["aborted"]["ours"].as_bool()), (1, Some(false)), "{report:#}");
        assert!(text.contains(wanted), "{wanted:?} in {text}");
    };
    let with = |name: &str, manifest: &str| {
        let folder = scratch().join("programs").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("cachelab.toml"), manifest).unwrap();
        folder
    };
    aborted(Path::new("/no/such/folder"), "there is no folder");
    let empty = scratch().join("programs/empty");
    fs::create_dir_all(&empty).unwrap();
    aborted(&empty, "has no cachelab.toml");
    aborted(&with("no-run", "exercise = 'week2/locks'"), "missing field `run`");
    aborted(&with("typo", "run = ['true']\nsteup = []"), "cachelab.toml:2:1");
    aborted(&with("other", "run = ['true']\nexercise = 'week1/why'"), "week1/why");
    aborted(&with("absent", "run = ['no-such-program-here']"), "no-such-program-here");
    let dead = with("not-executable", "run = ['./main.py']");
    fs::write(dead.join("main.py"), "").unwrap();
    aborted(&dead, "main.py");
    aborted(
        &with("setup", "run = ['true']\nsetup = [['sh', '-c', 'echo no such package; exit 7']]"),
        "no such package",
    );
    aborted(&sale("ODD=exit"), "No module named 'sale'");
    aborted(&with("quits", "run = ['true']"), "ended before it answered");
}

#[test]
fn a_port_that_is_not_opened_is_told_after_ten_seconds() {
    let _alone = alone();
    let begun = Instant::now();
    let (code, report) = check(&sale("ODD=other-port"), &["--only", "serves"]);
    let text = report["aborted"]["text"].as_str().unwrap();
    assert!(text.contains("did not open port") && text.contains("it listens on"), "{text}");
    assert_eq!(code, 1);
    assert!(begun.elapsed() < Duration::from_secs(25));
}

#[test]
fn a_broken_program_is_broken_and_has_violated_nothing() {
    let _alone = alone();
    for (choices, wanted) in [
        ("ODD=error500", "answered 500"),
        ("ODD=bad-json", "not JSON"),
        ("ODD=crash-on-buy", "ended during this check"),
        ("ODD=hang", "no answer within"),
        ("ODD=no-redis", "never talked to REDIS_URL"),
    ] {
        let (code, report) = check(&sale(choices), &["--only", "serves"]);
        let verdict = failure(&report, "serves");
        assert_eq!((code, verdict["verdict"].as_str()), (1, Some("broken")), "{choices}: {report:#}");
        assert!(verdict["reason"].as_str().unwrap().contains(wanted), "{wanted}: {verdict:#}");
        if choices.contains("crash") {
            assert!(verdict["output"].to_string().contains("something went terribly wrong"), "{verdict:#}");
        }
    }
}

#[test]
fn the_same_seed_sells_the_same_items() {
    let _alone = alone();
    let coverage = |seed: &str| {
        let report = passes(&sale(""), &["--only", "serves", "--seed", seed]);
        (report["report"]["seed"].as_u64(), failure(&report, "serves")["coverage"].clone())
    };
    assert_eq!(coverage("7"), coverage("7"));
}

#[test]
fn usage_mistakes_are_64() {
    for arguments in [&["check", "week2/lokcs"][..], &["check", "week2/locks#fencin"], &["check", "week1/why"]] {
        let output = cachelab(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{}", text(&output));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_and_sigkill_leave_nothing_running() {
    use rustix::process::{Pid, Signal, kill_process};
    let _alone = alone();
    let processes = |mark: &str| -> usize {
        let all = fs::read_dir("/proc").unwrap().flatten();
        let line = |e: fs::DirEntry| fs::read(e.path().join("environ")).unwrap_or_default();
        all.map(line).filter(|env| env.windows(mark.len()).any(|w| w == mark.as_bytes())).count()
    };
    for (signal, delay) in [(Signal::INT, 0), (Signal::INT, 1500), (Signal::KILL, 700), (Signal::KILL, 2500)] {
        let mark = format!("SALE_MARK=left-{}-{delay}", std::process::id());
        let (name, value) = mark.split_once('=').unwrap();
        let folder = sale("").display().to_string();
        let mut child = cachelab(&["check", "week2/locks", "--dir", &folder])
            .env(name, value)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay + 300));
        kill_process(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap();
        let begun = Instant::now();
        while processes(&mark) > 0 {
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "{} left after {signal:?} at {delay} ms",
                processes(&mark)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn the_whole_matrix() {
    let Ok(times) = std::env::var("CACHELAB_MATRIX") else { return };
    let _alone = alone();
    let exercise = exercise();
    for _ in 0..times.parse::<usize>().expect("CACHELAB_MATRIX is a number") {
        for right in &exercise.right {
            passes(&course_program("right", right.program.get_ref()), &[]);
        }
        for choices in ["", "SERVER=single", "WAIT=block", "ODD=chatty", "ODD=slow-start,auth", "ODD=ipv6"] {
            passes(&sale(choices), &[]);
        }
        for wrong in &exercise.wrong {
            rejected(&course_program("wrong", wrong.program.get_ref()), wrong.check.get_ref(), &[]);
        }
    }
}
