//! Remembered lines: 10,000 of them, in a file only its owner can read, none with a secret.
//!
//! Owns: what is remembered and how the file looks: a line an entry, with `\n` and `\\` in place of a
//! newline and a backslash. Must not know: editing.

use std::{
    collections::VecDeque,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;

use crate::resp::split_args;

/// Lines kept.
pub const KEPT: usize = 10_000;

/// Where the console's history is kept: beside the progress, in `CACHELAB_HOME` or the user's data
/// folder.
pub fn default_history_file() -> Option<PathBuf> {
    let home = std::env::var_os("CACHELAB_HOME").filter(|folder| !folder.is_empty());
    let folder = match home {
        Some(folder) => PathBuf::from(folder),
        None => etcetera::choose_base_strategy().ok()?.data_dir().join("cachelab"),
    };
    Some(folder.join("console_history"))
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct History {
    lines: VecDeque<String>,
    file: Option<PathBuf>,
}

impl History {
    /// Reads the file, if there is one; one that can't be read or written costs only the history.
    pub fn open(file: Option<PathBuf>) -> Self {
        let mut history = Self { lines: VecDeque::new(), file };
        let text = history.file.as_ref().and_then(|file| fs::read(file).ok()).unwrap_or_default();
        let stored = String::from_utf8_lossy(&text);
        let stored: Vec<&str> = stored.lines().collect();
        history.lines = stored.iter().skip(stored.len().saturating_sub(KEPT)).map(|line| unescaped(line)).collect();
        if stored.len() > KEPT + KEPT / 10 {
            // Kept from growing without end; written anew only now and then.
            let _ = history.rewrite();
        }
        history
    }

    /// Oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    /// Remembers a line, unless it is empty, the same as the last, or carries a secret.
    pub fn add(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() || self.lines.back().is_some_and(|last| last == line) || is_secret(line) {
            return;
        }
        self.lines.push_back(line.to_owned());
        if self.lines.len() > KEPT {
            self.lines.pop_front();
        }
        let _ = self.append(line);
    }

    fn append(&self, line: &str) -> io::Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // One write, so that two consoles do not mix their lines.
        private(OpenOptions::new().append(true).create(true)).open(path)?.write_all((escaped(line) + "\n").as_bytes())
    }

    fn rewrite(&self) -> io::Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        let text: String = self.lines.iter().map(|line| escaped(line) + "\n").collect();
        let fresh = fresh_name(path);
        private(OpenOptions::new().write(true).create_new(true)).open(&fresh)?.write_all(text.as_bytes())?;
        fs::rename(fresh, path)
    }
}

fn fresh_name(path: &Path) -> PathBuf {
    path.with_extension(format!("{}.new", std::process::id()))
}

/// Readable by its owner alone.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600)
    }
    #[cfg(not(unix))]
    options
}

fn escaped(line: &str) -> String {
    line.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            (other, false) => out.push(other),
        }
    }
    out
}

/// The line may carry a password. What cannot be split (an open quote) is judged by its words.
pub fn is_secret(line: &str) -> bool {
    let words: Vec<String> = split_args(line.as_bytes()).map_or_else(
        |_| line.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_ascii_lowercase()).collect(),
        |words| words.iter().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).collect(),
    );
    let counted = words.first().is_some_and(|first| first.trim().parse::<i64>().is_ok());
    let words: Vec<&str> = words.iter().skip(usize::from(counted)).map(String::as_str).collect();
    let has = |word: &str| words.iter().skip(1).any(|other| *other == word);
    match words.as_slice() {
        ["auth", ..] => true,
        ["acl", sub, ..] => matches!(*sub, "setuser" | "deluser" | "getuser"),
        ["hello", ..] => has("auth"),
        ["migrate", ..] => has("auth") || has("auth2"),
        ["config", "set", rest @ ..] => rest.iter().any(|word| {
            ["masterauth", "masteruser", "requirepass", "primaryauth", "primaryuser"].contains(word)
                || (word.starts_with("tls-") && word.ends_with("-pass"))
        }),
        ["sentinel", sub, rest @ ..] => {
            ["set", "config"].contains(sub)
                && rest.iter().any(|word| word.ends_with("-pass") || word.ends_with("-user"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_remembered() {
        for line in [
            "AUTH hunter2",
            "auth user hunter2",
            "3 auth hunter2",
            "\"auth\" hunter2",
            "AUTH 'unbalanced",
            "ACL SETUSER bob on >hunter2",
            "acl getuser bob",
            "ACL DELUSER bob",
            "CONFIG SET requirepass hunter2",
            "config set maxmemory 1 masterauth hunter2",
            "CONFIG SET tls-key-file-pass hunter2",
            "HELLO 3 AUTH default hunter2",
            "MIGRATE h 1 k 0 5 AUTH hunter2",
            "MIGRATE h 1 k 0 5 AUTH2 u hunter2",
            "SENTINEL SET m auth-pass hunter2",
            "SENTINEL CONFIG SET sentinel-pass hunter2",
        ] {
            assert!(is_secret(line), "{line}");
        }
        for line in ["GET auth", "SET auth x", "HELLO 3", "CONFIG SET maxmemory 1", "ACL LIST", "MIGRATE h 1 k 0 5"] {
            assert!(!is_secret(line), "{line}");
        }
    }

    #[test]
    fn lines_come_back_from_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sub/history");
        let mut history = History::open(Some(file.clone()));
        for line in ["SET a \"x\\ny\"", "EVAL \"return\n1\" 0", "AUTH p", "AUTH p", "GET a", "GET a"] {
            history.add(line);
        }
        let expected = ["SET a \"x\\ny\"", "EVAL \"return\n1\" 0", "GET a"];
        assert_eq!(history.lines(), expected);
        assert_eq!(History::open(Some(file.clone())).lines(), expected);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn the_file_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history");
        let lines: Vec<String> = (0..12_000).map(|n| format!("GET {n}")).collect();
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        let history = History::open(Some(file.clone()));
        assert_eq!(history.lines().len(), KEPT);
        assert_eq!(history.lines()[0], "GET 2000");
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), KEPT);
    }
}
