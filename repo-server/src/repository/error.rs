//! Why a repository cannot be read or continued.

use copkg_spec::command::{Exit, Explain};
use copkg_spec::repository::{CommitNumber, GroupError};
use copkg_spec::tuf::{MalformedError, Rule, TufError};
use thiserror::Error;

use crate::log::LogError;
use crate::signer::SignError;
use crate::storage::{ReadError, WriteError};
use crate::transparency::TransparencyError;

/// Says why a repository cannot be read or continued.
#[derive(Debug, Error)]
pub enum RepositoryError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The transparency log cannot be read or continued.
    #[error(transparent)]
    Transparency(#[from] TransparencyError),
    /// A file that must be there is not.
    #[error("the repository has no {path}")]
    Missing {
        /// Its path in the store.
        path: String,
    },
    /// A file is not the one that the log names.
    #[error("{path} is not the file that commit {commit} names")]
    Mismatch {
        /// Its path in the store.
        path: String,
        /// The commit.
        commit: CommitNumber,
    },
    /// The log names a role that there cannot be.
    #[error("there is no role {role:?}")]
    Role {
        /// What it says.
        role: String,
    },
    /// The metadata breaks a rule.
    #[error(transparent)]
    Refused(#[from] TufError),
    /// A file of a role is not one.
    #[error("the metadata of {role} is not one")]
    Malformed {
        /// The role.
        role: String,
        /// Why.
        #[source]
        source: MalformedError,
    },
    /// A role's file is not signed as its delegator wants.
    #[error("the metadata of {role} is not signed by those who speak for it")]
    Unsigned {
        /// The role.
        role: String,
        /// Why.
        #[source]
        source: Rule,
    },
    /// What a group says contradicts itself.
    #[error("the metadata of {group} contradicts itself")]
    Group {
        /// The group.
        group: String,
        /// How.
        #[source]
        source: GroupError,
    },
    /// Snapshot or timestamp cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// There is a repository already.
    #[error("there is a repository in the store already")]
    Founded,
    /// There is no further number.
    #[error("the repository has no further version")]
    Last,
}

impl Explain for RepositoryError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read(_) | Self::Write(_) | Self::Log(LogError::Read(_) | LogError::Write(_)) => {
                Exit::TryAgain
            }
            Self::Last | Self::Log(LogError::TooLong { .. }) => Exit::Failure,
            Self::Founded => Exit::Conflict,
            _ => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read(_) | Self::Write(_) | Self::Log(LogError::Read(_) | LogError::Write(_)) => {
                "store_failed"
            }
            Self::Log(LogError::TooLong { .. }) => "commit_too_large",
            Self::Log(_) => "log_damaged",
            Self::Missing { .. } | Self::Mismatch { .. } => "repository_damaged",
            Self::Transparency(error) => error.code(),
            Self::Refused(error) => error.code(),
            Self::Malformed { .. } | Self::Group { .. } | Self::Role { .. } => "metadata_malformed",
            Self::Unsigned { .. } => "metadata_too_few_signatures",
            Self::Sign(_) => "online_key_unknown",
            Self::Last => "no_further_version",
            Self::Founded => "repository_exists",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Log(LogError::TooLong { .. }) => "publish in several commits".into(),
            Self::Log(LogError::Malformed { .. } | LogError::Misplaced { .. })
            | Self::Missing { .. }
            | Self::Mismatch { .. } => {
                "`repo-server check` tells what else is damaged; restore it from a backup or a mirror".into()
            }
            Self::Sign(_) => "start the server with --signing-key and the key that root names".into(),
            Self::Transparency(error) => return error.hint(),
            Self::Refused(error) => return error.hint(),
            _ => return None,
        })
    }
}
