//! The content of a regular file: its size, where it has data, and the frames that hold it.

use serde::{Deserialize, Serialize};

use super::{Extent, ObjectName};

/// A frame: its name and how many bytes of the file it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameReference(pub ObjectName, pub u32);

/// Extents of a file that hold data, and the frames whose bytes fill them, both in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Where data lies; what lies between is a hole.
    pub extents: Vec<Extent>,
    /// What fills them: as many bytes as they have together.
    pub frames: Vec<FrameReference>,
}

impl Piece {
    /// The most frames, and the most extents, that one piece has.
    pub const LIMIT: usize = 256;

    /// Returns how many bytes its extents have, and its frames.
    pub fn lengths(&self) -> (u64, u64) {
        let extents = self.extents.iter().map(|extent| extent.length).fold(0, u64::saturating_add);
        (extents, self.frames.iter().map(|frame| u64::from(frame.1)).sum())
    }
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// The length of the file, holes included.
    pub size: u64,
    /// All of it, where it is small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub piece: Option<Piece>,
    /// The tree objects that hold its pieces, where it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<ObjectName>,
    /// Whether the file changed each time that it was read: it may hold a part of one state and a part of another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed_while_read: bool,
}
