//! What can go wrong with the ground: the prefix, the journal, recovery.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use thiserror::Error;

use super::{LockError, Stuck};
use crate::receipts::ReceiptError;
use crate::tree::TreeError;

/// Says why the prefix cannot be changed.
#[derive(Debug, Error)]
pub enum HostError {
    /// Another user could swap what we write.
    #[error("{path} is not safe to install below: {why}")]
    Unsafe {
        /// The directory, the prefix or one of its parents.
        path: Utf8PathBuf,
        /// Why.
        why: String,
    },
    /// The lock was not taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A directory or file refused.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A receipt refused.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The journal cannot be written or read.
    #[error("cannot keep the journal {path}")]
    Journal {
        /// The file or directory.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no space for the reserve.
    #[error("cannot reserve space for the way back, {path}")]
    Reserve {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An earlier operation on the package is neither finished nor undone.
    #[error("{0}")]
    Stuck(Stuck),
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    Random,
}

impl HostError {
    pub(super) fn journal(path: &Utf8Path, source: impl Into<io::Error>) -> Self {
        Self::Journal { path: path.to_owned(), source: source.into() }
    }
}

impl Explain for HostError {
    fn exit(&self) -> Exit {
        match self {
            Self::Unsafe { .. }
            | Self::Journal { .. }
            | Self::Reserve { .. }
            | Self::Stuck(_)
            | Self::Random => Exit::Failure,
            Self::Lock(error) => error.exit(),
            Self::Tree(error) => error.exit(),
            Self::Receipt(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unsafe { .. } => "unsafe_prefix",
            Self::Journal { .. } => "journal_failed",
            Self::Reserve { .. } => "no_reserve",
            Self::Stuck(_) => "stuck",
            Self::Random => "no_random_numbers",
            Self::Lock(error) => error.code(),
            Self::Tree(error) => error.code(),
            Self::Receipt(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unsafe { .. } => {
                Some(
                    "choose another prefix, or take the write permission of others away; where root may trust its owner, say so \
                     with `--as-root`"
                        .into(),
                )
            }
            Self::Reserve { .. } => Some("make room there, for example with `pkginstall gc`".into()),
            Self::Stuck(_) => Some("put that right, then run `pkginstall recover`".into()),
            Self::Journal { .. } | Self::Random => None,
            Self::Lock(error) => error.hint(),
            Self::Tree(error) => error.hint(),
            Self::Receipt(error) => error.hint(),
        }
    }
}
