//! `cachelab dev check` and `cachelab read --run` against a live server: what is right passes, what is
//! wrong is told with its line.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    process::{Command, Output, Stdio},
};

fn cachelab(home: &tempfile::TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cachelab"))
        .args(args)
        .stdin(Stdio::null())
        .env("CACHELAB_HOME", home.path())
        .env_remove("CACHELAB_REDIS_URL")
        .output()
        .unwrap()
}

/// A course of one lesson with that text after its front matter of five lines.
fn course_of(body: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let week = folder.path().join("lessons/week1");
    fs::create_dir_all(&week).unwrap();
    fs::write(week.join("week.toml"), "title = \"W\"\nsummary = \"S\"\nunits = [\"a\"]\n").unwrap();
    fs::write(week.join("a.md"), format!("+++\ntitle = \"T\"\nsummary = \"S\"\nminutes = 5\n+++\n{body}")).unwrap();
    folder
}

fn check_blocks(body: &str) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    let course = course_of(body);
    let output = cachelab(&home, &["--course", course.path().to_str().unwrap(), "dev", "check", "--part", "blocks"]);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_block_of_the_embedded_course_answers_as_its_lesson_says() {
    let home = tempfile::tempdir().unwrap();
    let output = cachelab(&home, &["dev", "check", "--part", "blocks"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("ok      blocks: week2/locks"), "{text}");
}

#[test]
fn a_reply_that_is_another_is_told_with_line_and_both() {
    let (code, text) = check_blocks("```redis\n#! setup: DEL k\nINCR k\n#> (integer) 1\nINCR k\n#> (integer) 3\n```\n");
    assert_eq!(code, Some(1), "{text}");
    let expected = "error   block: lessons/week1/a.md:10\n        INCR k\n        expected\n          (integer) 3\n        \
                    came\n          (integer) 2\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_block_that_cannot_be_run_again_is_told() {
    let (code, text) = check_blocks("```redis\nINCR k\n#> (integer) 1\n```\n");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("lessons/week1/a.md:7, run a second time") && !text.contains("a.md:7\n"), "{text}");
}

#[test]
fn every_lesson_begins_on_an_empty_server() {
    let body = "```redis\n#! setup: DEL k\nDBSIZE\n#> (integer) 0\nSET k v\n#> OK\n```\n";
    let home = tempfile::tempdir().unwrap();
    let course = course_of(body);
    let week = course.path().join("lessons/week1");
    fs::copy(week.join("a.md"), week.join("b.md")).unwrap();
    fs::write(week.join("week.toml"), "title = \"W\"\nsummary = \"S\"\nunits = [\"a\", \"b\"]\n").unwrap();
    let args = ["--course", course.path().to_str().unwrap(), "dev", "check", "--part", "blocks", "--format", "json"];
    let output = cachelab(&home, &args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["ok"], 2);
}

#[test]
fn a_server_that_is_not_there_is_no_verdict_on_the_course() {
    let home = tempfile::tempdir().unwrap();
    let output = cachelab(&home, &["--redis", "redis://127.0.0.1:1", "dev", "check", "--part", "blocks"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(!output.stderr.is_empty());
}

#[test]
fn a_lesson_is_read_with_what_really_comes() {
    let home = tempfile::tempdir().unwrap();
    let course = course_of("```redis\n#! setup: DEL k\nINCR k\n#> (integer) 1\nTIME\n#> 1) x\n```\n");
    let output = cachelab(&home, &["--course", course.path().to_str().unwrap(), "read", "a", "--run"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("    redis> INCR k\n    (integer) 1\n    redis> TIME\n    1) \""), "{text}");
    assert!(text.contains("    not what the lesson says: 1) x\n"), "{text}");
    let progress = fs::read_to_string(home.path().join("progress.json")).unwrap();
    let progress: serde_json::Value = serde_json::from_str(&progress).unwrap();
    assert_eq!(progress["units"]["week1/a"]["blocks"]["0"]["matched"], false);
}
