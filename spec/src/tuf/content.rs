//! What the top-level roles say: root, timestamp and snapshot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::authority::{Authority, RoleKeys};
use super::document::Content;
use super::file::MetaFile;
use super::key::Keys;
use super::name::{Role, Version};
use super::time::Time;

/// Which keys speak for the top-level roles (TUF 4.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The version.
    pub version: Version,
    /// When it ends.
    pub expires: Time,
    /// Whether the names of files hold their version or hash.
    #[serde(default)]
    pub consistent_snapshot: bool,
    /// All keys.
    pub keys: Keys,
    /// Which of them speak for which role.
    pub roles: TopLevelRoles,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The keys of the top-level roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopLevelRoles {
    /// Those of root itself.
    pub root: RoleKeys,
    /// Those of timestamp.
    pub timestamp: RoleKeys,
    /// Those of snapshot.
    pub snapshot: RoleKeys,
    /// Those of targets.
    pub targets: RoleKeys,
    /// Roles that this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Root {
    /// Starts with consistent snapshots, as every new repository should.
    pub fn new(version: Version, expires: Time, keys: Keys, roles: TopLevelRoles) -> Self {
        Self { version, expires, consistent_snapshot: true, keys, roles, other: Map::new() }
    }

    /// Returns who speaks for root.
    pub fn root_authority(&self) -> Authority<'_> {
        Authority::new(&self.keys, &self.roles.root)
    }

    /// Returns who speaks for timestamp.
    pub fn timestamp_authority(&self) -> Authority<'_> {
        Authority::new(&self.keys, &self.roles.timestamp)
    }

    /// Returns who speaks for snapshot.
    pub fn snapshot_authority(&self) -> Authority<'_> {
        Authority::new(&self.keys, &self.roles.snapshot)
    }

    /// Returns who speaks for targets.
    pub fn targets_authority(&self) -> Authority<'_> {
        Authority::new(&self.keys, &self.roles.targets)
    }

    /// Tells whether a key that spoke for timestamp or snapshot no longer does in `next`.
    pub(super) fn retires_online_keys(&self, next: &Self) -> bool {
        let (old, new) = (&self.roles, &next.roles);
        [(&old.timestamp, &new.timestamp), (&old.snapshot, &new.snapshot)].into_iter().any(|(old, new)| {
            let public = |root: &Self, id| root.keys.get(id).map(|key| key.keyval.public.clone());
            old.keyids().iter().any(|id| !new.keyids().contains(id) || public(self, id) != public(next, id))
        })
    }
}

/// Which snapshot is the newest (TUF 4.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamp {
    /// The version.
    pub version: Version,
    /// When it ends.
    pub expires: Time,
    /// What it names: the snapshot alone.
    pub meta: TimestampMeta,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What a timestamp names. 4.6: "this MUST only include a description of the snapshot.json file."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimestampMeta {
    /// The newest snapshot.
    #[serde(rename = "snapshot.json")]
    pub snapshot: MetaFile,
}

impl Timestamp {
    /// Names a snapshot.
    pub fn new(version: Version, expires: Time, snapshot: MetaFile) -> Self {
        Self { version, expires, meta: TimestampMeta { snapshot }, other: Map::new() }
    }
}

/// Which version each targets file has (TUF 4.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The version.
    pub version: Version,
    /// When it ends.
    pub expires: Time,
    /// The files, as [`Role::meta_name`] names them.
    pub meta: BTreeMap<String, MetaFile>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Snapshot {
    /// Starts without any files.
    pub fn new(version: Version, expires: Time) -> Self {
        Self { version, expires, meta: BTreeMap::new(), other: Map::new() }
    }

    /// Returns what is said about a role's file.
    pub fn file(&self, role: &Role) -> Option<&MetaFile> {
        self.meta.get(&role.meta_name())
    }
}

macro_rules! content {
    ($type:ty, $name:literal) => {
        impl Content for $type {
            const TYPE: &'static str = $name;

            fn version(&self) -> Version {
                self.version
            }

            fn expires(&self) -> Time {
                self.expires
            }
        }
    };
}

content!(Root, "root");
content!(Timestamp, "timestamp");
content!(Snapshot, "snapshot");
content!(super::targets::Targets, "targets");
