//! Why a local world cannot be made, changed or removed.

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::Label;
use copkg_spec::deployment::HostId;
use copkg_spec::keys::KeyError;
use thiserror::Error;

use crate::deploy::DescribeError;
use crate::file_error::FileError;
use crate::host::LockError;
use crate::interrupt::Interrupted;
use crate::tree::TreeError;

/// Says why a world cannot be made, changed or removed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorldError {
    /// Nothing says where worlds are kept.
    #[error("neither --world, nor XDG_STATE_HOME, nor HOME says where the hosts are kept")]
    Nowhere,
    /// There is no world yet.
    #[error("nothing of the environment {environment} is up: there is no {path}")]
    Absent {
        /// The environment.
        environment: Label,
        /// Where it would be.
        path: Utf8PathBuf,
    },
    /// The directory is the world of something else.
    #[error("{path} belongs to {other}")]
    Other {
        /// The world.
        path: Utf8PathBuf,
        /// The description and environment that it was made of.
        other: String,
    },
    /// The environment has no such host.
    #[error("the environment {environment} has no host {host}")]
    NoHost {
        /// The environment.
        environment: Label,
        /// What was asked for.
        host: HostId,
        /// The hosts that there are.
        known: Vec<String>,
    },
    /// The command that builds the packages failed.
    #[error("the packages were not built: `build` of deployment.toml {how}")]
    Build {
        /// How it ended.
        how: String,
    },
    /// A signal came.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// A file or directory of the world cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A tree cannot be moved or removed.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Another command changes the world.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The key cannot be made or read.
    #[error("the key {path} is unusable")]
    Key {
        /// The key.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The description cannot be read.
    #[error(transparent)]
    Description(#[from] DescribeError),
}

impl Explain for WorldError {
    fn exit(&self) -> Exit {
        match self {
            Self::Nowhere => Exit::Usage,
            Self::Absent { .. } | Self::NoHost { .. } => Exit::NotFound,
            Self::Other { .. } => Exit::Conflict,
            Self::Build { .. } | Self::File(_) | Self::Tree(_) | Self::Key { .. } => Exit::Failure,
            Self::Interrupted(error) => error.exit(),
            Self::Lock(error) => error.exit(),
            Self::Description(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Nowhere => "world_nowhere",
            Self::Absent { .. } => "world_not_up",
            Self::Other { .. } => "world_of_another",
            Self::NoHost { .. } => "no_such_host",
            Self::Build { .. } => "world_build",
            Self::File(_) | Self::Tree(_) => "world_failed",
            Self::Key { .. } => "world_key",
            Self::Interrupted(error) => error.code(),
            Self::Lock(error) => error.code(),
            Self::Description(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Nowhere => Some("give a directory with `--world DIR`".into()),
            Self::Absent { .. } => Some("`pkginstall deploy up` makes it".into()),
            Self::Other { .. } => Some("give another directory with `--world DIR`".into()),
            Self::NoHost { known, .. } => Some(format!("it has {}", known.join(", "))),
            Self::Build { .. } => Some(
                "its output is above; it writes package files to $COPKG_PACKAGES and signs with $COPKG_KEY"
                    .into(),
            ),
            Self::Key { .. } => Some("remove the file: the next `deploy up` makes another key".into()),
            Self::Interrupted(_) | Self::File(_) | Self::Tree(_) => None,
            Self::Lock(error) => error.hint(),
            Self::Description(error) => error.hint(),
        }
    }
}
