//! The roles that people are appointed to, by the names that commands take.

use std::fmt;
use std::str::FromStr;

use copkg_spec::coordinate::{CoordinateError, Group};
use copkg_spec::repository::ceremony::TopLevel;

/// A role, or several that always have the same keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seat {
    /// Says who speaks for the top-level roles.
    Root,
    /// Says who the registrar is.
    Targets,
    /// Says who speaks for which group: all roles of the registrar.
    Registrar,
    /// Signs each commit.
    Snapshot,
    /// Says which commit is the newest.
    Timestamp,
    /// Publishes the packages of a group.
    Group(Group),
}

impl Seat {
    /// The seats that every repository has.
    pub const FIXED: [Self; 5] =
        [Self::Root, Self::Targets, Self::Registrar, Self::Snapshot, Self::Timestamp];

    /// Returns the top-level role, if it is one.
    pub fn top_level(&self) -> Option<TopLevel> {
        match self {
            Self::Root => Some(TopLevel::Root),
            Self::Targets => Some(TopLevel::Targets),
            Self::Snapshot => Some(TopLevel::Snapshot),
            Self::Timestamp => Some(TopLevel::Timestamp),
            Self::Registrar | Self::Group(_) => None,
        }
    }

    /// Tells whether the server signs for it.
    pub fn is_online(&self) -> bool {
        matches!(self, Self::Snapshot | Self::Timestamp)
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Registrar => "registrar",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
            Self::Group(group) => group.as_str(),
        })
    }
}

impl FromStr for Seat {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        match Self::FIXED.into_iter().find(|seat| seat.to_string() == text) {
            Some(seat) => Ok(seat),
            None => text.parse().map(Self::Group),
        }
    }
}
