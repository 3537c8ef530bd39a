//! Why a patch is refused, or cannot be made.

use std::io;

use thiserror::Error;

use crate::archive::{ContainerError, FrameError};
use crate::command::{Exit, Explain};
use crate::digest::Digest;
use crate::index::EntryPath;
use crate::keys::SignaturesError;
use crate::manifest::FormatError;
use crate::trust::TrustError;

/// Says why a patch is refused.
#[derive(Debug, Error)]
pub enum PatchError {
    /// It is no archive of ours, or its source failed.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// Its format is another one.
    #[error("its format cannot be read")]
    Format(#[source] FormatError),
    /// A part of it is not JSON of the right shape.
    #[error("it is not what the format of patches says")]
    Syntax(#[source] serde_json::Error),
    /// What it says of itself does not hold.
    #[error("it is not what the format of patches says: {0}")]
    Manifest(&'static str),
    /// Its signatures are none.
    #[error("its signatures cannot be read")]
    Signatures(#[source] SignaturesError),
    /// Too few trusted keys signed it.
    #[error("nobody who is trusted signed it")]
    Trust(#[source] TrustError),
    /// It is not the patch that the repository vouches for.
    #[error("its digest is {}, and the repository vouches for {}", found.short(), expected.short())]
    Another {
        /// The digest that the repository vouches for.
        expected: Digest,
        /// The digest of the patch.
        found: Digest,
    },
    /// It is for other packages.
    #[error("it is for a package with the digest {}, and not {}", expected.short(), found.short())]
    Package {
        /// The digest that the patch names.
        expected: Digest,
        /// The digest of the package.
        found: Digest,
    },
    /// A part of it is larger than the format allows.
    #[error("its {what} has more than {limit} bytes")]
    TooLarge {
        /// The part.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The list of steps cannot be decompressed.
    #[error("its list of steps is refused")]
    Steps(#[source] FrameError),
    /// A step is not possible.
    #[error("step {number} of it is refused: {why}")]
    Step {
        /// The place of the step, from 0.
        number: usize,
        /// Why.
        why: &'static str,
    },
    /// The frame of a step is refused.
    #[error("frame {number} of it is refused")]
    Frame {
        /// The place of the step, from 0.
        number: usize,
        /// Why.
        #[source]
        source: FrameError,
    },
    /// It does not make all files that the old package lacks.
    #[error("it does not make every file that the old package lacks")]
    Incomplete,
}

impl Explain for PatchError {
    fn exit(&self) -> Exit {
        match self {
            Self::Container(error) => error.exit(),
            _ => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Container(error) => error.code(),
            Self::Trust(error) => error.code(),
            Self::Another { .. } => "not_vouched",
            Self::Steps(error) | Self::Frame { source: error, .. } => error.code(),
            _ => "malformed_patch",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Container(_) => {
                Some("the patch is damaged or no patch at all; make or fetch it again".into())
            }
            Self::Trust(error) => error.hint(),
            _ => Some("make the patch again: pkgbuild delta OLD NEW".into()),
        }
    }
}

/// Says why a patch could not be made.
#[derive(Debug, Error)]
pub enum MakePatchError {
    /// The packages are not two versions of one package.
    #[error("{old} and {new} are not two versions of one package for one platform")]
    NotVersions {
        /// The old package.
        old: String,
        /// The new package.
        new: String,
    },
    /// A file of a package cannot be read.
    #[error("cannot read {path}")]
    ReadFile {
        /// The file.
        path: EntryPath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The patch does not fit the format.
    #[error("the difference does not fit a patch")]
    Patch(#[from] PatchError),
    /// The patch cannot be written, or zstd failed.
    #[error("cannot write the patch")]
    Write(#[source] io::Error),
}

impl Explain for MakePatchError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotVersions { .. } => Exit::Usage,
            Self::ReadFile { .. } | Self::Patch(_) | Self::Write(_) => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotVersions { .. } => "not_versions",
            Self::ReadFile { .. } => "tree_unreadable",
            Self::Patch(error) => error.code(),
            Self::Write(_) => "patch_unwritable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotVersions { .. } => {
                Some("a patch leads from one version of a package to another of the same platform".into())
            }
            Self::Patch(_) => Some("publish the package without patches".into()),
            Self::ReadFile { .. } | Self::Write(_) => None,
        }
    }
}
