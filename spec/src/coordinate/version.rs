//! Versions and their order.

use std::cmp::Ordering;

use super::{CoordinateError, order, text_type};

/// The longest version, in bytes.
const VERSION_MAX: usize = 64;

/// A version: `[0-9A-Za-z][0-9A-Za-z.+_~-]*`, at most 64 bytes.
///
/// Two versions are equal only when their texts are. They are ordered by what their parts mean (`docs/format.md`, clause 2):
/// numbers count as numbers, pre-releases come before their release in whichever notation they are written, revisions after it. Where that finds
/// no difference (`1.0` and `1.00`) the bytes decide.
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
    /// Tells whether this is a pre-release: `2.0.0-rc.1`, `3.12.0rc1`, `1.0.dev3`, `5.0.0.M1`, `1.0-SNAPSHOT`, `1.0~rc1`. It is never what a
    /// name without a version means.
    pub fn is_prerelease(&self) -> bool {
        order::is_prerelease(&self.0)
    }

    /// Returns the word for which alone this counts as a pre-release though no notation knows it: `foo` of `1.0.0-foo`.
    pub fn unknown_word(&self) -> Option<&str> {
        order::unknown_word(&self.0)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        order::compare(&self.0, &other.0).then_with(|| self.0.cmp(&other.0))
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
