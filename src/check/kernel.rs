//! What the kernel knows about a program: who listens on a port, whether all its threads sleep.
//!
//! Linux only; elsewhere every question is answered with "unknown" and the engine waits instead.

use std::{collections::HashSet, fs, path::Path};

/// Processes of a process group, or that descend from its leader (a wrapper may start a session of its own).
pub fn members(group: u32) -> Vec<u32> {
    let mut rows = Vec::new();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    for pid in entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok()) {
        if let Some((_, parent, of_group)) = stat(Path::new(&format!("/proc/{pid}/stat"))) {
            rows.push((pid, parent, of_group));
        }
    }
    let mut found: HashSet<u32> = rows.iter().filter(|r| r.2 == group || r.0 == group).map(|r| r.0).collect();
    while let Some(more) = rows.iter().find(|r| found.contains(&r.1) && !found.contains(&r.0)) {
        found.insert(more.0);
    }
    found.into_iter().collect()
}

/// True when every thread of these processes sleeps or is stopped; `None` where that cannot be known.
pub fn all_asleep(processes: &[u32]) -> Option<bool> {
    if !cfg!(target_os = "linux") || processes.is_empty() {
        return None;
    }
    for pid in processes {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            match stat(&thread.path().join("stat")) {
                Some((b'S' | b'T' | b't' | b'Z' | b'X' | b'I', ..)) | None => {}
                Some(_) => return Some(false),
            }
        }
    }
    Some(true)
}

/// State, parent and process group from a `stat` file.
fn stat(path: &Path) -> Option<(u8, u32, u32)> {
    let text = fs::read_to_string(path).ok()?;
    // The name may hold spaces and parentheses: what counts comes after the last one.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = *fields.next()?.as_bytes().first()?;
    Some((state, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Whose a listening port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// A process of the group.
    Ours,
    /// Somebody else's.
    Foreign,
    /// Cannot be known here.
    Unknown,
}

/// Whether the socket that listens on `port` belongs to the process group.
pub fn listener(port: u16, group: u32) -> Listener {
    let mut sockets = listening();
    sockets.retain(|socket| socket.0 == port);
    if sockets.is_empty() {
        return Listener::Unknown;
    }
    let own = sockets_of(group);
    if sockets.iter().any(|(_, inode)| own.contains(inode)) { Listener::Ours } else { Listener::Foreign }
}

/// The ports on which the group listens.
pub fn listening_ports(group: u32) -> Vec<u16> {
    let own = sockets_of(group);
    let mut ports: Vec<u16> = listening().into_iter().filter(|(_, inode)| own.contains(inode)).map(|s| s.0).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Inodes of all sockets that the group has open.
fn sockets_of(group: u32) -> HashSet<String> {
    let mut inodes = HashSet::new();
    for pid in members(group) {
        let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
        for file in files.flatten() {
            let target = fs::read_link(file.path()).unwrap_or_default();
            let inode = target.to_str().and_then(|t| t.strip_prefix("socket:[")?.strip_suffix(']'));
            inodes.extend(inode.map(str::to_owned));
        }
    }
    inodes
}

/// Port and inode of every listening TCP socket.
fn listening() -> Vec<(u16, String)> {
    const LISTEN: &str = "0A";
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
        (*fields.get(3)? == LISTEN).then(|| Some((port, (*fields.get(9)?).to_owned())))?
    };
    let files = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    files.iter().flat_map(|text| text.lines().skip(1)).filter_map(row).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn finds_whose_port_it_is() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let own = stat(Path::new("/proc/self/stat")).unwrap().2;
        assert_eq!(listener(port, own), Listener::Ours);
        assert_eq!(listener(port, u32::MAX), Listener::Foreign);
        drop(socket);
        assert_eq!(listener(port, own), Listener::Unknown);
    }

    #[test]
    fn this_very_thread_is_awake() {
        assert_eq!(all_asleep(&[std::process::id()]), Some(false));
    }
}
