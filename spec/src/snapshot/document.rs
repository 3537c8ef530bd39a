//! The signed document of a snapshot, and the record of a host: what a store shows in clear.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{EpochId, ObjectName, SNAPSHOT_FORMAT, SnapshotFormatError};
use crate::canonical;
use crate::coordinate::{CoordinateError, Label, serde_as_text};
use crate::digest::Digest;
use crate::keys::{Payload, PublicKey, SecretKey, Signatures};

/// The name of a host in a store: one label, or several joined by dots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

impl HostName {
    /// Returns it as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for HostName {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let error = || {
            CoordinateError::new(
                "name of a host",
                text,
                "it has labels ([a-z0-9], then [a-z0-9_-]) joined by dots, at most 253 bytes",
            )
        };
        let is_name = text.len() <= 253 && text.split('.').all(|label| Label::parse(label).is_ok());
        is_name.then(|| Self(text.to_owned())).ok_or_else(error)
    }
}

serde_as_text!(HostName);

/// The number of a snapshot: from 1, without gaps. As text it has ten digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotNumber(pub u64);

impl SnapshotNumber {
    /// Returns the number of the next one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the name of its file, without an extension.
    pub fn file_name(self) -> String {
        format!("{:010}", self.0)
    }
}

impl fmt::Display for SnapshotNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SnapshotNumber {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let error = || CoordinateError::new("number of a snapshot", text, "it is a whole number from 1 on");
        text.parse().ok().filter(|number| *number > 0).map(Self).ok_or_else(error)
    }
}

/// What a store knows of a host: written once, with the host's first snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRecord {
    /// The version of the format.
    pub format: u32,
    /// Its name.
    pub host: HostName,
    /// The key that signs its snapshots.
    pub key: PublicKey,
}

/// What is signed of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotDocument {
    /// The version of the format.
    pub format: u32,
    /// The host.
    pub host: HostName,
    /// Which of its snapshots.
    pub number: SnapshotNumber,
    /// When it was begun.
    pub created: Timestamp,
    /// The digest of the document before, as it was signed; `None` for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The epoch whose key opens its objects.
    pub epoch: EpochId,
    /// The tree object that is its root.
    pub root: ObjectName,
    /// The digest of its list of changes.
    pub changes: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    signatures: serde_json::Value,
    snapshot: SnapshotDocument,
}

/// A document whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedSnapshot {
    document: SnapshotDocument,
    digest: Digest,
    bytes: Vec<u8>,
}

impl SnapshotDocument {
    /// Signs it.
    ///
    /// # Errors
    /// Never for a document that was made here.
    pub fn sign(self, key: &SecretKey) -> Result<SignedSnapshot, SnapshotFormatError> {
        let signed = canonical::to_vec(&self).map_err(SnapshotFormatError::shape)?;
        let signatures = Signatures::sign(&Payload::snapshot(&signed), [key]).to_bytes();
        let signatures = serde_json::from_slice(&signatures).map_err(SnapshotFormatError::shape)?;
        let envelope = Envelope { signatures, snapshot: self };
        let bytes = canonical::to_vec(&envelope).map_err(SnapshotFormatError::shape)?;
        Ok(SignedSnapshot { document: envelope.snapshot, digest: Digest::of(&signed), bytes })
    }
}

impl SignedSnapshot {
    /// The largest that is read.
    pub const BYTES: usize = 64 << 10;

    /// Reads a document and checks that `record`'s key signed it, for that host.
    ///
    /// # Errors
    /// When it is something else, or the signature does not hold.
    pub fn verify(bytes: &[u8], record: &HostRecord) -> Result<Self, SnapshotFormatError> {
        if bytes.len() > Self::BYTES || !canonical::is_canonical(bytes) {
            return Err(SnapshotFormatError::Shape("it is not canonical JSON".into()));
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(SnapshotFormatError::shape)?;
        let signed = canonical::to_vec(&envelope.snapshot).map_err(SnapshotFormatError::shape)?;
        let signatures = canonical::to_vec(&envelope.signatures).map_err(SnapshotFormatError::shape)?;
        let signatures = Signatures::parse(&signatures).map_err(SnapshotFormatError::shape)?;
        let payload = Payload::snapshot(&signed);
        if !signatures.iter().any(|signature| signature.verifies(&record.key, &payload)) {
            return Err(SnapshotFormatError::Signature);
        }
        let document = envelope.snapshot;
        if document.format != SNAPSHOT_FORMAT {
            return Err(SnapshotFormatError::Shape(format!(
                "format {} needs a newer version",
                document.format
            )));
        }
        if document.host != record.host {
            return Err(SnapshotFormatError::Chain(format!(
                "it is of the host {}, not of {}",
                document.host, record.host
            )));
        }
        Ok(Self { document, digest: Digest::of(&signed), bytes: bytes.to_vec() })
    }

    /// Checks that it is the snapshot `number` and comes right after `before`.
    ///
    /// # Errors
    /// When it is another one, or names another one as the one before.
    pub fn follows(&self, before: Option<&Self>) -> Result<(), SnapshotFormatError> {
        let number = before.map_or(SnapshotNumber(1), |before| before.document.number.next());
        if self.document.number != number {
            let why =
                format!("it says that it is snapshot {}, in the place of {number}", self.document.number);
            return Err(SnapshotFormatError::Chain(why));
        }
        if self.document.previous != before.map(|before| before.digest) {
            return Err(SnapshotFormatError::Chain(
                "it was made after another snapshot than the one before it here".into(),
            ));
        }
        Ok(())
    }

    /// Returns the document.
    pub fn document(&self) -> &SnapshotDocument {
        &self.document
    }

    /// Returns the digest that the next one names.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the bytes of its file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
