//! The binary without a screen: what it prints, where it keeps things, how it exits.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rstest::rstest;
use serde_json::Value;

/// A learner with an empty home, standing in an empty folder.
struct Learner {
    home: tempfile::TempDir,
    folder: tempfile::TempDir,
}

impl Learner {
    fn new() -> Self {
        Learner { home: tempfile::tempdir().unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cachelab"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "CACHELAB_REDIS_URL"] {
            command.env_remove(name);
        }
        command.env("CACHELAB_HOME", self.home.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Standard output of a run that must succeed.
    fn text(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.text(args)).unwrap()
    }

    fn progress(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.home.path().join("progress.json")).unwrap()).unwrap()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn fixture() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/course").to_str().unwrap().to_owned()
}

#[test]
fn without_a_terminal_the_list_and_what_to_type() {
    let text = Learner::new().text(&[]);
    for part in ["Week 2: Backend patterns", "week2/locks", "Next (", "This is not a terminal", "cachelab read ID"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn the_list_tells_how_far_the_learner_is() {
    let learner = Learner::new();
    let course = fixture();
    let line = |text: &str, id: &str| text.lines().find(|l| l.contains(id)).unwrap_or_default().trim().to_owned();
    let before = learner.text(&["--course", &course, "list", "--plain"]);
    assert!(line(&before, "week1/first").starts_with("[new]"), "{before}");
    assert!(before.contains("Next (it is the next new one): cachelab read week1/first"), "{before}");
    learner.text(&["--course", &course, "read", "first"]);
    let after = learner.text(&["--course", &course, "list", "--plain"]);
    assert!(line(&after, "week1/first").starts_with("[done]"), "{after}");
    assert!(after.contains("cachelab read week1/second"), "{after}");
    let pending = learner.json(&["--course", &course, "list", "--pending", "--format", "json"]);
    let units = pending["weeks"][0]["units"].as_array().unwrap();
    assert_eq!(units.iter().map(|unit| unit["id"].as_str().unwrap()).collect::<Vec<_>>(), ["week1/second"]);
    assert_eq!(pending["next"]["unit"], "week1/second");
}

#[test]
fn a_lesson_as_text() {
    let course = fixture();
    let learner = Learner::new();
    insta::assert_snapshot!("lesson_80", learner.text(&["--course", &course, "read", "week1/first"]));
    insta::assert_snapshot!(
        "lesson_plain_answers",
        learner.text(&["--course", &course, "read", "first", "--plain", "--answers"])
    );
    let mut narrow = learner.command(&["--course", &course, "read", "first"]);
    let narrow = String::from_utf8(narrow.env("COLUMNS", "44").output().unwrap().stdout).unwrap();
    insta::assert_snapshot!("lesson_44", narrow);
}

#[test]
fn no_line_of_the_real_lessons_is_wider_than_the_terminal_but_code() {
    let learner = Learner::new();
    for id in ["week1/why", "week1/cache-api", "week2/locks"] {
        for width in [60_usize, 80] {
            let mut command = learner.command(&["read", id, "--answers"]);
            let output = command.env("COLUMNS", width.to_string()).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let code = |line: &str| line.starts_with("    ");
            let wide: Vec<_> = text.lines().filter(|l| !code(l) && l.chars().count() > width).collect();
            assert!(wide.is_empty(), "{id} at {width}:\n{}", wide.join("\n"));
        }
    }
}

#[test]
fn a_lesson_as_json() {
    let learner = Learner::new();
    let lesson = learner.json(&["--course", &fixture(), "read", "first", "--format", "json"]);
    assert_eq!(lesson["id"], "week1/first");
    let blocks = lesson["blocks"].as_array().unwrap();
    let redis = blocks.iter().find(|block| block["type"] == "redis").unwrap();
    assert_eq!(redis["content"]["steps"][1]["command"], "GET greeting");
    let expected = serde_json::json!({ "type": "pattern", "content": "(integer) <number>" });
    assert_eq!(redis["content"]["steps"][2]["expected"][0], expected);
}

#[rstest]
#[case::forced(&[("CLICOLOR_FORCE", "1")], &[], true)]
#[case::no_color(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[], false)]
#[case::no_color_empty(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")], &[], true)]
#[case::plain(&[("CLICOLOR_FORCE", "1")], &["--plain"], false)]
#[case::pipe(&[], &[], false)]
fn colours_only_where_they_are_wanted(#[case] env: &[(&str, &str)], #[case] args: &[&str], #[case] colours: bool) {
    let course = fixture();
    for subcommand in [&["read", "first"][..], &["list"], &["progress"]] {
        let args = [&["--course", course.as_str()], subcommand, args].concat();
        let output = Learner::new().command(&args).envs(env.iter().copied()).output().unwrap();
        assert_eq!(output.stdout.contains(&0x1b), colours, "{args:?}");
    }
}

#[rstest]
#[case(&["read", "week2/lock"], "there is no unit \"week2/lock\". Did you mean week2/locks?")]
#[case(&["read", "why?"], "Did you mean week1/why?")]
#[case(&["start", "lokcs"], "Did you mean week2/locks?")]
#[case(&["read", "xyzzy"], "there is no unit \"xyzzy\". `cachelab list` shows all.")]
#[case(&["start", "week2/locks", "--lang", "cobol"], "no starter in \"cobol\"; there is node, python")]
#[case(&["start", "week1/why"], "week1/why has no exercise to start")]
#[case(&["hint", "week2/locks#fence"], "no check \"fence\"; it has serves")]
#[case(&["hint", "week1/why"], "week1/why has no exercise")]
#[case(&["hint"], "which unit?")]
#[case(&["solution", "week2/locks"], "not passed yet")]
#[case(&["solution", "week2/locks", "--give-up", "--program", "x"], "there is no solution \"x\"; there is")]
#[case(&["--course", "/nowhere", "list"], "there is no such folder")]
#[case(&["raed"], "a similar subcommand exists: 'read'")]
#[case(&["read"], "required arguments were not provided")]
fn what_cannot_be_is_a_usage_error(#[case] args: &[&str], #[case] expected: &str) {
    let learner = Learner::new();
    let output = learner.run(args);
    assert_eq!(output.status.code(), Some(64), "{}", stderr(&output));
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    assert!(!learner.home.path().join("progress.json").exists(), "nothing was done");
}

#[test]
fn help_has_examples() {
    let learner = Learner::new();
    for subcommand in ["list", "read", "start", "hint", "solution", "progress", "completions"] {
        let text = learner.text(&[subcommand, "--help"]);
        assert!(text.contains("Examples:\n  cachelab "), "{subcommand}: {text}");
    }
    assert!(learner.text(&["--help"]).contains("Examples:\n  cachelab "));
    assert!(learner.text(&["dev", "check", "--help"]).contains("Examples:"));
}

#[test]
fn start_writes_a_starter_and_never_overwrites() {
    let learner = Learner::new();
    let text = learner.text(&["start", "week2/locks", "--lang", "py"]);
    let folder = learner.folder.path().join("week2-locks");
    for name in ["main.py", "README.md", "cachelab.toml", "requirements.txt"] {
        assert!(folder.join(name).is_file() && text.contains(&format!("wrote    week2-locks/{name}")), "{text}");
    }
    fs::write(folder.join("main.py"), "mine").unwrap();
    fs::remove_file(folder.join("README.md")).unwrap();
    let again = learner.text(&["start", "week2/locks", "--lang", "py"]);
    assert!(again.contains("kept     week2-locks/main.py (it was there; not overwritten)"), "{again}");
    assert!(again.contains("wrote    week2-locks/README.md"), "{again}");
    assert_eq!(fs::read_to_string(folder.join("main.py")).unwrap(), "mine");
    let kept = learner.progress()["units"]["week2/locks"]["exercise"]["folder"].as_str().map(PathBuf::from).unwrap();
    assert_eq!(kept.canonicalize().unwrap(), folder.canonicalize().unwrap());
    fs::write(folder.join("cachelab.toml"), "exercise = \"week1/other\"\nrun = [\"x\"]\n").unwrap();
    let output = learner.run(&["start", "week2/locks"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("week2-locks is the folder of week1/other"), "{}", stderr(&output));
}

#[test]
fn hints_come_one_at_a_time_and_say_how_many_remain() {
    let learner = Learner::new();
    learner.text(&["start", "week2/locks", "--dir", "."]);
    // In the exercise's folder the unit needs no name.
    let first = learner.text(&["hint"]);
    assert!(first.contains("Hint 1 of 3") && first.contains("2 more hints remain"), "{first}");
    let second = learner.text(&["hint", "week2/locks"]);
    assert!(second.contains("Hint 2 of 3") && !second.contains("Hint 1 of 3"), "{second}");
    let again = learner.text(&["hint", "--again"]);
    assert!(again.contains("Hint 1 of 3") && again.contains("Hint 2 of 3") && !again.contains("Hint 3"), "{again}");
    learner.text(&["hint"]);
    let last = learner.text(&["hint"]);
    assert!(last.contains("That was the last hint"), "{last}");
    assert_eq!(learner.progress()["units"]["week2/locks"]["exercise"]["hints"][""], 3);
    let check = learner.json(&["hint", "week2/locks#fencing", "--format", "json"]);
    assert_eq!((check["check"].as_str(), check["left"].as_u64()), (Some("fencing"), Some(2)));
}

#[test]
fn the_failing_check_chooses_the_hint() {
    let learner = Learner::new();
    let progress = r#"{"version":1,"units":{"week2/locks":{"exercise":{"attempts":1,"failing":"waiting"}}}}"#;
    fs::write(learner.home.path().join("progress.json"), progress).unwrap();
    let text = learner.text(&["hint", "week2/locks"]);
    assert!(text.starts_with("waiting: "), "{text}");
}

#[test]
fn the_solution_is_shown_after_passing_or_giving_up() {
    let learner = Learner::new();
    let text = learner.text(&["solution", "week2/locks", "--give-up"]);
    assert!(text.contains("== main.py") && text.contains("Other ways to do it:"), "{text}");
    assert_eq!(learner.progress()["units"]["week2/locks"]["exercise"]["gave_up"], true);
    let passed = Learner::new();
    let progress = r#"{"version":1,"units":{"week2/locks":{"exercise":{"attempts":1,"passed":1,"passing":true}}}}"#;
    fs::write(passed.home.path().join("progress.json"), progress).unwrap();
    let text = passed.text(&["solution", "locks", "--program", "node-renewing", "--dir", "ref"]);
    assert!(text.contains("wrote    ref/main.mjs"), "{text}");
    assert!(passed.folder.path().join("ref/cachelab.toml").is_file());
}

#[test]
fn progress_as_text_and_json() {
    let learner = Learner::new();
    learner.text(&["--course", &fixture(), "read", "first"]);
    let text = learner.text(&["--course", &fixture(), "progress"]);
    assert!(text.contains("Week 1: A small week, 1 of 2 units done") && text.contains("week1/first: read"), "{text}");
    let json = learner.json(&["progress", "--format", "json"]);
    assert_eq!(json, learner.progress());
}

#[test]
fn a_damaged_progress_file_is_told_and_no_obstacle() {
    let learner = Learner::new();
    fs::write(learner.home.path().join("progress.json"), "{\"vers").unwrap();
    let output = learner.run(&["list"]);
    assert!(output.status.success());
    assert!(stderr(&output).contains("was damaged"), "{}", stderr(&output));
    assert!(learner.home.path().join("progress.json.damaged-1").exists());
}

#[test]
fn a_newer_progress_file_is_not_touched() {
    let learner = Learner::new();
    let path = learner.home.path().join("progress.json");
    fs::write(&path, "{\"version\":2}").unwrap();
    let output = learner.run(&["--course", &fixture(), "read", "first"]);
    assert!(output.status.success() && !output.stdout.is_empty());
    assert!(stderr(&output).contains("newer cachelab"), "{}", stderr(&output));
    assert_eq!(learner.run(&["progress"]).status.code(), Some(3));
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"version\":2}");
}

#[test]
fn a_broken_course_is_told_with_place_and_excerpt() {
    let learner = Learner::new();
    let week = learner.folder.path().join("lessons/week1");
    fs::create_dir_all(&week).unwrap();
    fs::write(week.join("week.toml"), "title = \"W\"\nsummary = \"S\"\nunits = [\"a\"]\n").unwrap();
    fs::write(week.join("a.md"), "+++\ntitle = \"T\"\nsummary = \"S\"\nminutes = 1\n+++\n```redis x\nPING\n```\n")
        .unwrap();
    for (args, code) in [(&["--course", ".", "list"][..], 3), (&["--course", ".", "dev", "check"], 1)] {
        let output = learner.run(args);
        assert_eq!(output.status.code(), Some(code));
        let text = [stderr(&output), String::from_utf8_lossy(&output.stdout).into_owned()].concat();
        for part in
            ["lessons/week1/a.md:6:10", "6 | ```redis x", "unknown fence attribute", "help: a redis fence takes none"]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let learner = Learner::new();
    let mut command = learner.command(&["read", "week2/locks"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    assert_eq!(said, "");
}

#[test]
fn completions_know_the_subcommands() {
    let learner = Learner::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = learner.text(&["completions", shell]);
        for word in ["doctor", "solution", "give-up"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
}
