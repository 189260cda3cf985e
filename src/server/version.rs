//! Versions of servers: `major.minor.patch`, and finding one in what a server prints.

use std::{fmt, str::FromStr};

/// `major.minor.patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major.
    pub major: u16,
    /// Minor.
    pub minor: u16,
    /// Patch.
    pub patch: u16,
}

impl Version {
    /// `major.minor.patch`.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// What `redis-server --version` or `valkey-server --version` says, as name and version:
    /// `Redis server v=7.0.15 sha=…`, `Valkey server v=9.1.2 …`.
    pub fn of_binary(output: &str) -> Option<(String, Self)> {
        let name = output.split_whitespace().next()?.to_ascii_lowercase();
        let version = output.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
        Some((name, version.parse().ok()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// It was not `major[.minor[.patch]]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version like 7.2 or 9.1.2")]
pub struct VersionError(String);

impl FromStr for Version {
    type Err = VersionError;

    /// `7`, `7.2`, `7.2.4`; what follows the third number or a hyphen (`8.0-rc1`, `7.4.0.1`) is ignored.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError(text.to_owned());
        let plain = text.trim().split(['-', '+', '~']).next().unwrap_or_default();
        let mut parts = plain.split('.').map(str::parse::<u16>);
        let major = parts.next().ok_or_else(error)?.map_err(|_| error())?;
        let mut part = || parts.next().unwrap_or(Ok(0)).map_err(|_| error());
        Ok(Self { major, minor: part()?, patch: part()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_write_them() {
        assert_eq!("7.2".parse(), Ok(Version::new(7, 2, 0)));
        assert_eq!("8.0-rc1".parse(), Ok(Version::new(8, 0, 0)));
        assert_eq!(" 9.1.2 ".parse(), Ok(Version::new(9, 1, 2)));
        assert_eq!("255.255.255".parse(), Ok(Version::new(255, 255, 255)));
        assert!("".parse::<Version>().is_err());
        assert!("7.x".parse::<Version>().is_err());
        assert!(Version::new(7, 10, 0) > Version::new(7, 9, 9));
    }

    #[test]
    fn a_binary_says_its_name_and_version() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=8f4cf8a";
        assert_eq!(Version::of_binary(redis), Some(("redis".into(), Version::new(7, 0, 15))));
        let valkey = "Valkey server v=9.1.2 sha=00000000:0 malloc=libc bits=64 build=abc";
        assert_eq!(Version::of_binary(valkey), Some(("valkey".into(), Version::new(9, 1, 2))));
        assert_eq!(Version::of_binary("command not found"), None);
    }
}
