//! Roles, their names, and the names of their files.

use std::borrow::Borrow;
use std::fmt;
use std::num::NonZeroU64;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::coordinate::{CoordinateError, text_type};

use super::limits::{ROLE_NAME_BYTES, TARGET_PATH_BYTES};

/// What stays as it is in the file name of a role: what RFC 3986 calls unreserved.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What stays as it is in the URL of a target.
const PATH: &AsciiSet = &NAME.remove(b'/').remove(b'+').remove(b'@').remove(b':').remove(b',').remove(b'=');

/// The names that the specification gives away itself.
const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// The version of a metadata file: a whole number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(NonZeroU64);

impl Version {
    /// The first version.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// Takes a version, or nothing when it is 0.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// Returns the number.
    pub fn number(self) -> u64 {
        self.0.get()
    }

    /// Returns the version after this one, or nothing after the last that there can be.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a delegated role.
///
/// Any text without control characters that is no top-level role's: other tools use spaces, slashes and dots. Becomes
/// a file name only through [`Role::file_name`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(String);
text_type!(RoleName);

impl RoleName {
    /// Parses a name.
    ///
    /// # Errors
    /// When it is empty, too long for a file name, holds control characters or is a top-level role's.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        let error = |why: String| CoordinateError::new("role name", text, why);
        let encoded_bytes = utf8_percent_encode(text, NAME).map(str::len).sum::<usize>();
        if text.is_empty() || encoded_bytes > ROLE_NAME_BYTES {
            return Err(error(format!("it has 1 to {ROLE_NAME_BYTES} bytes, percent-encoded")));
        }
        if text.chars().any(char::is_control) {
            return Err(error("it holds control characters".to_owned()));
        }
        if TOP_LEVEL.contains(&text) {
            return Err(error("no delegated role has the name of a top-level role".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Says which keys the top-level roles have.
    Root,
    /// Says which snapshot is the newest.
    Timestamp,
    /// Says which version each targets file has.
    Snapshot,
    /// The top-level targets role.
    Targets,
    /// A role that targets, or another such role, delegates to.
    Delegated(RoleName),
}

impl Role {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
            Self::Delegated(name) => name.as_str(),
        }
    }

    /// Returns the key by which a snapshot or timestamp lists the role.
    pub fn meta_name(&self) -> String {
        format!("{}.json", self.as_str())
    }

    /// Returns the name of the role's file where a client keeps it: no separators, never hidden, never too long.
    pub fn file_name(&self) -> String {
        format!("{}.json", utf8_percent_encode(self.as_str(), NAME))
    }

    /// Returns the name of the file of one version, in a repository with consistent snapshots.
    pub fn versioned_file_name(&self, version: Version) -> String {
        format!("{version}.{}", self.file_name())
    }
}

impl fmt::Display for Role {
    /// Writes the name for people: nothing in it turns the text around or ends the line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_str().escape_debug())
    }
}

/// The path of a target, relative to the repository's targets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetPath(String);
text_type!(TargetPath);

impl TargetPath {
    /// Parses a path.
    ///
    /// # Errors
    /// When it is empty or too long, or holds control characters.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        let error = |why: String| CoordinateError::new("target path", text, why);
        if text.is_empty() || text.len() > TARGET_PATH_BYTES {
            return Err(error(format!("it has 1 to {TARGET_PATH_BYTES} bytes")));
        }
        if text.chars().any(char::is_control) {
            return Err(error("it holds control characters".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// Takes a path that was put together from parsed names.
    pub(crate) fn of_names(path: String) -> Self {
        Self(path)
    }

    /// Returns a name under which a client can keep the file, without separators.
    pub fn file_name(&self) -> String {
        utf8_percent_encode(&self.0, NAME).to_string()
    }

    /// Returns the URL of the file relative to the repository's targets, with `prefix` and a dot before the last
    /// component in a repository with consistent snapshots; nothing when the path leads out of them.
    pub(super) fn location(&self, prefix: Option<&str>) -> Option<String> {
        if self.0.split('/').any(|component| matches!(component, "." | "..")) {
            return None;
        }
        let (directory, file) = self
            .0
            .rsplit_once('/')
            .map_or(("", &*self.0), |(_, file)| self.0.split_at(self.0.len() - file.len()));
        let prefix = prefix.map(|digest| format!("{digest}.")).unwrap_or_default();
        Some(format!("{}{prefix}{}", utf8_percent_encode(directory, PATH), utf8_percent_encode(file, PATH)))
    }
}

impl Borrow<str> for TargetPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_role_name_is_a_plain_file_name() {
        let file = |name: &str| Role::Delegated(name.parse().expect("it is a name")).file_name();
        assert_eq!(file("../delegated role"), "..%2Fdelegated%20role.json");
        assert_eq!(file("?"), "%3F.json");
        assert_eq!(file("com.example"), "com.example.json");
        for name in ["", "root", "a\nb", &"/".repeat(100)] {
            assert!(name.parse::<RoleName>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_target_has_its_digest_before_its_last_component() {
        let location =
            |path: &str, prefix| path.parse::<TargetPath>().expect("it is a path").location(prefix);
        assert_eq!(location("a/b c/d#e", Some("12")).as_deref(), Some("a/b%20c/12.d%23e"));
        assert_eq!(location("a+b", None).as_deref(), Some("a+b"));
        assert_eq!(location("a/../../b", None), None);
    }
}
