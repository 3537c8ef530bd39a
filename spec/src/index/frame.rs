//! Frames: the independent zstd frames that the payload consists of.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One frame of the payload. Its place follows from the frames before it.
///
/// The members are in the order of their names, so that serde writes canonical JSON without a detour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Bytes after compression.
    pub length: u64,
    /// The digest of the compressed bytes, checked before zstd sees them.
    pub sha256: Digest,
    /// Bytes before compression.
    pub size: u64,
}
