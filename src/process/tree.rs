//! A group and what has left it: signals to all of it, and whether any of it is left.
//!
//! A process group does not hold a program's whole offspring: a child may move to a group or a
//! session of its own. On Linux, processes of the same session are found through `/proc` too.

use rustix::process::{Pid, Signal};

/// SIGKILL to the group, and to what shares its session. Stopped processes die as well.
pub(super) fn kill(group: Pid) {
    for stray in strays(group) {
        let _ = rustix::process::kill_process(stray, Signal::KILL);
    }
    let _ = rustix::process::kill_process_group(group, Signal::KILL);
}

/// Whether the group has members that are not zombies.
pub(super) fn alive(group: Pid) -> bool {
    if rustix::process::test_kill_process_group(group).is_err() {
        return false;
    }
    match members(group) {
        Some(members) => members.iter().any(|member| !matches!(member.state, 'Z' | 'X')),
        None => true,
    }
}

/// Whether every living member of the group is stopped; `None` where that can't be seen.
pub(super) fn stopped(group: Pid) -> Option<bool> {
    Some(members(group)?.iter().all(|member| matches!(member.state, 'T' | 't' | 'Z' | 'X')))
}

/// Processes of the session led by the group's leader that are in other groups.
fn strays(group: Pid) -> Vec<Pid> {
    let id = group.as_raw_nonzero().get();
    processes()
        .unwrap_or_default()
        .into_iter()
        .filter(|process| process.session == id && process.group != id)
        .filter_map(|process| Pid::from_raw(process.id))
        .collect()
}

fn members(group: Pid) -> Option<Vec<Process>> {
    let id = group.as_raw_nonzero().get();
    Some(processes()?.into_iter().filter(|process| process.group == id).collect())
}

/// One line of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    id: i32,
    state: char,
    group: i32,
    session: i32,
}

#[cfg(target_os = "linux")]
fn processes() -> Option<Vec<Process>> {
    let entries = std::fs::read_dir("/proc").ok()?;
    let ids =
        entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit));
    Some(ids.filter_map(|entry| parse(&std::fs::read(entry.path().join("stat")).ok()?)).collect())
}

#[cfg(not(target_os = "linux"))]
fn processes() -> Option<Vec<Process>> {
    None
}

/// `1234 (a name) with) S 1 1234 1234 …`: the name may hold anything, so count from its last bracket.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn parse(stat: &[u8]) -> Option<Process> {
    let stat = String::from_utf8_lossy(stat);
    let (head, tail) = (stat.get(..stat.find(' ')?)?, stat.get(stat.rfind(')')? + 1..)?);
    let mut fields = tail.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let _parent = fields.next()?;
    Some(Process {
        id: head.parse().ok()?,
        state,
        group: fields.next()?.parse().ok()?,
        session: fields.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let process = parse(b"42 (a) R 1 (x) T 7 40 39 0 -1 4194304").unwrap();
        assert_eq!(process, Process { id: 42, state: 'T', group: 40, session: 39 });
        assert_eq!(parse(b"42 (a"), None);
    }
}
