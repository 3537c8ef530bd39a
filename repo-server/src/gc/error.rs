//! Why garbage cannot be collected.

use copkg_spec::command::{Exit, Explain};
use copkg_spec::tuf::MalformedError;
use thiserror::Error;

use crate::inventory::InventoryError;
use crate::storage::{ReadError, WriteError};

/// Says why garbage cannot be collected.
#[derive(Debug, Error)]
pub enum GcError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What is kept cannot be read, so what it names is not known.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// What writers that died left cannot be removed.
    #[error("cannot remove what writers that died left behind")]
    Leftovers(#[source] std::io::Error),
    /// There is no repository.
    #[error("the store holds no repository: there is no metadata/timestamp.json")]
    NoRepository,
    /// The timestamp is not one.
    #[error("metadata/timestamp.json is not a timestamp")]
    Timestamp(#[source] MalformedError),
}

impl Explain for GcError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read(_) | Self::Write(_) | Self::Inventory(InventoryError::Read(_)) => Exit::TryAgain,
            Self::Inventory(_) | Self::Timestamp(_) => Exit::Trust,
            Self::NoRepository => Exit::NotFound,
            Self::Leftovers(_) => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read(_) | Self::Write(_) | Self::Inventory(InventoryError::Read(_)) => "store_failed",
            Self::Inventory(_) | Self::Timestamp(_) => "repository_damaged",
            Self::NoRepository => "no_repository",
            Self::Leftovers(_) => "store_not_writable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Inventory(InventoryError::Missing { .. } | InventoryError::Malformed { .. })
            | Self::Timestamp(_) => {
                Some("nothing was removed; `repo-server check` tells what else is damaged".into())
            }
            Self::NoRepository => {
                Some("correct --store; a plain directory of packages has no garbage".into())
            }
            _ => None,
        }
    }
}
