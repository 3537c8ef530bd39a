//! Why what a group's role says, or is to say next, is not right.

use thiserror::Error;

use crate::coordinate::{CoordinateError, Label, NestingConflict, PackageCoordinate, Version};
use crate::tuf::TargetPath;

/// Says what is wrong with a group's role.
#[derive(Debug, Error)]
pub enum GroupError {
    /// A target is none of ours.
    #[error("{path} is no file of a repository")]
    Path {
        /// The path.
        path: TargetPath,
        /// Why.
        #[source]
        source: CoordinateError,
    },
    /// A target is another group's.
    #[error("{path} is a file of another group")]
    OtherGroup {
        /// The path.
        path: TargetPath,
    },
    /// What is said of a target is not what it should be.
    #[error("what is said of {path} is not what it should be")]
    Custom {
        /// The path.
        path: TargetPath,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A target has no SHA-256, or says another platform than its name.
    #[error("what is said of {path} does not go with its name: {why}")]
    Target {
        /// The path.
        path: TargetPath,
        /// What is wrong.
        why: &'static str,
    },
    /// The list of packages is not what it should be.
    #[error("the list of packages is not what it should be")]
    Packages(#[source] serde_json::Error),
    /// The list of packages does not follow from the targets.
    #[error("the newest version of {id} is {}, and not {}", text(right.as_ref()), text(said.as_ref()))]
    Newest {
        /// The package.
        id: Label,
        /// What the role says.
        said: Option<Version>,
        /// What follows from the targets.
        right: Option<Version>,
    },
    /// A package is listed without a file, or has files and is not listed.
    #[error("{id} is listed without a file, or has a file without being listed")]
    Listed {
        /// The package.
        id: Label,
    },
    /// A channel names a version that is not there.
    #[error("the channel {channel} of {id} names {version}, which is not published")]
    Channel {
        /// The package.
        id: Label,
        /// The channel.
        channel: Label,
        /// The version.
        version: Version,
    },
    /// A published file vanished or became another one.
    #[error("{path} is published and never changes")]
    Changed {
        /// The path.
        path: TargetPath,
    },
    /// Two packages of which one would be installed inside the other.
    #[error(transparent)]
    Nesting(#[from] NestingConflict),
    /// A version is not there.
    #[error("{coordinate} is not published")]
    NotPublished {
        /// The version.
        coordinate: PackageCoordinate,
        /// The versions of the package that are, oldest first.
        published: Vec<Version>,
    },
    /// The package has no such channel.
    #[error("{id} has no channel {channel}")]
    NoChannel {
        /// The package.
        id: Label,
        /// The channel.
        channel: Label,
    },
    /// A version is yanked, so that no channel should lead to it.
    #[error("{coordinate} is yanked: {reason}")]
    Yanked {
        /// The package.
        coordinate: PackageCoordinate,
        /// Why.
        reason: String,
    },
    /// The role cannot be divided or named as it should be.
    #[error("the group cannot have such a role: {0}")]
    Role(String),
    /// There is no version after the last one that can be.
    #[error("the role has no further version")]
    LastVersion,
}

fn text(version: Option<&Version>) -> &str {
    version.map_or("none", Version::as_str)
}
