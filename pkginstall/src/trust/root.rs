//! The pin of a repository: which root a host begins with. A person gives it once, by another way than the repository.

use std::fmt;
use std::io;
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::CoordinateError;
use copkg_spec::digest::Digest;
use copkg_spec::tuf::{TufError, Version, load_root};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The root that a host begins with: the SHA-256 of its file, and its version.
///
/// Written as the 64 hexadecimal digits alone for version 1, which is the fingerprint of the repository, and as
/// `<version>:<digits>` for a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootPin {
    /// The version of that root.
    pub version: Version,
    /// The SHA-256 of its file.
    pub digest: Digest,
}

impl RootPin {
    /// Takes the pin of a root from its file, whatever its version.
    ///
    /// # Errors
    /// When it is no root that its own keys signed.
    pub fn of(bytes: Vec<u8>) -> Result<Self, TufError> {
        let root = load_root(bytes)?;
        Ok(Self { version: root.version, digest: Digest::of(root.bytes()) })
    }
}

impl fmt::Display for RootPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.version == Version::FIRST {
            return f.pad(&self.digest.to_string());
        }
        f.pad(&format!("{}:{}", self.version, self.digest))
    }
}

impl FromStr for RootPin {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let why = "it is 64 hexadecimal digits, or VERSION:DIGITS";
        let (version, digest) = text.split_once(':').unwrap_or(("1", text));
        let version = version.parse().ok().and_then(Version::new);
        let digest = digest.to_ascii_lowercase().parse().ok();
        match (version, digest) {
            (Some(version), Some(digest)) => Ok(Self { version, digest }),
            _ => Err(CoordinateError::new("root fingerprint", text, why)),
        }
    }
}

impl Serialize for RootPin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RootPin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A root as a person gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenRoot {
    /// What is pinned.
    pub pin: RootPin,
    /// The root itself, where a file was given.
    pub bytes: Option<Vec<u8>>,
}

/// Reads a root as it is given on the command line: a fingerprint, or a file.
///
/// # Errors
/// When it is neither.
pub fn read_root(argument: &str, working_directory: &Utf8Path) -> Result<GivenRoot, RootError> {
    if let Ok(pin) = argument.parse() {
        return Ok(GivenRoot { pin, bytes: None });
    }
    let path = working_directory.join(argument);
    let bytes = std::fs::read(&path).map_err(|source| RootError::Read { path: path.clone(), source })?;
    let pin = RootPin::of(bytes.clone()).map_err(|source| RootError::NoRoot { path, source })?;
    Ok(GivenRoot { pin, bytes: Some(bytes) })
}

/// Says why a root cannot be pinned.
#[derive(Debug, Error)]
pub enum RootError {
    /// The argument is no fingerprint, and no file either.
    #[error("cannot read the root {path}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no root.
    #[error("{path} is not the root of a repository")]
    NoRoot {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: TufError,
    },
}

impl Explain for RootError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::Read { .. } => Exit::Failure,
            Self::NoRoot { .. } => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "root_unreadable",
            Self::NoRoot { .. } => "not_a_root",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = "give the fingerprint that the repository's owner publishes (64 hexadecimal digits), or the file of its root";
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_written_as_it_is_read() {
        let digits = "ab".repeat(32);
        for text in [digits.clone(), format!("3:{digits}")] {
            assert_eq!(text.parse::<RootPin>().unwrap().to_string(), text);
        }
        assert_eq!(digits.to_uppercase().parse::<RootPin>().unwrap().to_string(), digits);
        for text in ["", "ab", &format!("0:{digits}"), &format!("x:{digits}")] {
            assert!(text.parse::<RootPin>().is_err(), "{text}");
        }
    }
}
