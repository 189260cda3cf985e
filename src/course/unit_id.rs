//! The one name of a unit, `week2/locks`, and how it is read.
//!
//! Owns: the type and its syntax. Must not know: which units exist.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// `week2/locks`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitId {
    /// 1-based.
    pub week: u8,
    /// `locks`: lower-case letters, digits and inner hyphens.
    pub slug: String,
}

/// Text that is not a unit id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a unit id; one looks like week2/locks")]
pub struct UnitIdError(pub String);

impl FromStr for UnitId {
    type Err = UnitIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || UnitIdError(text.to_owned());
        let (week, slug) = text.split_once('/').ok_or_else(error)?;
        let digits = week.strip_prefix("week").ok_or_else(error)?;
        let canonical = !digits.starts_with(['0', '+']);
        let week = digits.parse().ok().filter(|_| canonical).ok_or_else(error)?;
        if !is_slug(slug) {
            return Err(error());
        }
        Ok(UnitId { week, slug: slug.to_owned() })
    }
}

/// Lower-case letters, digits and inner hyphens: fit for a file name, a URL and a prompt.
pub fn is_slug(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(allowed) && !text.starts_with('-') && !text.ends_with('-')
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "week{}/{}", self.week, self.slug)
    }
}

impl TryFrom<String> for UnitId {
    type Error = UnitIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<UnitId> for String {
    fn from(id: UnitId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints_and_nothing_else() {
        let id: UnitId = "week12/cache-api".parse().unwrap();
        assert_eq!((id.week, id.slug.as_str()), (12, "cache-api"));
        assert_eq!(id.to_string(), "week12/cache-api");
        for bad in ["", "locks", "week/locks", "week0/locks", "week02/x", "week+2/x", "week2/", "week2/Locks"] {
            assert_eq!(bad.parse::<UnitId>(), Err(UnitIdError(bad.to_owned())), "{bad}");
        }
        for bad in ["week2/-a", "week2/a-", "week2/a/b", "week999/a", "week2/a b", "week2/../a"] {
            assert!(bad.parse::<UnitId>().is_err(), "{bad}");
        }
    }
}
