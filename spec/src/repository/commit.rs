//! One commit of a repository: an entry of its log, and a leaf of its transparency log.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::canonical::{self, CanonicalError};
use crate::digest::Digest;
use crate::tuf::{Time, Version};

/// The number of a commit, from 1. Also the version of the snapshot and the timestamp that are made from it, and the size of
/// the transparency log with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitNumber(NonZeroU64);

impl CommitNumber {
    /// The first commit.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// Takes a number, or nothing when it is 0.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// Returns the number.
    pub fn number(self) -> u64 {
        self.0.get()
    }

    /// Returns the one after this, or nothing after the last that there can be.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// Returns where a store keeps the entry: `log/` and twenty digits, so that a listing is in order.
    pub fn key(self) -> String {
        format!("log/{:020}", self.0)
    }

    /// Returns the version that snapshot and timestamp have after this commit.
    pub fn version(self) -> Option<Version> {
        Version::new(self.0.get())
    }
}

impl std::fmt::Display for CommitNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What one commit changed. Snapshot and timestamp follow from it and from what was before, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitEntry {
    /// The number.
    pub commit: CommitNumber,
    /// The metadata files that are new, by role; none when only the timestamp was signed again.
    pub roles: Vec<CommittedRole>,
    /// When it was made.
    pub time: Time,
}

/// A metadata file that a commit made current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedRole {
    /// The name of the role.
    pub role: String,
    /// Its version.
    pub version: Version,
    /// The SHA-256 of the file.
    pub sha256: Digest,
    /// The length of the file in bytes.
    pub length: u64,
}

impl CommitEntry {
    /// Returns the bytes of the entry: canonical JSON.
    ///
    /// # Errors
    /// Never for values of this type.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_vec(self)
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`Self::to_bytes`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let entry: Self = serde_json::from_slice(bytes)?;
        let written = entry.to_bytes().map_err(serde::de::Error::custom)?;
        if written == bytes { Ok(entry) } else { Err(serde::de::Error::custom("it is not canonical")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_one_form() {
        let entry = CommitEntry {
            commit: CommitNumber::FIRST,
            roles: vec![CommittedRole {
                role: "com.example".to_owned(),
                version: Version::FIRST,
                sha256: Digest::of(b""),
                length: 0,
            }],
            time: "2030-01-31T12:00:00Z".parse().expect("it is a time"),
        };
        let bytes = entry.to_bytes().expect("it can be written");
        assert_eq!(CommitEntry::parse(&bytes).expect("it can be read"), entry);
        let spaced = [b" ", &bytes[..]].concat();
        assert!(CommitEntry::parse(&spaced).is_err());
        assert_eq!(CommitNumber::FIRST.key(), "log/00000000000000000001");
    }
}
