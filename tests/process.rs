//! Child groups on real processes: what they print, how they stop, and that nothing outlives us.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use cachelab::process::{self, Folder, Group, ProcessError, Spawn};

fn sh(script: &str) -> Spawn {
    Spawn::new("sh", "/").args(["-c", script])
}

/// Whether a process exists and is not a zombie.
fn lives(id: &str) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", id]).output().unwrap();
    let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < end, "not within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a group has printed `count` lines, and returns them.
async fn lines(group: &Group, count: usize) -> Vec<String> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let tail = group.tail(count);
        if tail.len() >= count {
            return tail;
        }
        assert!(Instant::now() < end, "printed only {tail:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn output_and_status_arrive() {
    let mut group = Group::spawn(&sh("printf 'a\\033[31mb\\n'; echo err >&2; printf rest; exit 3")).await.unwrap();
    let mut received = group.take_lines();
    assert_eq!(group.wait().await.code(), Some(3));
    let mut texts = Vec::new();
    while let Some(line) = received.recv().await {
        texts.push(line.text);
    }
    texts.sort();
    assert_eq!(texts, ["a^[[31mb", "err", "rest"]);
    assert_eq!(group.tail(10).len(), 3);
    assert_eq!(group.try_wait().unwrap().code(), Some(3));
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let error = Group::spawn(&Spawn::new("no-such-program-here", "/")).await.unwrap_err();
    assert!(matches!(&error, ProcessError::NotFound { program } if program == "no-such-program-here"), "{error:?}");
    let error = Group::spawn(&Spawn::new("/etc/passwd", "/")).await.unwrap_err();
    assert!(matches!(error, ProcessError::Exec { .. }), "{error:?}");
    let error = Group::spawn(&Spawn::new("sh", "/no/such/folder")).await.unwrap_err();
    assert!(matches!(error, ProcessError::NoFolder { .. }), "{error:?}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script"), "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(folder.path().join("script"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let error = Group::spawn(&Spawn::new("./script", folder.path())).await.unwrap_err();
    assert!(error.to_string().contains("needs an interpreter"), "{error:?}");
}

#[tokio::test]
async fn it_runs_where_and_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("run.sh"), "#!/bin/sh\npwd\necho $GREETING\ncat\n").unwrap();
    std::fs::set_permissions(folder.path().join("run.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let mut group = Group::spawn(&Spawn::new("./run.sh", folder.path()).env("GREETING", "hello you")).await.unwrap();
    assert!(group.wait().await.success());
    let here = folder.path().canonicalize().unwrap();
    assert_eq!(group.tail(5), [here.display().to_string(), "hello you".into()]);
}

#[tokio::test]
async fn a_paused_group_stands_still_with_its_children() {
    let count = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.002; done";
    let group = Group::spawn(&sh(&format!("({count}) & {count}"))).await.unwrap();
    lines(&group, 20).await;
    for _ in 0..5 {
        group.pause().await.unwrap();
        // What was written before it stopped may still be on its way through the pipe.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let before = group.handle().line_count();
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(group.handle().line_count(), before);
        group.handle().resume_confirmed().await.unwrap();
        let end = Instant::now() + Duration::from_secs(5);
        while group.handle().line_count() <= before {
            assert!(Instant::now() < end, "it did not go on");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    group.pause().await.unwrap();
    let id = group.id().to_string();
    drop(group);
    wait_for("a stopped group dies", || !lives(&id));
}

#[tokio::test]
async fn pausing_what_has_ended_is_an_error() {
    let mut group = Group::spawn(&sh("exit 0")).await.unwrap();
    group.wait().await;
    assert!(matches!(group.pause().await, Err(ProcessError::Ended { .. })));
    group.kill();
    group.resume();
}

#[tokio::test]
async fn a_kill_reaches_children_of_children() {
    // In its group, in a group of its own, in a session of its own.
    let own =
        |call: &str| format!("python3 -c 'import os, time; {call}; print(os.getpid(), flush=True); time.sleep(300)'");
    let script =
        format!("sh -c 'sleep 300 & echo $!; wait' & {} & {} & wait", own("os.setpgid(0, 0)"), own("os.setsid()"));
    let mut group = Group::spawn(&sh(&script)).await.unwrap();
    let children = lines(&group, 3).await;
    assert!(children.iter().all(|child| lives(child)), "{children:?}");
    group.kill();
    group.wait().await;
    for child in children {
        wait_for("a child of a child dies", || !lives(&child));
    }
}

#[tokio::test]
async fn children_do_not_outlive_their_leader() {
    let mut group = Group::spawn(&sh("sleep 300 & echo $!")).await.unwrap();
    let child = lines(&group, 1).await.remove(0);
    let begun = Instant::now();
    assert!(group.wait().await.success());
    assert!(begun.elapsed() < Duration::from_secs(5), "the child held the output open");
    wait_for("the child dies", || !lives(&child));
}

#[tokio::test]
async fn terminate_is_polite_first() {
    let mut group =
        Group::spawn(&sh("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done")).await.unwrap();
    lines(&group, 1).await;
    assert_eq!(group.terminate(Duration::from_secs(5)).await.code(), Some(7));
    assert_eq!(group.tail(1), ["bye"]);

    let mut group = Group::spawn(&sh("trap '' TERM; echo up; while :; do sleep 0.01; done")).await.unwrap();
    lines(&group, 1).await;
    let begun = Instant::now();
    let status = group.terminate(Duration::from_millis(200)).await;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_flood_is_bounded_and_does_not_block() {
    let mut group = Group::spawn(&Spawn::new("yes", "/").args(["flood"])).await.unwrap();
    let mut received = group.take_lines();
    let end = Instant::now() + Duration::from_secs(20);
    while group.handle().line_count() < 200_000 {
        assert!(Instant::now() < end, "the flood was held up at {}", group.handle().line_count());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    group.kill();
    group.wait().await;
    assert_eq!(group.tail(usize::MAX).len(), 500);
    let mut count = 0;
    while received.try_recv().is_ok() {
        count += 1;
    }
    assert!(count <= 1024, "{count}");
}

#[tokio::test]
async fn giving_up_a_spawn_leaves_nothing() {
    let marker = format!("3{:09}", rand::random::<u32>());
    for _ in 0..20 {
        let spawn = Spawn::new("sleep", "/").args([marker.clone()]);
        let _ = tokio::time::timeout(Duration::from_micros(500), Group::spawn(&spawn)).await.map(drop);
    }
    wait_for("given up children die", || {
        let all = Command::new("ps").args(["-eo", "args="]).output().unwrap();
        !String::from_utf8_lossy(&all.stdout).lines().any(|line| line.starts_with(&format!("sleep {marker}")))
    });
}

#[tokio::test]
async fn a_killed_guardian_is_replaced() {
    process::guardian_alive().unwrap();
    let first = process::guardian_id().unwrap();
    for signal in ["-TERM", "-INT", "-HUP"] {
        Command::new("kill").args([signal, &first.to_string()]).status().unwrap();
    }
    std::thread::sleep(Duration::from_millis(50));
    assert!(lives(&first.to_string()), "a polite signal must not end the guardian");
    Command::new("kill").args(["-KILL", &first.to_string()]).status().unwrap();
    wait_for("the guardian dies", || !lives(&first.to_string()));
    let folder = Folder::create().unwrap();
    let mut group = Group::spawn(&sh("echo fine")).await.unwrap();
    assert!(group.wait().await.success());
    assert_ne!(process::guardian_id(), Some(first));
    drop(folder);
}

#[test]
fn a_folder_is_ours_alone_and_goes() {
    let folder = Folder::create().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&folder.path().metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
    std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
    let path = folder.path().to_owned();
    drop(folder);
    assert!(!path.exists());
}

/// Not a test: a process that holds groups and a folder, for the tests below to kill.
#[test]
#[ignore = "run by other tests"]
fn holder() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = Folder::create().unwrap();
        std::fs::write(folder.path().join("file"), "x").unwrap();
        let running = Group::spawn(&sh("sleep 300 & echo $!; echo $$; wait")).await.unwrap();
        let stopped = Group::spawn(&sh("sleep 300 & echo $!; echo $$; wait")).await.unwrap();
        let mut told = [lines(&running, 2).await, lines(&stopped, 2).await].concat();
        stopped.pause().await.unwrap();
        told.push(process::guardian_id().unwrap().to_string());
        println!("\nholding {} {}", folder.path().display(), told.join(" "));
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
}

struct Holder {
    child: std::process::Child,
    folder: String,
    children: Vec<String>,
    guardian: String,
}

fn hold() -> Holder {
    use std::{io::BufRead, os::unix::process::CommandExt};
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "holder", "--nocapture"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut told = std::io::BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = told.find(|line| line.starts_with("holding ")).expect("it holds");
    let mut words = told.split(' ').skip(1).map(str::to_owned);
    let folder = words.next().unwrap();
    let mut children: Vec<String> = words.collect();
    let guardian = children.pop().unwrap();
    assert!(Path::new(&folder).is_dir());
    assert!(children.len() == 4 && children.iter().all(|id| lives(id)), "{children:?}");
    Holder { child, folder, children, guardian }
}

fn send(signal: &str, whom: &str) {
    assert!(Command::new("kill").args([signal, "--", whom]).status().unwrap().success());
}

impl Holder {
    fn gone(&mut self) {
        self.child.wait().unwrap();
        for id in &self.children {
            wait_for("every child dies", || !lives(id));
        }
        wait_for("the guardian ends", || !lives(&self.guardian));
        assert!(!Path::new(&self.folder).exists(), "the folder is left");
    }
}

#[test]
fn nothing_outlives_a_sigkill() {
    let mut holder = hold();
    send("-KILL", &holder.child.id().to_string());
    holder.gone();
}

#[test]
fn nothing_outlives_a_ctrl_c_or_a_closed_terminal() {
    for signal in ["-INT", "-HUP", "-TERM"] {
        let mut holder = hold();
        // To the whole foreground group, as a terminal does.
        send(signal, &format!("-{}", holder.child.id()));
        holder.gone();
    }
}

#[test]
fn nothing_outlives_a_polite_signal_to_guardian_and_us() {
    let mut holder = hold();
    send("-TERM", &holder.guardian);
    send("-TERM", &holder.child.id().to_string());
    holder.gone();
}

#[test]
#[cfg(target_os = "linux")]
fn leaders_die_even_when_the_guardian_is_killed_with_us() {
    let mut holder = hold();
    send("-KILL", &holder.guardian);
    send("-KILL", &holder.child.id().to_string());
    holder.child.wait().unwrap();
    // Every second one is a leader.
    for leader in holder.children.iter().skip(1).step_by(2) {
        wait_for("every leader dies", || !lives(leader));
    }
    // What nobody could clean up is ours to clean.
    for child in &holder.children {
        let _ = Command::new("kill").args(["-KILL", child]).stderr(Stdio::null()).status();
    }
    std::fs::remove_dir_all(&holder.folder).unwrap();
}
