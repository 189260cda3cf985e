//! A group and what has left it: signals to all of it, and whether any of it is left.
//!
//! A process group does not hold a program's whole offspring: a child may move to a group or a
//! session of its own. On Linux, `/proc` tells of descendants and of members of the same session too.

use std::collections::HashSet;

use rustix::process::{Pid, Signal};

/// How often a kill looks again for offspring that was just being made.
const ROUNDS: usize = 5;

/// SIGKILL to the group, to what shares its session, and to all their descendants. Stopped
/// processes die as well.
pub(super) fn kill(group: Pid) {
    for _ in 0..ROUNDS {
        // Looked for first: a descendant whose parent is dead can't be told from a stranger.
        let strays = strays(group);
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
        for stray in &strays {
            let _ = rustix::process::kill_process(*stray, Signal::KILL);
        }
        if strays.is_empty() {
            return;
        }
    }
}

/// Whether the group has members that are not zombies.
pub(super) fn alive(group: Pid) -> bool {
    if rustix::process::test_kill_process_group(group).is_err() {
        return false;
    }
    match members(group) {
        Some(members) => members.iter().any(|member| !member.dead()),
        None => true,
    }
}

/// Whether every living member of the group stands still; `None` where that can't be seen.
///
/// A member that waits for the child it just made by `vfork` (a shell, Python) can't be stopped
/// itself, but stands still as long as that child does.
pub(super) fn stopped(group: Pid) -> Option<bool> {
    let members = members(group)?;
    let held = |waiting: &Process| members.iter().any(|child| child.parent == waiting.id && child.halted());
    Some(members.iter().all(|member| member.dead() || member.halted() || member.state == 'D' && held(member)))
}

/// Whether no member of the group is stopped; `None` where that can't be seen.
pub(super) fn running(group: Pid) -> Option<bool> {
    Some(!members(group)?.iter().any(Process::halted))
}

/// Living processes outside the group that descend from it or share its session.
fn strays(group: Pid) -> Vec<Pid> {
    let id = group.as_raw_nonzero().get();
    let all = processes().unwrap_or_default();
    let mut kin: HashSet<i32> = HashSet::from([id]);
    loop {
        let before = kin.len();
        let related =
            |process: &&Process| process.session == id || process.group == id || kin.contains(&process.parent);
        let found: Vec<i32> = all.iter().filter(related).map(|process| process.id).collect();
        kin.extend(found);
        if kin.len() == before {
            break;
        }
    }
    all.into_iter()
        .filter(|process| kin.contains(&process.id) && process.group != id && !process.dead())
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
    parent: i32,
    group: i32,
    session: i32,
}

impl Process {
    fn dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    fn halted(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }
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
    let mut number = || fields.next()?.parse().ok();
    Some(Process { id: head.parse().ok()?, state, parent: number()?, group: number()?, session: number()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let process = parse(b"42 (a) R 1 (x) T 7 40 39 0 -1 4194304").unwrap();
        assert_eq!(process, Process { id: 42, state: 'T', parent: 7, group: 40, session: 39 });
        assert_eq!(parse(b"42 (a"), None);
    }
}
