//! Why a change cannot be signed or sent.

use copkg_spec::command::{Exit, Explain};
use copkg_spec::keys::PublicKey;
use copkg_spec::tuf::{MalformedError, Role, RoleName, Version};
use thiserror::Error;

use crate::repository::view::ViewError;

/// Says why a change cannot be signed.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// The repository cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A file is no metadata, or cannot be.
    #[error("the new metadata of {role} is not what metadata is")]
    Malformed {
        /// The role.
        role: Role,
        /// Why.
        #[source]
        source: MalformedError,
    },
    /// A key speaks for none of the roles.
    #[error("the key {} speaks for none of these roles: {roles}", key.id().short())]
    Stranger {
        /// The key.
        key: Box<PublicKey>,
        /// The roles.
        roles: String,
    },
    /// Nobody who speaks for a role signed it.
    #[error("the new metadata of {role} must be signed by one of its keys before it is sent")]
    Unsigned {
        /// The role.
        role: Role,
    },
    /// A file does not follow what is current.
    #[error("{role} is to be version {found}, and the next one is {next}")]
    NotNext {
        /// The role.
        role: Role,
        /// The version of the file.
        found: Version,
        /// The version that would follow.
        next: Version,
    },
    /// Nobody delegates to a role.
    #[error("nobody speaks for {role}")]
    NotDelegated {
        /// The role.
        role: RoleName,
    },
    /// It is a role that only the server signs.
    #[error("{role} is signed by the server alone")]
    Online {
        /// The role.
        role: String,
    },
}

const UNSIGNED: &str = "give --signing-key with one of them too; or write the change to a file with --out, which they \
    sign with `pkgbuild repo sign`, and send it with `pkgbuild repo send`";

impl Explain for ChangeError {
    fn exit(&self) -> Exit {
        match self {
            Self::View(error) => error.exit(),
            Self::NotNext { .. } => Exit::Conflict,
            _ => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::View(error) => error.code(),
            Self::Malformed { .. } => "metadata_malformed",
            Self::Stranger { .. } => "key_without_role",
            Self::Unsigned { .. } => "role_unsigned",
            Self::NotNext { .. } => "version_conflict",
            Self::NotDelegated { .. } => "not_delegated",
            Self::Online { .. } => "online_role",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::View(error) => error.hint(),
            Self::Stranger { .. } => {
                Some("`pkgbuild repo status` shows whose keys speak for which role".into())
            }
            Self::NotDelegated { role } => {
                Some(format!("the owner of the registrar's key can: pkgbuild repo delegate {role} --key PUB"))
            }
            Self::Unsigned { .. } => Some(UNSIGNED.into()),
            Self::NotNext { .. } => {
                Some("it was made from another state of the repository: make it again".into())
            }
            _ => None,
        }
    }
}
