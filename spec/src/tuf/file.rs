//! What metadata says about a file: version, length and hashes.

use std::collections::BTreeMap;
use std::io::{self, Read};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256, Sha512};
use thiserror::Error;

use super::name::{TargetPath, Version};

/// The hashes of a file, by algorithm. At least one is SHA-256 or SHA-512; all of these must fit, others are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Hashes(BTreeMap<String, String>);

impl Hashes {
    /// Computes the SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = HEXLOWER.encode(&Sha256::digest(bytes));
        Self(BTreeMap::from([("sha256".to_owned(), digest)]))
    }

    /// Takes a SHA-256.
    pub fn sha256(digest: crate::digest::Digest) -> Self {
        Self(BTreeMap::from([("sha256".to_owned(), digest.to_string())]))
    }

    /// Takes the hashes by algorithm, in lower-case hexadecimal.
    ///
    /// # Errors
    /// When there is no SHA-256 and no SHA-512, or one is not of its length.
    pub fn new(hashes: BTreeMap<String, String>) -> Result<Self, HashesError> {
        let mut known = 0;
        for (algorithm, length) in [("sha256", 32), ("sha512", 64)] {
            let Some(text) = hashes.get(algorithm) else { continue };
            let digest = HEXLOWER.decode(text.as_bytes()).unwrap_or_default();
            if digest.len() != length {
                return Err(HashesError::Malformed(algorithm));
            }
            known += 1;
        }
        if known == 0 { Err(HashesError::Unknown) } else { Ok(Self(hashes)) }
    }

    /// Returns the hashes by algorithm, in hexadecimal.
    pub fn by_algorithm(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Returns the one that stands in the file's name where snapshots are consistent.
    pub fn prefix(&self) -> &str {
        self.get("sha256").or_else(|| self.get("sha512")).unwrap_or_default()
    }

    fn get(&self, algorithm: &str) -> Option<&str> {
        self.0.get(algorithm).map(String::as_str)
    }

    fn fits(&self, algorithm: &'static str, digest: &[u8]) -> Result<(), FileError> {
        let Some(expected) = self.get(algorithm) else { return Ok(()) };
        let found = HEXLOWER.encode(digest);
        if expected == found {
            return Ok(());
        }
        Err(FileError::Hash { algorithm, expected: expected.to_owned(), found })
    }
}

impl TryFrom<BTreeMap<String, String>> for Hashes {
    type Error = HashesError;

    fn try_from(hashes: BTreeMap<String, String>) -> Result<Self, HashesError> {
        Self::new(hashes)
    }
}

impl From<Hashes> for BTreeMap<String, String> {
    fn from(hashes: Hashes) -> Self {
        hashes.0
    }
}

/// Says why hashes are of no use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HashesError {
    /// None is of an algorithm that we know.
    #[error("there is neither a sha256 nor a sha512 hash")]
    Unknown,
    /// One is not what its name says.
    #[error("the {0} hash is not one")]
    Malformed(&'static str),
}

/// What a snapshot or timestamp says about a metadata file (METAFILES of TUF 4.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaFile {
    /// The version.
    pub version: Version,
    /// The length in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// The hashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashes: Option<Hashes>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl MetaFile {
    /// Describes a file by its version alone.
    pub fn version(version: Version) -> Self {
        Self { version, length: None, hashes: None, other: Map::new() }
    }

    /// Describes a file by its version, length and hash.
    pub fn exact(version: Version, bytes: &[u8]) -> Self {
        let (length, hashes) = (Some(bytes.len() as u64), Some(Hashes::of(bytes)));
        Self { version, length, hashes, other: Map::new() }
    }

    /// Checks what is said of length and hashes.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<(), FileError> {
        let found = bytes.len() as u64;
        if let Some(expected) = self.length.filter(|expected| *expected != found) {
            return Err(FileError::Length { expected, found });
        }
        let Some(hashes) = &self.hashes else { return Ok(()) };
        hashes.fits("sha256", &Sha256::digest(bytes))?;
        hashes.fits("sha512", &Sha512::digest(bytes))
    }
}

/// What targets metadata says about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The length in bytes.
    pub length: u64,
    /// The hashes.
    pub hashes: Hashes,
    /// What the repository says beside: platform, kind, the digest of the manifest, whether it is yanked.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub custom: Map<String, Value>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Target {
    /// Describes a file.
    pub fn new(length: u64, hashes: Hashes) -> Self {
        Self { length, hashes, custom: Map::new(), other: Map::new() }
    }

    /// Describes the file that has these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::new(bytes.len() as u64, Hashes::of(bytes))
    }

    /// Returns the URL of the file relative to the repository's targets; nothing when the path leads out of them.
    pub fn location(&self, path: &TargetPath, consistent_snapshot: bool) -> Option<String> {
        path.location(consistent_snapshot.then(|| self.hashes.prefix()))
    }

    /// Wraps a reader so that it ends well only when it gave what is described.
    pub fn checked<R: Read>(&self, reader: R) -> CheckedReader<'_, R> {
        CheckedReader { reader, target: self, length: 0, sha256: Sha256::new(), sha512: Sha512::new() }
    }
}

/// A reader that fails where its bytes are not those of the target. Read it to the end: only then they are known.
#[derive(Debug)]
pub struct CheckedReader<'t, R> {
    reader: R,
    target: &'t Target,
    length: u64,
    sha256: Sha256,
    sha512: Sha512,
}

impl<R> CheckedReader<'_, R> {
    /// 5.7.3: "download the target (up to the number of bytes specified in the targets metadata), and verify that its
    /// hashes match the targets metadata."
    fn check(&self) -> Result<(), FileError> {
        let expected = self.target.length;
        if self.length != expected {
            return Err(FileError::Length { expected, found: self.length });
        }
        self.target.hashes.fits("sha256", &self.sha256.clone().finalize())?;
        self.target.hashes.fits("sha512", &self.sha512.clone().finalize())
    }
}

impl<R: Read> Read for CheckedReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let n = self.reader.read(buffer)?;
        self.length += n as u64;
        if n == 0 || self.length > self.target.length {
            return self
                .check()
                .map(|()| 0)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
        }
        self.sha256.update(&buffer[..n]);
        self.sha512.update(&buffer[..n]);
        Ok(n)
    }
}

/// Says why a file is not the one that metadata describes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileError {
    /// It has another length.
    #[error("it has {found} bytes, and should have {expected}")]
    Length {
        /// What is described.
        expected: u64,
        /// What came, at least.
        found: u64,
    },
    /// It has another hash.
    #[error("its {algorithm} is {found}, and should be {expected}")]
    Hash {
        /// The algorithm.
        algorithm: &'static str,
        /// What is described.
        expected: String,
        /// What came.
        found: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_to_its_end_only_when_every_hash_fits() {
        let bytes = b"some bytes";
        let both = |sha512: &[u8]| {
            let hex = HEXLOWER.encode(&Sha512::digest(sha512));
            let mut hashes = Hashes::of(bytes).0;
            hashes.insert("sha512".to_owned(), hex);
            Target::new(10, Hashes::new(hashes).expect("they are hashes"))
        };
        let read = |target: &Target, bytes: &[u8]| target.checked(bytes).read_to_end(&mut Vec::new());
        assert_eq!(read(&both(bytes), bytes).expect("it fits"), 10);
        for (target, bytes) in [
            (both(b"other"), &bytes[..]),
            (both(bytes), b"same bytes"),
            (both(bytes), b"some byte"),
            (both(bytes), b"some bytes!"),
        ] {
            assert!(read(&target, bytes).is_err());
        }
    }

    #[test]
    fn hashes_that_nobody_can_check_are_refused() {
        for json in ["{}", r#"{"md5":"00"}"#, r#"{"sha256":"00"}"#, r#"{"sha256":1}"#] {
            assert!(serde_json::from_str::<Hashes>(json).is_err(), "{json}");
        }
    }
}
