//! The head: what the repository says at one commit, verified.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use copkg_spec::coordinate::Group;
use copkg_spec::repository::{CommitNumber, Fingerprint, group_of_role};
use copkg_spec::tuf::{
    Authority, Delegated, DelegatedRole, Role, RoleName, Root, Snapshot, Targets, Time, Timestamp, Verified,
    Version,
};

use crate::transparency::Log;

/// The state of a repository after one commit. It never changes; a later commit makes another head.
///
/// Root, targets, the registrar, snapshot and timestamp are in memory, verified from the root down. The groups' own roles
/// are not: there may be millions of targets. [`super::Repository::group`] reads, verifies and caches them.
#[derive(Debug, Clone)]
pub struct Head {
    pub(super) fingerprint: Fingerprint,
    pub(super) root: Arc<Verified<Root>>,
    /// Its keys sign too, for clients that have not seen the current root yet.
    pub(super) previous_root: Option<Arc<Verified<Root>>>,
    pub(super) targets: Arc<Verified<Targets>>,
    pub(super) registrar: BTreeMap<RoleName, Arc<Verified<Targets>>>,
    pub(super) snapshot: Arc<Verified<Snapshot>>,
    pub(super) timestamp: Arc<Verified<Timestamp>>,
    pub(super) timestamp_bytes: Bytes,
    pub(super) log: Arc<Log>,
    pub(super) commit: CommitNumber,
    pub(super) time: Time,
}

impl Head {
    /// Returns the number of the commit.
    pub fn commit(&self) -> CommitNumber {
        self.commit
    }

    /// Returns when the commit was made.
    pub fn time(&self) -> Time {
        self.time
    }

    /// Returns the identity of the repository.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Returns the root.
    pub fn root(&self) -> &Verified<Root> {
        &self.root
    }

    /// Returns the top-level targets.
    pub fn targets(&self) -> &Verified<Targets> {
        &self.targets
    }

    /// Returns the snapshot. It names the version of every role, also of groups that are no longer delegated to.
    pub fn snapshot(&self) -> &Verified<Snapshot> {
        &self.snapshot
    }

    /// Returns the timestamp.
    pub fn timestamp(&self) -> &Verified<Timestamp> {
        &self.timestamp
    }

    /// Returns the bytes of `timestamp.json`.
    pub fn timestamp_bytes(&self) -> Bytes {
        self.timestamp_bytes.clone()
    }

    /// Returns the transparency log as it is with this commit.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Returns the roles that decide who speaks for a group, in the order of their names.
    pub fn registrar(&self) -> impl Iterator<Item = (&RoleName, &Verified<Targets>)> {
        self.registrar.iter().map(|(name, role)| (name, &**role))
    }

    /// Returns the version of a role, if the repository has it.
    pub fn version(&self, role: &Role) -> Option<Version> {
        match role {
            Role::Root => Some(self.root.version),
            Role::Timestamp => Some(self.timestamp.version),
            Role::Snapshot => Some(self.snapshot.version),
            role => self.snapshot.file(role).map(|file| file.version),
        }
    }

    /// Returns the groups that somebody speaks for, in the order of their roles' names within each registrar role. Some may
    /// have published nothing.
    pub fn groups(&self) -> impl Iterator<Item = Group> {
        self.delegations().filter_map(|delegated| group_of_role(&delegated.name))
    }

    /// Returns the delegation to a group: its keys' ids, its threshold, its paths.
    pub fn delegation(&self, group: &Group) -> Option<&DelegatedRole> {
        self.delegations().find(|delegated| delegated.name.as_str() == group.as_str())
    }

    /// Returns who speaks for a group.
    pub fn authority(&self, group: &Group) -> Option<Authority<'_>> {
        let name: RoleName = group.as_str().parse().ok()?;
        let mut delegations = self.registrar.values().filter_map(|role| role.delegations.as_ref());
        delegations.find_map(|delegations| delegations.authority(&name))
    }

    /// Returns the registrar's role that delegates to a role.
    pub(super) fn delegator(&self, name: &RoleName) -> Option<Arc<Verified<Targets>>> {
        let delegates = |role: &&Arc<Verified<Targets>>| {
            role.delegations.as_ref().is_some_and(|delegations| delegations.authority(name).is_some())
        };
        self.registrar.values().find(delegates).cloned()
    }

    fn delegations(&self) -> impl Iterator<Item = &DelegatedRole> {
        let delegations = self.registrar.values().filter_map(|role| role.delegations.as_ref());
        delegations.flat_map(|delegations| match &delegations.roles {
            Delegated::Roles(roles) => roles.as_slice(),
            Delegated::Bins(_) => &[],
        })
    }
}
