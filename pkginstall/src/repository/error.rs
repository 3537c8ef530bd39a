//! What can go wrong before a repository is asked at all.

use std::io;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::PackageCoordinate;
use thiserror::Error;

/// Says why no repository can be asked.
#[derive(Debug, Error)]
pub enum RepositoryError {
    /// The text is no place of a repository.
    #[error("{url:?} cannot be a repository: {why}")]
    Malformed {
        /// The text, without credentials.
        url: String,
        /// Why.
        why: String,
    },
    /// The URL holds a user or a password.
    #[error("{url} holds credentials, which would show in logs and lists")]
    CredentialsInUrl {
        /// The URL, without credentials.
        url: String,
    },
    /// No repository is asked for the group.
    #[error("no repository is configured for {package}")]
    NoRepository {
        /// The package.
        package: PackageCoordinate,
    },
    /// Every repository was asked and none has it.
    #[error("{package} is in none of the repositories that were asked: {}", asked.join(", "))]
    NotFound {
        /// The package.
        package: PackageCoordinate,
        /// The places that were looked at.
        asked: Vec<String>,
    },
    /// The credentials are kept where they cannot be had.
    #[error("cannot read the credentials of the repository {name} from {from}")]
    Credentials {
        /// The repository.
        name: String,
        /// The file or the variable.
        from: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Explain for RepositoryError {
    fn exit(&self) -> Exit {
        match self {
            Self::Malformed { .. } | Self::CredentialsInUrl { .. } => Exit::Usage,
            Self::NoRepository { .. } | Self::NotFound { .. } => Exit::NotFound,
            Self::Credentials { .. } => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "bad_repository",
            Self::CredentialsInUrl { .. } => "credentials_in_url",
            Self::NoRepository { .. } => "no_repository",
            Self::NotFound { .. } => "not_found",
            Self::Credentials { .. } => "no_credentials",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Malformed { .. } => "give http://…, https://…, file:///… or the path of a directory",
            Self::CredentialsInUrl { .. } => {
                "give `--user NAME --password-file FILE` or `--token-file FILE` to `pkginstall repo add`"
            }
            Self::NoRepository { .. } => {
                "give one with `--repo URL`, or add it with `pkginstall repo add NAME URL`"
            }
            Self::NotFound { .. } => {
                "check the coordinate, and that it was published for this platform or `any`"
            }
            Self::Credentials { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
