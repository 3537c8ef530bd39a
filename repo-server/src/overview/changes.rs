//! What happened lately: read from the log of commits by comparing the metadata files of each commit with those before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use copkg_spec::coordinate::{Group, Label, Version};
use copkg_spec::repository::{
    CommitEntry, CommitNumber, CommittedRole, PackageCustom, PackageEntry, Packages, TargetFile,
    group_of_role,
};
use copkg_spec::tuf::{Document, Role, RoleName, Targets, Time};

use super::before;
use crate::layout::StorePath;
use crate::repository::{Head, Repository};

/// How many changes are kept.
const KEPT: usize = 500;
/// How many commits are looked at when the server starts, or when it has fallen behind.
const COMMITS: u64 = 200;
/// The member of a group's role that lists its packages.
const PACKAGES: &str = "packages";

/// One thing that somebody did to a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The commit that made it visible.
    pub commit: CommitNumber,
    /// When that was.
    pub time: Time,
    /// The group.
    pub group: Group,
    /// The id.
    pub id: Label,
    /// The version that it is about.
    pub version: Version,
    /// What was done.
    pub what: What,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The version has new files.
    Published,
    /// Nobody should take it any more, for this reason.
    Yanked(String),
    /// It may be taken again.
    Unyanked,
    /// The channel leads to it now.
    Promoted(Label),
    /// The channel led to it and is gone.
    Demoted(Label),
}

/// The last changes, the latest first.
#[derive(Debug, Clone, Default)]
pub struct Changes(VecDeque<Arc<Change>>);

impl Changes {
    /// Reads what led to `head`.
    pub(super) async fn before(repository: &Repository, head: &Head) -> Self {
        let mut changes = Self::default();
        let mut next = Some(head.commit());
        for _ in 0..COMMITS {
            let Some(commit) = next.filter(|_| changes.0.len() < KEPT) else { break };
            for change in of_commit(repository, commit).await {
                changes.0.push_back(Arc::new(change));
            }
            next = before(commit);
        }
        changes.0.truncate(KEPT);
        changes
    }

    /// Adds what was done between a commit and `head`.
    pub(super) async fn after(&self, repository: &Repository, seen: CommitNumber, head: &Head) -> Self {
        let last = head.commit().number();
        let first = (seen.number() + 1).max(last.saturating_sub(COMMITS));
        let mut changes = self.clone();
        for commit in (first..=last).filter_map(CommitNumber::new) {
            for change in of_commit(repository, commit).await.into_iter().rev() {
                changes.0.push_front(Arc::new(change));
            }
        }
        changes.0.truncate(KEPT);
        changes
    }

    /// Returns the changes, the latest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Change>> {
        self.0.iter()
    }
}

/// Reads what one commit changed. What cannot be read any more, as an old file may have been collected, is left out.
async fn of_commit(repository: &Repository, commit: CommitNumber) -> Vec<Change> {
    let Ok(Some(entry)) = repository.entry(commit).await else { return Vec::new() };
    let (mut old, mut new) = (Said::default(), Said::default());
    for role in &entry.roles {
        new.add(read(repository, role, role.version.number()).await);
        if role.version.number() > 1 {
            let Some(before) = read(repository, role, role.version.number() - 1).await else {
                return Vec::new();
            };
            old.add(Some(before));
        }
    }
    compare(&entry, &old, &new)
}

/// Reads a file that was verified when it was committed.
async fn read(repository: &Repository, role: &CommittedRole, version: u64) -> Option<(RoleName, Targets)> {
    let name: RoleName = role.role.parse().ok()?;
    let path = StorePath::metadata(&Role::Delegated(name.clone()), copkg_spec::tuf::Version::new(version)?);
    let bytes = repository.storage().read(&path).await.ok()??;
    let document = Document::<Targets>::parse(bytes.to_vec()).ok()?;
    Some((name, document.unverified().clone()))
}

/// What the roles of one commit say together. A group that is divided into bins moves its targets from one role to others
/// in one commit, and nothing is new.
#[derive(Default)]
struct Said {
    files: BTreeMap<(Group, Label, Version), BTreeMap<String, Option<String>>>,
    channels: BTreeMap<(Group, Label), BTreeMap<Label, Version>>,
}

impl Said {
    fn add(&mut self, role: Option<(RoleName, Targets)>) {
        let Some((name, targets)) = role else { return };
        for (path, target) in &targets.targets {
            let Ok(TargetFile::Package(package)) = TargetFile::parse(path) else { continue };
            let Ok(custom) = PackageCustom::of(target) else { continue };
            let coordinate = package.coordinate;
            let key = (coordinate.group().clone(), coordinate.id().clone(), coordinate.version().clone());
            self.files.entry(key).or_default().insert(package.platform.to_string(), custom.yanked);
        }
        let packages = targets.other.get(PACKAGES).cloned();
        let packages: Option<Packages> = packages.and_then(|packages| serde_json::from_value(packages).ok());
        let (Some(group), Some(packages)) = (group_of_role(&name), packages) else { return };
        for (id, PackageEntry { channels, .. }) in packages {
            self.channels.insert((group.clone(), id), channels);
        }
    }
}

fn compare(entry: &CommitEntry, old: &Said, new: &Said) -> Vec<Change> {
    let mut found = Vec::new();
    let mut add = |group: &Group, id: &Label, version: &Version, what: What| {
        let (group, id, version) = (group.clone(), id.clone(), version.clone());
        found.push(Change { commit: entry.commit, time: entry.time, group, id, version, what });
    };
    let none = BTreeMap::new();
    for ((group, id, version), files) in &new.files {
        let before = old.files.get(&(group.clone(), id.clone(), version.clone())).unwrap_or(&none);
        if files.keys().any(|platform| !before.contains_key(platform)) {
            add(group, id, version, What::Published);
            continue;
        }
        let reason = |files: &BTreeMap<String, Option<String>>| files.values().flatten().next().cloned();
        match (reason(before), reason(files)) {
            (None, Some(reason)) => add(group, id, version, What::Yanked(reason)),
            (Some(_), None) => add(group, id, version, What::Unyanked),
            _ => {}
        }
    }
    let none = BTreeMap::new();
    for ((group, id), channels) in &new.channels {
        let before = old.channels.get(&(group.clone(), id.clone())).unwrap_or(&none);
        for (channel, version) in
            channels.iter().filter(|(channel, version)| before.get(*channel) != Some(version))
        {
            add(group, id, version, What::Promoted(channel.clone()));
        }
        for (channel, version) in before.iter().filter(|(channel, _)| !channels.contains_key(*channel)) {
            add(group, id, version, What::Demoted(channel.clone()));
        }
    }
    found
}
