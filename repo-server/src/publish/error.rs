//! Why a proposal or a file is not taken.

use copkg_spec::repository::{GroupError, ProposalId};
use copkg_spec::tuf::{MalformedError, Rule, Time, TufError, Version};
use thiserror::Error;

use super::blob::BlobError;
use super::intake::IntakeError;
use crate::repository::RepositoryError;
use crate::storage::{ReadError, WriteError};

/// Says why a proposal or a file is not taken.
#[derive(Debug, Error)]
pub enum PublishError {
    /// There is nothing in it.
    #[error("the proposal has no roles")]
    Empty,
    /// A role occurs twice.
    #[error("the proposal has two files of the role {role:?}")]
    Twice {
        /// The role.
        role: String,
    },
    /// Nobody proposes such a role.
    #[error("{role:?} is no role that can be proposed")]
    Role {
        /// The role.
        role: String,
    },
    /// A file is no metadata.
    #[error("the metadata of {role} is not one")]
    Malformed {
        /// The role.
        role: String,
        /// Why.
        #[source]
        source: MalformedError,
    },
    /// Another version is next.
    #[error("version {} of {role} is next, not {found}", next.map_or("no".to_owned(), |next| next.to_string()))]
    Version {
        /// The role.
        role: String,
        /// Which one is next.
        next: Option<Version>,
        /// Which one was proposed.
        found: Version,
    },
    /// Nobody delegates to the role.
    #[error("nobody delegates to the role {role}")]
    NotDelegated {
        /// The role.
        role: String,
    },
    /// None of those who speak for the role signed it.
    #[error("none of the keys that speak for {role} signed it")]
    Unsigned {
        /// The role.
        role: String,
    },
    /// It breaks a rule of the metadata.
    #[error(transparent)]
    Refused(#[from] TufError),
    /// A role that stays as it is would lose its signatures.
    #[error("{role} would no longer be signed by those who speak for it: propose it again, signed by them")]
    Orphaned {
        /// The role.
        role: String,
        /// Why.
        #[source]
        source: Rule,
    },
    /// The metadata has ended already.
    #[error("the metadata of {role} has ended at {expires}")]
    Expired {
        /// The role.
        role: String,
        /// When.
        expires: Time,
    },
    /// The server could not go on.
    #[error("this server does not hold the keys that root names for {role}")]
    OnlineKeys {
        /// The role.
        role: &'static str,
    },
    /// A role says what it may not say.
    #[error("{role} may not say this: {why}")]
    Shape {
        /// The role.
        role: String,
        /// What is wrong.
        why: String,
    },
    /// What a group says contradicts itself, or what it said before.
    #[error("what {group} says is refused: {source}")]
    Group {
        /// The group.
        group: String,
        /// Why.
        #[source]
        source: GroupError,
    },
    /// There is no room for more proposals that wait.
    #[error("too many proposals wait for signatures or files: {0}")]
    Full(&'static str),
    /// No such proposal waits.
    #[error("no proposal {0} waits")]
    NotWaiting(ProposalId),
    /// Too many proposals came for a role.
    #[error("too many proposals for {role}; wait a little")]
    TooFast {
        /// The role.
        role: String,
    },
    /// Nobody added anything.
    #[error("none of these signatures is one of a key that may sign")]
    NoSignature,
    /// A request cannot be read.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// A file is not taken.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The repository failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The store failed while the commit was made.
    #[error("the store of this repository failed; propose it again to learn whether it is committed")]
    Store,
    /// The server is about to stop.
    #[error("the server takes no more commits")]
    Stopping,
}

impl From<ReadError> for PublishError {
    fn from(error: ReadError) -> Self {
        Self::Repository(error.into())
    }
}

impl From<WriteError> for PublishError {
    fn from(error: WriteError) -> Self {
        Self::Repository(error.into())
    }
}
