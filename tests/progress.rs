//! The progress file: nothing that happens to it, or to the process that writes it, loses what was done.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use cachelab::{
    course::{Course, UnitId},
    progress::{Change, CheckOutcome, Progress, ProgressError, State, Store, Timestamp, next, state},
};

fn locks() -> UnitId {
    "week2/locks".parse().unwrap()
}

/// A store with some of everything in it, and what it holds.
fn filled(folder: &Path) -> (Store, Progress) {
    let store = Store::at(folder);
    let outcomes = vec![("serves".to_owned(), CheckOutcome::Pass), ("fencing".to_owned(), CheckOutcome::Fail)];
    let changes = [
        Change::Here { block: 7 },
        Change::Read,
        Change::BlockRun { block: 0, matched: true },
        Change::QuizAnswered { quiz: "renewal".to_owned(), correct: false },
        Change::QuizAnswered { quiz: "renewal".to_owned(), correct: true },
        Change::Predicted { id: "late".to_owned(), value: 12.5 },
        Change::LabRun,
        Change::Folder { path: "/tmp/ö \"quoted\"".into() },
        Change::Checked { outcomes, passed: false },
        Change::HintShown { check: "fencing".to_owned(), level: 2 },
    ];
    let mut progress = Progress::default();
    for change in &changes {
        progress = store.record(&locks(), change).unwrap();
    }
    (store, progress)
}

#[test]
fn what_was_done_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (store, progress) = filled(folder.path());
    let loaded = store.load().unwrap();
    assert_eq!((&loaded.progress, loaded.notice), (&progress, None));
    let done = progress.unit(&locks());
    assert!(done.read.is_some() && done.blocks[&0].matched && done.block == 7);
    let quiz = &done.quizzes["renewal"];
    assert_eq!((quiz.correct, quiz.first_try, quiz.attempts), (true, false, 2));
    assert_eq!(done.exercise.failing.as_deref(), Some("fencing"));
    assert_eq!(done.exercise.hints["fencing"], 2);
    assert_eq!(progress.here.as_ref().map(|place| place.block), Some(7));
    assert_eq!(progress.unit(&"week1/why".parse().unwrap()), &cachelab::progress::UnitProgress::default());
}

#[test]
fn what_is_next_follows_what_was_done() {
    let course = Course::embedded().unwrap();
    let mut progress = Progress::default();
    let next = |progress: &Progress| next(&course, progress).map(|n| format!("{:?} {} {}", n.step, n.unit, n.why));
    let why: UnitId = "week1/why".parse().unwrap();
    assert_eq!(next(&progress).unwrap(), "Read week1/why it is the next new one");
    progress.apply(&why, &Change::Read, Timestamp(1));
    assert_eq!(next(&progress).unwrap(), "Lab week1/why you were here");
    progress.apply(&why, &Change::LabRun, Timestamp(2));
    assert_eq!(next(&progress).unwrap(), "Read week1/cache-api it is the next new one");
    progress.apply(&locks(), &Change::BlockRun { block: 0, matched: true }, Timestamp(3));
    assert_eq!(next(&progress).unwrap(), "Read week2/locks you began it");
    for change in [Change::Read, Change::LabRun, Change::Checked { outcomes: Vec::new(), passed: true }] {
        progress.apply(&locks(), &change, Timestamp(4));
    }
    assert_eq!(state(course.unit(&locks()).unwrap(), progress.unit(&locks())), State::Done);
    let failed = vec![("serves".to_owned(), CheckOutcome::Fail)];
    progress.apply(&locks(), &Change::Checked { outcomes: failed, passed: false }, Timestamp(5));
    progress.here = None;
    assert_eq!(next(&progress).unwrap(), "Exercise week2/locks it passed once and no longer does");
    progress.apply(&locks(), &Change::Checked { outcomes: Vec::new(), passed: true }, Timestamp(6));
    for unit in course.units() {
        progress.apply(&unit.id, &Change::Read, Timestamp(7));
        progress.apply(&unit.id, &Change::LabRun, Timestamp(7));
    }
    assert_eq!(next(&progress), None);
}

#[test]
fn a_pass_is_kept_and_a_later_failure_said() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let check = |outcome, passed| Change::Checked { outcomes: vec![("serves".to_owned(), outcome)], passed };
    let done = store.record(&locks(), &check(CheckOutcome::Pass, true)).unwrap();
    assert!(done.unit(&locks()).exercise.passing);
    let done = store.record(&locks(), &check(CheckOutcome::Inconclusive, false)).unwrap();
    assert!(done.unit(&locks()).exercise.passing, "could not be told is no failure");
    let done = store.record(&locks(), &check(CheckOutcome::Fail, false)).unwrap();
    let exercise = &done.unit(&locks()).exercise;
    assert!(exercise.passed.is_some() && !exercise.passing);
    assert_eq!((exercise.attempts, exercise.failing.as_deref()), (3, Some("serves")));
}

#[test]
fn a_file_cut_at_any_byte_is_recovered_from_its_backup() {
    let folder = tempfile::tempdir().unwrap();
    // Every recovery is synced to disk: a small file keeps the test short.
    let store = Store::at(folder.path());
    store.record(&locks(), &Change::Read).unwrap();
    store.record(&locks(), &Change::LabRun).unwrap();
    let whole = fs::read(store.path()).unwrap();
    let backup = fs::read(folder.path().join("progress.json.bak")).unwrap();
    let expected: Progress = serde_json::from_slice(&backup).unwrap();
    // The last byte is the line break: without it the file is still whole.
    for length in 0..whole.len() - 1 {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        fs::write(store.path(), &whole[..length]).unwrap();
        fs::write(folder.path().join("progress.json.bak"), &backup).unwrap();
        let loaded = store.load().unwrap();
        assert_eq!(loaded.progress, expected, "cut at {length}");
        let notice = loaded.notice.unwrap();
        assert!(notice.contains("progress.json.damaged-1") && notice.contains("backup"), "{notice}");
        assert_eq!(fs::read(folder.path().join("progress.json.damaged-1")).unwrap(), &whole[..length]);
        // It is mended: the next one to look is told nothing.
        let again = store.load().unwrap();
        assert_eq!((again.progress, again.notice), (expected.clone(), None));
    }
}

#[test]
fn bytes_that_are_no_progress_are_kept_aside() {
    for garbage in [&b"\0\0\0\0"[..], b"{}", b"[1,2]", b"{\"version\":1,\"units\":{\"locks\":{}}}", b"\xff\xfe"] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        for round in 1..=2 {
            fs::write(store.path(), garbage).unwrap();
            fs::remove_file(folder.path().join("progress.json.bak")).ok();
            let loaded = store.load().unwrap();
            assert_eq!(loaded.progress, Progress::default());
            assert!(loaded.notice.unwrap().contains("starts anew"));
            let aside = folder.path().join(format!("progress.json.damaged-{round}"));
            assert_eq!(fs::read(aside).unwrap(), garbage);
        }
    }
}

#[test]
fn a_file_that_vanished_comes_back_from_its_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = filled(folder.path());
    fs::remove_file(store.path()).unwrap();
    let loaded = store.load().unwrap();
    assert!(loaded.progress.unit(&locks()).read.is_some());
    assert!(loaded.notice.unwrap().contains("was missing"));
}

#[test]
fn a_newer_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let text = "{\"version\": 99, \"something\": \"else\"}";
    fs::write(store.path(), text).unwrap();
    assert!(matches!(store.load(), Err(ProgressError::Newer { found: 99, .. })));
    let error = store.record(&locks(), &Change::Read).unwrap_err();
    assert!(error.to_string().contains("newer cachelab"), "{error}");
    assert_eq!(fs::read_to_string(store.path()).unwrap(), text);
}

#[test]
fn looking_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("not-there");
    assert_eq!(Store::at(&inside).load().unwrap().progress, Progress::default());
    assert!(!inside.exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::at(file.join("below")).record(&locks(), &Change::Read).unwrap_err();
    assert!(error.to_string().contains("below"), "{error}");
}

/// The body of the writer processes below; without its variable it does nothing.
#[test]
fn writer() {
    let Ok(job) = std::env::var("CACHELAB_TEST_WRITER") else { return };
    let (folder, count) = job.split_once('|').unwrap();
    let store = Store::at(folder);
    let mut out = std::io::stdout();
    for _ in 0..count.parse::<u32>().unwrap() {
        let runs = store.record(&locks(), &Change::LabRun).unwrap().unit(&locks()).lab.runs;
        writeln!(out, "runs={runs}").unwrap();
        out.flush().unwrap();
    }
}

fn start_writer(folder: &Path, count: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture"])
        .env("CACHELAB_TEST_WRITER", format!("{}|{count}", folder.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_writer_killed_at_any_moment_loses_at_most_its_last_action() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let mut done = 0;
    for round in 0..40_u64 {
        let mut child = start_writer(folder.path(), 1_000_000);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.find(|line| line.as_ref().unwrap().starts_with("runs=")).unwrap().unwrap();
        // Spread over the length of a few writes.
        std::thread::sleep(Duration::from_micros(round * 311 % 9_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let said = |line: &str| line.strip_prefix("runs=").unwrap().parse::<u32>().unwrap();
        let rest: Vec<_> = lines.map_while(Result::ok).filter(|line| line.starts_with("runs=")).collect();
        let acknowledged = said(rest.last().unwrap_or(&first));
        let loaded = store.load().unwrap();
        let runs = loaded.progress.unit(&locks()).lab.runs;
        assert_eq!(loaded.notice, None, "round {round}");
        assert!(runs == acknowledged || runs == acknowledged + 1, "round {round}: {acknowledged} said, {runs} kept");
        assert!(runs > done, "round {round}");
        done = runs;
    }
    store.record(&locks(), &Change::Read).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["progress.json", "progress.json.bak", "progress.lock"], "what killed writers left is removed");
}

#[test]
fn two_cachelabs_at_once_merge() {
    let folder = tempfile::tempdir().unwrap();
    let mut writers: Vec<_> = (0..3).map(|_| start_writer(folder.path(), 30)).collect();
    for writer in &mut writers {
        // The pipe holds all they say.
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(Store::at(folder.path()).load().unwrap().progress.unit(&locks()).lab.runs, 90);
}
