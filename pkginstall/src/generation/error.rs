//! What can go wrong with what is remembered of a service.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::ServiceCoordinate;
use thiserror::Error;

use super::Number;
use crate::FileError;
use crate::tree::TreeError;

/// Says why generations could not be kept or found.
#[derive(Debug, Error)]
pub enum GenerationError {
    /// A file or directory of them refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// A directory of them refused.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// There is no such generation.
    #[error("{service} has no generation {number}")]
    Unknown {
        /// The service.
        service: ServiceCoordinate,
        /// The number that was asked for.
        number: Number,
    },
    /// It has no generation at all.
    #[error("{service} has no generation: it was never started here")]
    None {
        /// The service.
        service: ServiceCoordinate,
    },
    /// The history is not a chain.
    #[error("the history of {service} is not what was written: {path} {why}")]
    Broken {
        /// The service.
        service: ServiceCoordinate,
        /// The file where the chain ends.
        path: Utf8PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl GenerationError {
    pub(crate) fn file(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let failed = FileError::at(action, path);
        move |source| Self::File(failed(source))
    }
}

impl Explain for GenerationError {
    fn exit(&self) -> Exit {
        match self {
            Self::File(_) => Exit::Failure,
            Self::Tree(error) => error.exit(),
            Self::Unknown { .. } | Self::None { .. } => Exit::NotFound,
            Self::Broken { .. } => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "generation_file",
            Self::Tree(error) => error.code(),
            Self::Unknown { .. } => "no_such_generation",
            Self::None { .. } => "never_started",
            Self::Broken { .. } => "history_broken",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File(_) => None,
            Self::Tree(error) => error.hint(),
            Self::Unknown { service, .. } => Some(format!("`pkginstall history {service}` lists them")),
            Self::None { .. } => Some("`pkginstall status` lists the services of this prefix".into()),
            Self::Broken { .. } => {
                Some("somebody changed or removed a file of it; compare with a copy from elsewhere".into())
            }
        }
    }
}
