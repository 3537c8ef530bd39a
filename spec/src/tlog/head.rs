//! The head of a log: its size and its root. What a client remembers, and what a repository's timestamp carries.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::tuf::Timestamp;

use super::error::TlogError;
use super::proof::Proof;
use super::tiles::Tiles;
use super::tree::{empty_root, verify_consistency};

/// The field of a timestamp that has the root hash in base64. The size is the timestamp's version: each commit makes one
/// entry and one timestamp, both with its number. Name and signature of the log would only repeat what the
/// timestamp's own signature says; the whole note is in `tlog/checkpoint`.
const FIELD: &str = "checkpoint";

/// Size and root of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// How many entries it has.
    pub size: u64,
    /// The root hash over them.
    pub root: Digest,
}

impl Head {
    /// Returns the head of a log without entries, which every log extends.
    pub fn empty() -> Self {
        Self { size: 0, root: empty_root() }
    }

    /// Reads the head that a timestamp carries; nothing when its repository has no log.
    ///
    /// The timestamp must be verified: its signature is what vouches for the head.
    ///
    /// # Errors
    /// When the field is there and is no hash.
    pub fn of_timestamp(timestamp: &Timestamp) -> Result<Option<Self>, TlogError> {
        let Some(field) = timestamp.other.get(FIELD) else { return Ok(None) };
        let refused =
            TlogError::Malformed { what: "checkpoint of the timestamp", why: "it is not a hash in base64" };
        let root = field.as_str().and_then(root_of_text).ok_or(refused)?;
        Ok(Some(Self { size: timestamp.version.number(), root }))
    }

    /// Writes the head into a timestamp that is to be signed. Its version must be the size.
    pub fn write_to(self, timestamp: &mut Timestamp) {
        debug_assert_eq!(
            self.size,
            timestamp.version.number(),
            "each commit makes one entry and one timestamp"
        );
        timestamp.other.insert(FIELD.to_owned(), Value::String(text_of_root(&self.root)));
    }

    /// Asks for the proof that this log begins with `seen`. Its tiles are what [`Self::verify_extends`] needs.
    ///
    /// # Errors
    /// When this log is the smaller one.
    pub fn proof_since(&self, seen: &Self) -> Result<Proof, TlogError> {
        Proof::consistency(seen.size, self.size)
    }

    /// Checks that this log begins with `seen`, with the tiles that [`Self::proof_since`] named.
    ///
    /// # Errors
    /// When a tile is missing, or it does not.
    pub fn verify_extends(&self, seen: &Self, tiles: &Tiles) -> Result<(), TlogError> {
        let proof = self.proof_since(seen)?.hashes(tiles)?;
        verify_consistency((seen.size, &seen.root), (self.size, &self.root), &proof)
    }
}

pub(super) fn root_of_text(text: &str) -> Option<Digest> {
    let bytes = BASE64.decode(text.as_bytes()).ok()?;
    bytes.try_into().ok().map(Digest::from_bytes)
}

pub(super) fn text_of_root(root: &Digest) -> String {
    BASE64.encode(root.as_bytes())
}
