//! The root of a snapshot: the one object that its document names.

use serde::{Deserialize, Serialize};

use super::{ByteText, Entry, SNAPSHOT_FORMAT, SnapshotFormatError};

/// What was watched, what came of it, and the entry of `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotRoot {
    /// The version of the format.
    pub format: u32,
    /// The directories that are whole, as paths from `/`.
    pub watched: Vec<ByteText>,
    /// The entries that were watched alone.
    pub single: Vec<ByteText>,
    /// How many entries there are.
    pub entries: u64,
    /// How many regular files.
    pub files: u64,
    /// How long they are together, holes not counted.
    pub bytes: u64,
    /// What could not be read, and why.
    pub skipped: Vec<(ByteText, String)>,
    /// Which files changed each time that they were read.
    pub changed_while_read: Vec<ByteText>,
    /// The entry of `/`. Its name is `root`, which means nothing.
    pub directory: Entry,
}

impl SnapshotRoot {
    /// Encodes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Decodes it.
    ///
    /// # Errors
    /// When it has another shape, or is of a later format.
    pub fn parse(bytes: &[u8]) -> Result<Self, SnapshotFormatError> {
        let root: Self = serde_json::from_slice(bytes).map_err(SnapshotFormatError::shape)?;
        if root.format != SNAPSHOT_FORMAT {
            return Err(SnapshotFormatError::Shape(format!("format {} needs a newer version", root.format)));
        }
        Ok(root)
    }
}
