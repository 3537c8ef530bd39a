//! What can go wrong before a file of a repository is asked for.

use std::io;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{Group, Label, PackageCoordinate};
use copkg_spec::platform::Platform;
use copkg_spec::repository::VouchError;
use copkg_spec::tuf::TargetPath;
use thiserror::Error;

use super::{SourceError, Wanted};
use crate::metadata::MetadataError;

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
    #[error("no repository is configured for {group}")]
    NoRepository {
        /// The group.
        group: Group,
    },
    /// Every repository was asked and none has it.
    #[error("{package} is in none of the repositories that were asked: {}", asked.join(", "))]
    NotFound {
        /// The package.
        package: Wanted,
        /// The places that were looked at.
        asked: Vec<String>,
    },
    /// Nobody can be asked to witness like that.
    #[error("such witnesses cannot be asked for: {why}")]
    Witnesses {
        /// Why.
        why: String,
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
            Self::Malformed { .. } | Self::CredentialsInUrl { .. } | Self::Witnesses { .. } => Exit::Usage,
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
            Self::Witnesses { .. } => "bad_witnesses",
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
            Self::Witnesses { .. } => {
                "give --witness KEY for each witness, as `repo-server witness` prints its key, and --witnesses at most their number"
            }
            Self::Credentials { .. } => {
                "a secret is the first line of a file that nobody else may read, or the value of a variable: `pkginstall repo add` names another"
            }
        };
        Some(hint.to_owned())
    }
}

/// Says why a name leads to no package.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// No repository has it, or none can be asked.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// A plain directory does not answer as it should.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A repository is not believed, or cannot be asked.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A target is no package.
    #[error(transparent)]
    Vouch(#[from] VouchError),
    /// Nobody pinned its root.
    #[error("{place} is a repository, and its root is not pinned")]
    NotPinned {
        /// Its name.
        name: String,
        /// Where it is.
        place: String,
    },
    /// A plain directory has no list.
    #[error(
        "{wanted} names no version, and {place} is a plain directory that does not say which ones it has"
    )]
    NothingListed {
        /// What was wanted.
        wanted: Wanted,
        /// The directory.
        place: String,
    },
    /// The package has no such version.
    #[error("{wanted} leads to no version")]
    NoVersion {
        /// What was wanted.
        wanted: Wanted,
        /// The channels that there are.
        channels: Vec<Label>,
    },
    /// The version is withdrawn.
    #[error("{wanted} leads to {package}, which was yanked: {}", reason.escape_debug())]
    Yanked {
        /// What was wanted.
        wanted: Wanted,
        /// Where it leads.
        package: PackageCoordinate,
        /// Why it was withdrawn.
        reason: String,
    },
    /// The version is not for this machine.
    #[error("{wanted} leads to {package}, which has no file for {platform}")]
    NoPlatform {
        /// What was wanted.
        wanted: Wanted,
        /// Where it leads.
        package: PackageCoordinate,
        /// The machine.
        platform: Platform,
    },
    /// The repository names a path that is not below its targets.
    #[error("the path of {path} leads out of the repository's targets")]
    Outside {
        /// The path.
        path: TargetPath,
    },
    /// No copy may be asked.
    #[error("{place} is on a server, and nothing is fetched offline")]
    Offline {
        /// Where it is.
        place: String,
    },
}

impl ResolveError {
    fn inner(&self) -> Option<&dyn Explain> {
        match self {
            Self::Repository(error) => Some(error),
            Self::Source(error) => Some(error),
            Self::Metadata(error) => Some(error),
            Self::Vouch(error) => Some(error),
            _ => None,
        }
    }
}

impl Explain for ResolveError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotPinned { .. } | Self::Outside { .. } => Exit::Trust,
            Self::Offline { .. } => Exit::TryAgain,
            _ => self.inner().map_or(Exit::NotFound, Explain::exit),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotPinned { .. } => "root_not_pinned",
            Self::NothingListed { .. } => "nothing_listed",
            Self::NoVersion { .. } => "no_version",
            Self::Yanked { .. } => "yanked",
            Self::NoPlatform { .. } => "no_platform",
            Self::Outside { .. } => "target_outside",
            Self::Offline { .. } => "offline",
            _ => self.inner().map_or("internal", Explain::code),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotPinned { place, .. } => format!(
                "pin its root: get the fingerprint from its owner, not from the repository itself, and run: pkginstall repo add \
                 NAME {place} --root FINGERPRINT"
            ),
            Self::NothingListed { .. } => "give group:id:version".into(),
            Self::NoVersion { wanted: Wanted::Channel { .. }, channels } if channels.is_empty() => {
                "it has no channels: leave the channel out for the newest version, or name a version".into()
            }
            Self::NoVersion { channels, .. } if channels.is_empty() => {
                "every version is yanked or a pre-release: name the one that you want".into()
            }
            Self::NoVersion { channels, .. } => {
                let channels: Vec<_> = channels.iter().map(|channel| format!("@{channel}")).collect();
                format!("there are the channels {}; or name a version", channels.join(", "))
            }
            Self::Yanked { package, .. } => {
                format!(
                    "name the version to have it all the same: {package}; or ask its publisher to move the channel"
                )
            }
            Self::NoPlatform { .. } => {
                "name a version that has one; `pkginstall info` shows what there is".into()
            }
            Self::Outside { .. } => "it was not published by `pkgbuild`: tell the repository's owner".into(),
            Self::Offline { .. } => "run it without --offline".into(),
            _ => return self.inner().and_then(Explain::hint),
        })
    }
}
