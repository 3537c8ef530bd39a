//! The members of an archive after the manifest, as the manifest announces them.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A member that is stored as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Bytes in the archive.
    pub length: u64,
    /// The digest of these bytes.
    pub sha256: Digest,
}

impl Member {
    /// Describes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len() as u64, sha256: Digest::of(bytes) }
    }
}

/// A member that is stored compressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compressed {
    /// Bytes in the archive.
    pub length: u64,
    /// Bytes after decompression.
    pub size: u64,
    /// The digest of the bytes in the archive.
    pub sha256: Digest,
}

/// All members but the manifest itself and the signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// `index.json.zst`.
    pub index: Compressed,
    /// `sbom.cdx.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<Member>,
    /// `provenance.intoto.jsonl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Member>,
    /// `payload.tar.zst`.
    pub payload: Compressed,
}
