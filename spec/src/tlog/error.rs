//! Why something of a transparency log is refused.

use thiserror::Error;

use crate::command::{Exit, Explain};

use super::tile::Tile;

/// Says why a checkpoint, a tile or a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TlogError {
    /// It is not what the format says.
    #[error("the {what} is malformed: {why}")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A checkpoint is of another log.
    #[error("the checkpoint is of the log {found:?}, not of {expected:?}")]
    Origin {
        /// Whose it should be.
        expected: String,
        /// Whose it is.
        found: String,
    },
    /// No key that counts signed it.
    #[error("no known key signed the checkpoint")]
    NotSigned,
    /// A known key is said to have signed it, and did not.
    #[error("the signature of {name} does not fit the checkpoint")]
    WrongSignature {
        /// The name of the key.
        name: String,
    },
    /// A tile is missing.
    #[error("the tile {} is missing", .0.path())]
    TileMissing(Tile),
    /// A tile has not the length that its name says.
    #[error("the tile {} has {found} bytes", tile.path())]
    TileLength {
        /// The tile.
        tile: Tile,
        /// How many bytes came.
        found: usize,
    },
    /// A proof is asked for that cannot be.
    #[error("there is no proof from {from} to {to}")]
    NoProof {
        /// The smaller size, or the place of the leaf.
        from: u64,
        /// The size of the tree.
        to: u64,
    },
    /// The log is smaller than it was.
    #[error("the log has {found} entries, and had {seen} before: entries were taken back")]
    Shrunk {
        /// How many it had.
        seen: u64,
        /// How many it has.
        found: u64,
    },
    /// The log does not hold what it held before.
    #[error(
        "the log of {to} entries does not begin with the {from} that were seen before: its history was changed"
    )]
    Inconsistent {
        /// The size that was seen before.
        from: u64,
        /// The size that does not go with it.
        to: u64,
    },
    /// An entry is not in the log.
    #[error("entry {index} is not in the log of {size} entries")]
    NotIncluded {
        /// The place of the entry.
        index: u64,
        /// The size of the log.
        size: u64,
    },
    /// The timestamp of the repository has no checkpoint.
    #[error("the timestamp of the repository has no checkpoint of its log")]
    NoCheckpoint,
}

impl Explain for TlogError {
    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } | Self::TileLength { .. } => "log_malformed",
            Self::Origin { .. } => "log_other_origin",
            Self::NotSigned | Self::WrongSignature { .. } => "log_not_signed",
            Self::TileMissing(_) => "log_tile_missing",
            Self::NoProof { .. } => "log_no_proof",
            Self::Shrunk { .. } | Self::Inconsistent { .. } => "log_inconsistent",
            Self::NotIncluded { .. } => "log_not_included",
            Self::NoCheckpoint => "log_no_checkpoint",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Shrunk { .. } | Self::Inconsistent { .. } | Self::NotIncluded { .. } => {
                "somebody shows different histories to different people; keep both states, and tell the repository's owner and its witnesses"
                    .to_owned()
            }
            Self::TileMissing(_) | Self::TileLength { .. } => {
                "try again: a copy of the repository may be half way through an update; if it repeats, tell its owner".to_owned()
            }
            Self::Malformed { .. } | Self::NoProof { .. } | Self::NoCheckpoint => {
                "the address may be that of something else than a repository with a log; if it is right, tell its owner".to_owned()
            }
            Self::Origin { .. } | Self::NotSigned | Self::WrongSignature { .. } => {
                "the checkpoint is another log's or was changed; tell the repository's owner".to_owned()
            }
        })
    }
}
