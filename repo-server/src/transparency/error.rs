//! Why the transparency log cannot be read or continued.

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::CoordinateError;
use copkg_spec::tlog::TlogError;
use thiserror::Error;

use crate::log::LogError;
use crate::storage::{ReadError, WriteError};

/// Says why the transparency log cannot be read or continued.
#[derive(Debug, Error)]
pub enum TransparencyError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The log of commits failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A tile, a bundle or a checkpoint is not one.
    #[error(transparent)]
    Malformed(#[from] TlogError),
    /// The repository has no name that a log can have.
    #[error("the log cannot be named")]
    Name(#[from] CoordinateError),
    /// A commit is missing.
    #[error("the log has no entry {number}, and the timestamp says that it has {size}")]
    Missing {
        /// Its number, from 1.
        number: u64,
        /// How many there are.
        size: u64,
    },
    /// The entries are not those that the timestamp was made for.
    #[error("the {size} entries of the log are not those of the timestamp")]
    Damaged {
        /// How many there are.
        size: u64,
    },
}

impl Explain for TransparencyError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read(_) | Self::Write(_) | Self::Log(LogError::Read(_) | LogError::Write(_)) => {
                Exit::TryAgain
            }
            Self::Log(_) | Self::Missing { .. } | Self::Damaged { .. } | Self::Malformed(_) => Exit::Trust,
            Self::Name(_) => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read(_) | Self::Write(_) | Self::Log(LogError::Read(_) | LogError::Write(_)) => {
                "store_failed"
            }
            Self::Log(_) | Self::Missing { .. } | Self::Damaged { .. } => "log_damaged",
            Self::Malformed(error) => error.code(),
            Self::Name(_) => "log_other_origin",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Log(_) | Self::Missing { .. } | Self::Damaged { .. } => Some(
                "`repo-server check` tells what else is damaged; restore log/ from a backup or a mirror"
                    .into(),
            ),
            Self::Malformed(error) => error.hint(),
            _ => None,
        }
    }
}
