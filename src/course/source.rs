//! Where the files of a course come from: embedded in the binary, or a folder.
//!
//! Owns: reading and listing by path relative to the course folder, always with `/`. Must not know
//! what is in the files. Both kinds go through the same code above this module.

use std::{
    borrow::Cow,
    io,
    path::{Path, PathBuf},
};

use include_dir::{Dir, include_dir};

static LESSONS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/lessons");
static LABS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/labs");
static KITS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/assets/kits");

/// A tree of course files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Inside the binary.
    Embedded,
    /// `--course DIR`.
    Folder(PathBuf),
}

impl Source {
    /// The bytes of a file, `None` if there is no such file.
    pub fn read(&self, path: &str) -> io::Result<Option<Cow<'static, [u8]>>> {
        match self {
            Source::Embedded => Ok(embedded(path).and_then(|(dir, inner)| {
                let file = dir.get_file(inner)?;
                Some(Cow::Borrowed(file.contents()))
            })),
            Source::Folder(root) => match std::fs::read(root.join(path)) {
                Ok(bytes) => Ok(Some(Cow::Owned(bytes))),
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
                Err(e) => Err(e),
            },
        }
    }

    /// Names in a folder, sorted, without litter (dot files, `__pycache__`, `node_modules`); empty if
    /// there is no such folder.
    pub fn list(&self, path: &str) -> io::Result<Vec<Entry>> {
        let mut entries = match self {
            Source::Embedded => list_embedded(path),
            Source::Folder(root) => list_folder(&root.join(path))?,
        };
        entries.retain(|e| !e.name.starts_with('.') && !matches!(e.name.as_str(), "__pycache__" | "node_modules"));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Every file below a folder, as paths relative to it, sorted.
    pub fn files_below(&self, path: &str) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let full = if folder.is_empty() { path.to_owned() } else { format!("{path}/{folder}") };
            for entry in self.list(&full)? {
                let inner = if folder.is_empty() { entry.name } else { format!("{folder}/{}", entry.name) };
                if entry.folder { folders.push(inner) } else { found.push(inner) }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// File or folder name.
    pub name: String,
    /// It is a folder.
    pub folder: bool,
}

/// The embedded tree a path is in, and the path inside it.
fn embedded(path: &str) -> Option<(&'static Dir<'static>, &str)> {
    let trees = [("lessons", &LESSONS), ("labs", &LABS), ("assets/kits", &KITS)];
    trees.into_iter().find_map(|(name, dir)| {
        let inner = path.strip_prefix(name)?;
        if inner.is_empty() { Some((dir, "")) } else { Some((dir, inner.strip_prefix('/')?)) }
    })
}

fn list_embedded(path: &str) -> Vec<Entry> {
    let Some((tree, inner)) = embedded(path) else { return Vec::new() };
    let Some(dir) = (if inner.is_empty() { Some(tree) } else { tree.get_dir(inner) }) else { return Vec::new() };
    let entries = dir.entries().iter().filter_map(|entry| {
        let name = entry.path().file_name()?.to_str()?.to_owned();
        Some(Entry { name, folder: entry.as_dir().is_some() })
    });
    entries.collect()
}

fn list_folder(path: &Path) -> io::Result<Vec<Entry>> {
    let reader = match std::fs::read_dir(path) {
        Ok(reader) => reader,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut entries = Vec::new();
    for entry in reader {
        let entry = entry?;
        // Names that are not UTF-8 can't be written in a course file, so nothing can ask for them.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let folder = std::fs::metadata(entry.path()).is_ok_and(|m| m.is_dir());
        entries.push(Entry { name, folder });
    }
    Ok(entries)
}
