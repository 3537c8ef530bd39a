//! What is on record of a content: what it is, and which revision was chosen by hand.

use copkg_spec::coordinate::{Label, PackageCoordinate, ServiceCoordinate};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::follow::{FollowedChannel, Revision};
use crate::generation::Actor;

/// The version of the records' form.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// A content of this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub(super) schema_version: u32,
    /// Its name here.
    pub name: Label,
    /// The channel that it follows, and that a push moves.
    pub channel: FollowedChannel,
    /// The services that read it, and are reloaded when it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reload: Vec<ServiceCoordinate>,
    /// Who added it.
    pub actor: Actor,
    /// When.
    pub since: Timestamp,
}

impl Content {
    /// Makes the record of a new content.
    pub fn new(name: Label, channel: FollowedChannel, actor: Actor, since: Timestamp) -> Self {
        Self { schema_version: SCHEMA_VERSION, name, channel, reload: Vec::new(), actor, since }
    }

    /// Names the services that are reloaded.
    #[must_use]
    pub fn reloading(self, reload: Vec<ServiceCoordinate>) -> Self {
        Self { reload, ..self }
    }

    /// Tells whether both say the same, whoever said it and when.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.channel, &self.reload) == (&other.channel, &other.reload)
    }

    /// Returns the package of a version.
    pub fn package(&self, version: copkg_spec::coordinate::Version) -> PackageCoordinate {
        PackageCoordinate::new(self.channel.group().clone(), self.channel.id().clone(), version)
    }
}

/// A revision that somebody activated. It stays until the channel leads to another one than it did then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// The revision.
    #[serde(flatten)]
    pub revision: Revision,
    /// Where the channel led; `None` while that is not known.
    pub against: Option<PackageCoordinate>,
    /// Who activated it.
    pub actor: Actor,
    /// When.
    pub since: Timestamp,
}

/// A reload that failed. It is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedReload {
    /// The service.
    pub service: ServiceCoordinate,
    /// Since when.
    pub since: Timestamp,
    /// Why it failed.
    pub why: String,
}
