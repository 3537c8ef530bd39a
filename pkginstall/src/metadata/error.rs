//! Why a repository is not believed, or what it says cannot be had or kept.

use std::io;
use std::time::Duration;

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::coordinate::Group;
use copkg_spec::digest::Digest;
use copkg_spec::repository::GroupError;
use copkg_spec::tlog::TlogError;
use copkg_spec::tuf::{Role, Rule, TufError};
use jiff::Timestamp;
use thiserror::Error;

use super::clock::Clocks;
use crate::host::{HostError, LockError};
use crate::repository::SourceError;
use crate::trust::RootPin;

/// How often a copy is looked at while too few witnesses have seen what it shows.
const WITNESS_LOOKS: u32 = 12;
/// How often a copy is looked at that is behind, or lacks a file that it names.
const STALE_LOOKS: u32 = 3;

/// Says why nothing can be said about what a repository has.
#[derive(Debug, Error)]
pub enum MetadataError {
    /// Its metadata broke a rule.
    #[error("the repository {name} is refused as {place} serves it")]
    Refused {
        /// The repository.
        name: String,
        /// The copy that was asked.
        place: String,
        /// What the clocks say.
        clocks: Clocks,
        /// The role and the rule.
        #[source]
        source: Box<TufError>,
    },
    /// Its first root is not the one that is pinned.
    #[error(
        "the repository {name} is not the one that is pinned: the root at {place} is {found}, not {expected}"
    )]
    WrongRoot {
        /// The repository.
        name: String,
        /// The copy that was asked.
        place: String,
        /// The pin.
        expected: RootPin,
        /// What is there.
        found: Digest,
    },
    /// What answers is no repository.
    #[error("{place} is not a copkg repository: it answers {file} with {what}")]
    OtherThing {
        /// The copy that was asked.
        place: String,
        /// The file that was asked for.
        file: String,
        /// What came instead.
        what: Instead,
        /// Whether it was one before.
        since: Since,
    },
    /// Its log is not the one that this host has seen.
    #[error("the log of the repository {name} is refused as {place} serves it{}", kept_in(evidence.as_deref()))]
    Log {
        /// The repository.
        name: String,
        /// The copy that was asked.
        place: String,
        /// Where both states are kept, if they contradict one another.
        evidence: Option<String>,
        /// Why.
        #[source]
        source: TlogError,
    },
    /// Too few witnesses have seen what it shows.
    #[error(
        "the repository {name} is refused as {place} serves it: {have} of {needed} witnesses have cosigned it"
    )]
    Unwitnessed {
        /// The repository.
        name: String,
        /// The copy that was asked.
        place: String,
        /// How many cosigned it.
        have: u32,
        /// How many must.
        needed: u32,
    },
    /// It cannot be asked, or does not answer.
    #[error("the repository {name} cannot be asked")]
    Source {
        /// The repository.
        name: String,
        /// Why.
        #[source]
        source: SourceError,
    },
    /// It answers too slowly to be waited for.
    #[error("{place} takes more than {} seconds for a file of metadata", limit.as_secs())]
    Slow {
        /// The URL.
        place: String,
        /// How long was waited.
        limit: Duration,
    },
    /// Nothing is asked, and it is not known.
    #[error("{file} of the repository {name} is not kept on this host, and nothing is fetched offline")]
    Offline {
        /// The repository.
        name: String,
        /// The file of metadata.
        file: String,
    },
    /// A group contradicts itself.
    #[error("what {role} says in the repository {name} is refused")]
    Group {
        /// The repository.
        name: String,
        /// The group's role.
        role: Role,
        /// Why.
        #[source]
        source: Box<GroupError>,
    },
    /// A group has more than can be listed.
    #[error("{group} has too many packages in the repository {name} to list them all")]
    TooMany {
        /// The repository.
        name: String,
        /// The group.
        group: Group,
    },
    /// The prefix is not safe, or cannot be written.
    #[error(transparent)]
    Ground(#[from] HostError),
    /// Another command uses the cache.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The cache cannot be read or written.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The clock of this host is in no calendar.
    #[error("the clock of this host says {0}, which no metadata can say")]
    Clock(Timestamp),
}

/// What came instead of a repository's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// Nothing of that name.
    Nothing,
    /// A page for people.
    Page,
    /// Something else that is no metadata.
    Other,
}

impl std::fmt::Display for Instead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "\"not found\"",
            Self::Page => "an HTML page",
            Self::Other => "something that is no metadata",
        })
    }
}

impl Instead {
    /// Tells whether `bytes` are a page: what a login of a network or a web site answers to any path.
    pub(super) fn is_page(bytes: &[u8]) -> bool {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        text.first() == Some(&b'<')
    }
}

/// Whether a place was a repository before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Not that this host knows.
    Never,
    /// This host has a root of it.
    Before,
}

/// Says that what is kept of a repository cannot be read or written.
#[derive(Debug, Error)]
#[error("cannot keep what repositories say in {path}")]
pub struct CacheError {
    /// The file or directory.
    pub path: Utf8PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

fn kept_in(evidence: Option<&str>) -> String {
    evidence.map_or_else(String::new, |path| format!("; both states are kept in {path}"))
}

impl MetadataError {
    /// Says what happened in one line, for a note.
    pub(super) fn in_one_line(&self) -> String {
        Failure::of(self).in_one_line()
    }

    /// Tells whether the copy was not believed.
    pub(super) fn is_refusal(&self) -> bool {
        self.exit() == Exit::Trust
    }

    /// Tells how often a copy is looked at before it is given up. Witnesses may be on their way; behind one name there may be a second
    /// server that has what the first one lacks.
    pub(super) fn looks(&self) -> u32 {
        match self {
            Self::Unwitnessed { .. } => WITNESS_LOOKS,
            Self::Refused { source, .. } if source.exit() == Exit::TryAgain => STALE_LOOKS,
            _ => 1,
        }
    }

    /// Tells whether another copy of the repository could do better.
    pub(super) fn is_of_this_copy(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::WrongRoot { .. }
                | Self::OtherThing { .. }
                | Self::Source { .. }
                | Self::Slow { .. }
                | Self::Log { .. }
                | Self::Unwitnessed { .. }
        )
    }
}

impl Explain for MetadataError {
    fn exit(&self) -> Exit {
        match self {
            Self::WrongRoot { .. } | Self::Group { .. } | Self::Unwitnessed { .. } => Exit::Trust,
            Self::Refused { source, .. } => source.exit(),
            Self::OtherThing { since, .. } => match since {
                Since::Never => Exit::NotFound,
                Since::Before => Exit::TryAgain,
            },
            Self::Log { source, .. } => source.exit(),
            Self::Source { source, .. } => source.exit(),
            Self::Slow { .. } | Self::Offline { .. } => Exit::TryAgain,
            Self::Ground(error) => error.exit(),
            Self::Lock(error) => error.exit(),
            Self::Cache(_) | Self::Clock(_) | Self::TooMany { .. } => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused { source, .. } => source.code(),
            Self::WrongRoot { .. } => "wrong_root",
            Self::OtherThing { .. } => "not_a_repository",
            Self::Log { source, .. } => source.code(),
            Self::Unwitnessed { .. } => "too_few_witnesses",
            Self::Source { source, .. } => source.code(),
            Self::Slow { .. } => "too_slow",
            Self::Offline { .. } => "offline",
            Self::Group { .. } => "group_refused",
            Self::TooMany { .. } => "too_many_packages",
            Self::Ground(error) => error.code(),
            Self::Lock(error) => error.code(),
            Self::Cache(_) => "metadata_cache",
            Self::Clock(_) => "clock_wrong",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { clocks, source, .. } => match source.rule {
                Rule::Expired { expires, .. } => Some(clocks.explain(expires)),
                _ => source.hint(),
            },
            Self::WrongRoot { .. } => Some(
                "somebody serves another repository in its place, or it was made anew: ask its owner for the fingerprint, and \
                 only then run `pkginstall repo add` with it and --replace-root"
                    .into(),
            ),
            Self::OtherThing { since: Since::Never, .. } => Some(
                "check the address: that of a repository is what `repo-server serve` prints, without /metadata; behind a login page, \
                 log in first"
                    .into(),
            ),
            Self::OtherThing { since: Since::Before, .. } => Some(
                "a network with a login page answers like that: log in and try again; if it repeats, check the address".into(),
            ),
            Self::Log { source, .. } => source.hint(),
            Self::Unwitnessed { .. } => Some(
                "try again in some minutes: a witness that was away cosigns when it is back; if it repeats, this host may be shown \
                 what others are not: tell the repository's owner and its witnesses"
                    .into(),
            ),
            Self::Source { source, .. } => source.hint(),
            Self::Slow { .. } => Some("try again later, or add a mirror with `pkginstall repo add … --mirror URL`".into()),
            Self::Offline { .. } => Some("run it once without --offline".into()),
            Self::Group { .. } => Some("it was not published by `pkgbuild`: tell the owner of the group".into()),
            Self::TooMany { .. } => Some("name the version that you want to know of".into()),
            Self::Ground(error) => error.hint(),
            Self::Lock(error) => error.hint(),
            Self::Cache(_) => None,
            Self::Clock(_) => Some("set this host's clock".into()),
        }
    }
}
