//! What can go wrong while a package is put into its place or taken away.

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::coordinate::{NestingConflict, PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use thiserror::Error;

use crate::host::HostError;
use crate::receipts::ReceiptError;
use crate::stage::StageError;
use crate::tree::TreeError;

/// Says why a package was not installed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// Another package has this name here.
    #[error("another {package} is installed: its digest is {}, not {}", installed.short(), new.short())]
    OtherDigest {
        /// The coordinate of both.
        package: PackageCoordinate,
        /// The digest of the one that is installed.
        installed: Digest,
        /// The digest of the other.
        new: Digest,
    },
    /// Its path and another's contain one another.
    #[error(transparent)]
    Nesting(#[from] NestingConflict),
    /// Something that we did not install is in its place.
    #[error("{package} cannot be installed: {path} is there already and is not ours")]
    Occupied {
        /// The package.
        package: PackageCoordinate,
        /// What is in its place.
        path: Utf8PathBuf,
    },
    /// Something that is not the package's lies in its tree, which a repair would delete.
    #[error("{package} cannot be repaired: {} is not of the package", paths.join(", "))]
    Foreign {
        /// The package.
        package: PackageCoordinate,
        /// What does not belong to it, below its install path.
        paths: Vec<String>,
    },
    /// Its place cannot be reached by a rename.
    #[error("{package} cannot be installed: {path} is on another file system than the rest of the software")]
    Elsewhere {
        /// The package.
        package: PackageCoordinate,
        /// Where it would be, or the directory above that.
        path: Utf8PathBuf,
    },
    /// It does not fit.
    #[error("{package} needs about {needed} bytes, {path} has {free} left")]
    NoSpace {
        /// The package.
        package: PackageCoordinate,
        /// Where it would be.
        path: Utf8PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// The prefix cannot be changed.
    #[error(transparent)]
    Host(HostError),
    /// The payload was refused, or could not be written.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The receipt could not be read or written.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// A directory refused.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl Explain for InstallError {
    fn exit(&self) -> Exit {
        match self {
            Self::OtherDigest { .. }
            | Self::Nesting(_)
            | Self::Occupied { .. }
            | Self::Foreign { .. }
            | Self::Elsewhere { .. } => Exit::Conflict,
            Self::NoSpace { .. } => Exit::Failure,
            Self::Host(error) => error.exit(),
            Self::Stage(error) => error.exit(),
            Self::Receipt(error) => error.exit(),
            Self::Tree(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::OtherDigest { .. } => "other_digest",
            Self::Nesting(_) => "nesting",
            Self::Occupied { .. } => "occupied",
            Self::Foreign { .. } => "foreign_files",
            Self::Elsewhere { .. } => "place_elsewhere",
            Self::NoSpace { .. } => "disk_full",
            Self::Host(error) => error.code(),
            Self::Stage(error) => error.code(),
            Self::Receipt(error) => error.code(),
            Self::Tree(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::OtherDigest { package, .. } => Some(format!(
                "one version has one content; `pkginstall remove {package}` first if you want the other"
            )),
            Self::Nesting(conflict) => Some(format!("remove {} first, or choose other names", conflict.old)),
            Self::Occupied { path, .. } => Some(format!("move {path} away; it is never overwritten")),
            Self::Foreign { .. } => Some(
                "move it out of the package, which is read-only software: a service writes to its data"
                    .into(),
            ),
            Self::Elsewhere { .. } => Some(
                "a package is put into its place by one rename: mount the file system as `software`, or as the whole prefix"
                    .into(),
            ),
            Self::NoSpace { .. } => Some("make room, for example with `pkginstall remove`".into()),
            Self::Host(error) => error.hint(),
            Self::Stage(error) => error.hint(),
            Self::Receipt(error) => error.hint(),
            Self::Tree(error) => error.hint(),
        }
    }
}

/// Says why a package was not removed.
#[derive(Debug, Error)]
pub enum RemoveError {
    /// Services run from it.
    #[error("{package} is in use by {}", names(services))]
    InUse {
        /// The package.
        package: PackageCoordinate,
        /// The services.
        services: Vec<ServiceCoordinate>,
    },
    /// A rollback needs it.
    #[error("{package} is needed: {}", .reasons.join("; "))]
    Needed {
        /// The package.
        package: PackageCoordinate,
        /// By what.
        reasons: Vec<String>,
    },
    /// It is not installed any more, and some of its files cannot be deleted.
    #[error("{package} is not installed any more, but files of it are left in {path}")]
    FilesLeft {
        /// The package.
        package: PackageCoordinate,
        /// Where they are.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: HostError,
    },
    /// It is not known which services run.
    #[error("cannot find out which services run: {}", .0.message)]
    Services(Failure),
    /// The prefix cannot be changed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// It is not installed, or its receipt cannot be read.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
}

impl Explain for RemoveError {
    fn exit(&self) -> Exit {
        match self {
            Self::InUse { .. } | Self::Needed { .. } => Exit::Conflict,
            Self::FilesLeft { .. } => Exit::Failure,
            Self::Services(failure) => failure.exit,
            Self::Host(error) => error.exit(),
            Self::Receipt(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "in_use",
            Self::Needed { .. } => "needed",
            Self::FilesLeft { .. } => "files_left",
            Self::Services(_) => "services_unknown",
            Self::Host(error) => error.code(),
            Self::Receipt(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::InUse { services, .. } => Some(format!(
                "stop it first: pkginstall stop {}; or remove the files under a running service with `--force`",
                services.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            )),
            Self::Needed { .. } => Some(
                "`pkginstall gc` removes it when nothing needs it any more; `--force` removes it now".into(),
            ),
            Self::FilesLeft { .. } => Some(
                "nothing needs them; when they can be deleted, `pkginstall recover` or the next command does it"
                    .into(),
            ),
            Self::Services(failure) => failure.hint.clone(),
            Self::Host(error) => error.hint(),
            Self::Receipt(error) => error.hint(),
        }
    }
}

fn names(services: &[ServiceCoordinate]) -> String {
    services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
