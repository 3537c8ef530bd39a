//! The identity of a repository: the digest of its first root.

use crate::coordinate::{CoordinateError, serde_as_text};
use crate::digest::Digest;

/// The SHA-256 of `metadata/1.root.json`. It stays the same however often the root's keys are rotated, is short enough to be
/// read over the telephone, and is what a host pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(Digest);

impl Fingerprint {
    /// Computes the fingerprint from the bytes of the first root.
    pub fn of_first_root(bytes: &[u8]) -> Self {
        Self(Digest::of(bytes))
    }

    /// Returns the origin of the repository's transparency log, the first line of its checkpoints.
    pub fn log_origin(&self) -> String {
        format!("copkg/{}", self.0)
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for Fingerprint {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        text.parse().map(Self).map_err(|_: CoordinateError| {
            CoordinateError::new("root fingerprint", text, "it has 64 lower-case hexadecimal digits")
        })
    }
}

serde_as_text!(Fingerprint);
