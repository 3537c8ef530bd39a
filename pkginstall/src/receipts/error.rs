//! What can go wrong with a receipt.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::archive::{HeadError, VerifyError};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::PackageCoordinate;
use thiserror::Error;

/// Says why a receipt could not be read, written or taken away.
#[derive(Debug, Error)]
pub enum ReceiptError {
    /// There is no receipt.
    #[error("{package} is not installed")]
    NotInstalled {
        /// The package.
        package: PackageCoordinate,
    },
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file or directory.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is the receipt of another package.
    #[error("{path} is the receipt of {package}")]
    Misplaced {
        /// The file.
        path: Utf8PathBuf,
        /// The package that it names.
        package: PackageCoordinate,
    },
    /// The head beside it is no head of a package.
    #[error("{path} is damaged")]
    Head {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: Box<HeadError>,
    },
    /// The index beside it is not the one that was installed.
    #[error("{path} is damaged")]
    Contents {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: Box<VerifyError>,
    },
    /// The head beside it is that of another package.
    #[error("{path} is not the head of {package} that was installed")]
    Digest {
        /// The file.
        path: Utf8PathBuf,
        /// The package.
        package: PackageCoordinate,
    },
    /// It cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be taken away.
    #[error("cannot remove {path}")]
    Remove {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ReceiptError {
    pub(super) fn read(path: &Utf8Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }
}

impl Explain for ReceiptError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotInstalled { .. } => Exit::NotFound,
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotInstalled { .. } => "not_installed",
            Self::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => "disk_full",
            Self::Write { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => "read_only",
            Self::Read { .. } | Self::Write { .. } | Self::Remove { .. } => "receipt_failed",
            Self::Misplaced { .. } | Self::Head { .. } | Self::Contents { .. } | Self::Digest { .. } => {
                "receipt_damaged"
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotInstalled { .. } => Some("`pkginstall list` shows what is installed".into()),
            Self::Head { .. } | Self::Contents { .. } | Self::Digest { .. } | Self::Misplaced { .. } => {
                Some("remove the package and install it again".into())
            }
            _ => None,
        }
    }
}
