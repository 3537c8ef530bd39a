//! Why metadata is refused: the rule, its clause in the specification, and the role.

use thiserror::Error;

use crate::command::{Exit, Explain};

use super::document::MalformedError;
use super::file::FileError;
use super::name::{Role, Version};
use super::time::Time;

/// Says that the metadata of a role is refused, and by which rule. The update ends there.
#[derive(Debug, Error)]
#[error("the {role} metadata of the repository is refused (TUF {})", rule.clause(role))]
pub struct TufError {
    /// The role.
    pub role: Role,
    /// The rule.
    #[source]
    pub rule: Rule,
}

impl TufError {
    /// Names the role that broke the rule.
    pub fn new(role: &Role, broken: impl Into<Rule>) -> Self {
        Self { role: role.clone(), rule: broken.into() }
    }
}

/// A rule that metadata broke.
#[derive(Debug, Error)]
pub enum Rule {
    /// It is not metadata of the role's kind.
    #[error("it is not well-formed")]
    Malformed(#[from] MalformedError),
    /// The repository does not have it.
    #[error("the repository does not have the file {file}")]
    Absent {
        /// The file.
        file: String,
    },
    /// It goes on beyond what we take.
    #[error("it is longer than {limit} bytes: endless data, or not the file that was promised")]
    TooLong {
        /// The limit.
        limit: u64,
    },
    /// It is not the file that snapshot or timestamp describe.
    #[error("it is not the file that the repository promised: a mix of two states, or damage")]
    File(#[from] FileError),
    /// Too few of the role's keys signed it.
    #[error("{valid} of the role's keys signed it, {needed} must ({})", signed_by(found))]
    Threshold {
        /// How many did.
        valid: usize,
        /// How many must.
        needed: u32,
        /// The short ids of all that are said to have signed.
        found: Vec<String>,
    },
    /// Its version is another one than was asked for.
    #[error("it is version {found}, and should be {expected}")]
    Version {
        /// What was asked for.
        expected: Version,
        /// What came.
        found: Version,
    },
    /// It is older than what this client has seen, and still in date: what a cache or a mirror has that is behind. It is believed
    /// no more than any other older state.
    #[error(
        "it is version {found}, and version {trusted} was seen before: a cache or a mirror that is behind, if it is not held back"
    )]
    Behind {
        /// What was seen.
        trusted: Version,
        /// What came.
        found: Version,
    },
    /// It is older than what this client has seen.
    #[error(
        "it is version {found}, and version {trusted} was seen before: a rollback attack, or an old copy of the repository"
    )]
    Rollback {
        /// What was seen.
        trusted: Version,
        /// What came.
        found: Version,
    },
    /// It names an older version of a role than this client has seen.
    #[error(
        "it names version {found} of {listed}, and version {trusted} was seen before: a rollback attack, or an old copy of the repository"
    )]
    ListedRollback {
        /// The role that it names.
        listed: String,
        /// What was seen.
        trusted: Version,
        /// What came.
        found: Version,
    },
    /// It no longer names a role that it named before.
    #[error("it no longer names {listed}, which it named before")]
    Unlisted {
        /// The role.
        listed: String,
    },
    /// Nothing says which version it should have.
    #[error("the snapshot does not name it")]
    NotInSnapshot,
    /// It is too old to be relied upon.
    #[error(
        "it expired at {expires}, and the update began at {now}: an attacker who holds back news, a repository that is no longer signed, or a wrong clock"
    )]
    Expired {
        /// When it expired.
        expires: Time,
        /// When the update began.
        now: Time,
    },
    /// The search for a target visited too many roles.
    #[error("{limit} delegated roles were asked for the target, and none has it")]
    TooManyRoles {
        /// The limit.
        limit: usize,
    },
}

fn signed_by(found: &[String]) -> String {
    if found.is_empty() { "it is not signed".to_owned() } else { format!("signed by {}", found.join(", ")) }
}

impl Rule {
    /// Returns the clause of the specification (1.0.34) that says so.
    pub fn clause(&self, role: &Role) -> &'static str {
        let [root, timestamp, snapshot, targets] = match self {
            Self::Malformed(_) => ["4.3", "4.6", "4.4", "4.5"],
            Self::Absent { .. } | Self::TooLong { .. } => ["5.3.3", "5.4.1", "5.5.1", "5.6.1"],
            Self::File(_) => ["4.3", "4.6", "5.5.2", "5.6.2"],
            Self::Threshold { .. } => ["5.3.4", "5.4.2", "5.5.3", "5.6.3"],
            Self::Version { .. } => ["5.3.5", "5.4.3", "5.5.4", "5.6.4"],
            Self::Behind { .. } | Self::Rollback { .. } => ["5.3.5", "5.4.3.1", "5.5.5", "5.6.4"],
            Self::ListedRollback { .. } | Self::Unlisted { .. } => ["5.3.5", "5.4.3.2", "5.5.5", "5.6.4"],
            Self::Expired { .. } => ["5.3.10", "5.4.4", "5.5.6", "5.6.5"],
            Self::NotInSnapshot | Self::TooManyRoles { .. } => ["5.6.7"; 4],
        };
        match role {
            Role::Root => root,
            Role::Timestamp => timestamp,
            Role::Snapshot => snapshot,
            Role::Targets | Role::Delegated(_) => targets,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "metadata_malformed",
            Self::Absent { .. } => "metadata_absent",
            Self::TooLong { .. } => "metadata_too_long",
            Self::File(_) => "metadata_mismatch",
            Self::Threshold { .. } => "metadata_too_few_signatures",
            Self::Version { .. } => "metadata_wrong_version",
            Self::Behind { .. } => "metadata_behind",
            Self::Rollback { .. } | Self::ListedRollback { .. } | Self::Unlisted { .. } => {
                "metadata_rollback"
            }
            Self::NotInSnapshot => "metadata_not_in_snapshot",
            Self::Expired { .. } => "metadata_expired",
            Self::TooManyRoles { .. } => "metadata_too_many_roles",
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Behind { .. } => {
                "try again in some minutes, or use another mirror; a cache must ask for timestamp.json every time; if the repository was \
                 restored from a backup, its owner must rotate the timestamp and snapshot keys"
            }
            Self::Absent { .. } | Self::File(_) | Self::Version { .. } => {
                "try again: a copy of the repository may be half way through an update; if it repeats, tell its owner"
            }
            Self::Rollback { .. } | Self::ListedRollback { .. } | Self::Unlisted { .. } => {
                "use another mirror; if the repository was restored from a backup, its owner must rotate the timestamp and snapshot keys"
            }
            Self::Expired { .. } => {
                "check this host's clock; if it is right, ask the repository's owner to sign again"
            }
            Self::Threshold { .. } => {
                "the metadata was changed after it was signed, or is signed by other keys; tell the repository's owner"
            }
            Self::Malformed(_) | Self::TooLong { .. } | Self::NotInSnapshot | Self::TooManyRoles { .. } => {
                "the address may be that of something else than a repository; if it is right, tell the repository's owner"
            }
        }
    }
}

impl Explain for TufError {
    /// A copy that is behind, or lacks a file that newer metadata names, may have it soon. Everything else is a matter of trust.
    fn exit(&self) -> Exit {
        match self.rule {
            Rule::Behind { .. } | Rule::Absent { .. } => Exit::TryAgain,
            _ => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        self.rule.code()
    }

    fn hint(&self) -> Option<String> {
        Some(self.rule.hint().to_owned())
    }
}
