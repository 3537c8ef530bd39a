//! What can go wrong while a package is unpacked.

use std::error::Error;
use std::io;

use copkg_spec::archive::UnpackError;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::PackageCoordinate;
use thiserror::Error;

use super::parallel::Failed;
use crate::fetch::FetchError;
use crate::tree::TreeError;

/// Says why a package could not be staged.
#[derive(Debug, Error)]
pub enum StageError {
    /// The payload is not what the index says, or could not be read to its end.
    #[error("{package} is not what its manifest says")]
    Payload {
        /// The package.
        package: PackageCoordinate,
        /// Why.
        #[source]
        source: Box<UnpackError<TreeError>>,
    },
    /// The payload could not be fetched to its end.
    #[error("cannot fetch all of {package}")]
    Fetch {
        /// The package.
        package: PackageCoordinate,
        /// Why.
        #[source]
        source: Box<UnpackError<TreeError>>,
    },
    /// The disk refuses.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Zstd has no memory.
    #[error("cannot set up zstd")]
    Memory(#[source] io::Error),
}

impl StageError {
    pub(super) fn of(package: PackageCoordinate, failed: Failed) -> Self {
        match failed {
            Failed::Memory(error) => Self::Memory(error),
            Failed::Unpack(UnpackError::Sink(error)) => Self::Tree(error),
            Failed::Unpack(error) if FetchError::inside(&error).is_some() => {
                Self::Fetch { package, source: Box::new(error) }
            }
            Failed::Unpack(error) => Self::Payload { package, source: Box::new(error) },
        }
    }

    fn fetch(&self) -> Option<&FetchError> {
        FetchError::inside(self.source()?)
    }
}

impl Explain for StageError {
    fn exit(&self) -> Exit {
        match self {
            Self::Payload { .. } => Exit::Trust,
            Self::Fetch { .. } => self.fetch().map_or(Exit::TryAgain, Explain::exit),
            Self::Tree(error) => error.exit(),
            Self::Memory(_) => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Payload { .. } => "package_damaged",
            Self::Fetch { .. } => self.fetch().map_or("network", Explain::code),
            Self::Tree(error) => error.code(),
            Self::Memory(_) => "no_memory",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Payload { .. } => {
                Some("fetch it again; if it repeats, the package or its repository is damaged".into())
            }
            Self::Fetch { .. } => self.fetch().and_then(Explain::hint),
            Self::Tree(error) => error.hint(),
            Self::Memory(_) => None,
        }
    }
}
