//! Versions and their order.

use std::cmp::Ordering;

use debversion::Version as DebianVersion;

use super::{CoordinateError, text_type};

/// The longest version, in bytes.
const VERSION_MAX: usize = 64;

/// A version: `[0-9A-Za-z][0-9A-Za-z.+_~-]*`, at most 64 bytes.
///
/// Two versions are equal only when their texts are. They are ordered as Debian orders upstream versions (the `debversion`
/// crate), with a hyphen read as `~`: numbers count as numbers, and what follows a hyphen or a tilde comes before the
/// version without it. That is a total order, and agrees with `SemVer` on `SemVer`'s own examples: `1.0.0-rc.1 < 1.0.0`.
/// Where it finds no difference (`1.0` and `1.00`) the bytes decide.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(String);
text_type!(Version);

impl Version {
    /// Parses a version.
    ///
    /// # Errors
    /// Names the first rule of the grammar that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        let error = |why: String| CoordinateError::new("version", text, why);
        if text.len() > VERSION_MAX {
            return Err(error(format!("it has {} bytes, the limit is {VERSION_MAX}", text.len())));
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(error("it starts with a letter or a digit".into()));
        }
        if let Some(c) = text.chars().find(|&c| !is_version_char(c)) {
            return Err(error(format!("{c:?} is not allowed; a version has 0-9, A-Z, a-z and . + _ ~ -")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Version {
    /// Tells whether this is a pre-release: a version with a hyphen or a tilde, such as `2.0.0-rc.1`.
    pub fn is_prerelease(&self) -> bool {
        self.0.contains(['-', '~'])
    }

    fn debian(&self) -> DebianVersion {
        // Debian has no underscore; `+` stands where it does in the order of separators.
        let upstream_version = self.0.replace('-', "~").replace('_', "+");
        DebianVersion { epoch: None, upstream_version, debian_revision: None }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.debian().cmp(&other.debian()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn is_version_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '_' | '~' | '-')
}
