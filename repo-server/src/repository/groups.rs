//! What the groups say: read from the store when it is asked for, verified, and kept while there is room.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use copkg_spec::coordinate::Group;
use copkg_spec::repository::{GroupContent, group_role};
use copkg_spec::tuf::{Role, RoleName, Targets, Verified, Version};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::error::RepositoryError;
use super::head::Head;
use super::load;
use crate::layout::StorePath;
use crate::storage::Storage;

/// How many files of one group are read at once.
const PARALLEL: usize = 16;
/// How much metadata is kept, in bytes of its files. In memory it takes some times as much.
const KEPT_BYTES: usize = 16 << 20;

/// What groups said when they were read last.
#[derive(Debug, Default)]
pub(super) struct Groups(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    groups: HashMap<Group, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    /// The delegator that vouched for it.
    delegator: Arc<Verified<Targets>>,
    version: Version,
    bytes: usize,
    content: Arc<GroupContent>,
}

impl Groups {
    pub(super) async fn read(
        &self,
        storage: &Storage,
        head: &Head,
        group: &Group,
    ) -> Result<Option<Arc<GroupContent>>, RepositoryError> {
        let Ok(name) = group_role(group) else { return Ok(None) };
        let Some(delegator) = head.delegator(&name) else { return Ok(None) };
        let Some(version) = head.version(&Role::Delegated(name.clone())) else { return Ok(None) };
        if let Some(content) = self.kept(group, &delegator, version) {
            return Ok(Some(content));
        }
        let Some(read) = read(storage, head, group, name, &delegator).await? else { return Ok(None) };
        let (content, bytes) = (Arc::new(read.content), read.bytes);
        self.keep(group, Entry { delegator, version, bytes, content: Arc::clone(&content) });
        Ok(Some(content))
    }

    fn kept(
        &self,
        group: &Group,
        delegator: &Arc<Verified<Targets>>,
        version: Version,
    ) -> Option<Arc<GroupContent>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = kept.groups.get(group)?;
        let current = entry.version == version && Arc::ptr_eq(&entry.delegator, delegator);
        current.then(|| Arc::clone(&entry.content))
    }

    fn keep(&self, group: &Group, entry: Entry) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entry.bytes > KEPT_BYTES / 4 {
            return;
        }
        if kept.bytes + entry.bytes > KEPT_BYTES {
            // What is used comes back with one read each.
            kept.groups.clear();
            kept.bytes = 0;
        }
        kept.bytes += entry.bytes;
        if let Some(old) = kept.groups.insert(group.clone(), entry) {
            kept.bytes -= old.bytes;
        }
    }
}

/// Reads what a group published last, whoever speaks for it now: to hold what comes next against it.
pub(super) async fn published(
    storage: &Storage,
    head: &Head,
    group: &Group,
) -> Result<Option<GroupContent>, RepositoryError> {
    let Ok(name) = group_role(group) else { return Ok(None) };
    let Some(own) = unverified(storage, head, name).await? else { return Ok(None) };
    let names: Vec<RoleName> =
        GroupContent::hash_bins_of(&own).map(|bins| bins.names().collect()).unwrap_or_default();
    let bins: BTreeMap<RoleName, Targets> = stream::iter(names)
        .map(|name| async { Ok((name.clone(), unverified(storage, head, name).await?)) })
        .buffer_unordered(PARALLEL)
        .try_filter_map(|(name, bin)| async { Ok::<_, RepositoryError>(bin.map(|bin| (name, bin))) })
        .try_collect()
        .await?;
    GroupContent::read(group.clone(), own, bins)
        .map(Some)
        .map_err(|source| RepositoryError::Group { group: group.to_string(), source })
}

async fn unverified(
    storage: &Storage,
    head: &Head,
    name: RoleName,
) -> Result<Option<Targets>, RepositoryError> {
    let role = Role::Delegated(name);
    let Some(version) = head.version(&role) else { return Ok(None) };
    let path = StorePath::metadata(&role, version);
    let missing = || RepositoryError::Missing { path: path.to_string() };
    let bytes = storage.read(&path).await?.ok_or_else(missing)?;
    Ok(Some(load::parse::<Targets>(&role, &bytes)?.unverified().clone()))
}

struct Read {
    content: GroupContent,
    bytes: usize,
}

async fn read(
    storage: &Storage,
    head: &Head,
    group: &Group,
    name: RoleName,
    delegator: &Targets,
) -> Result<Option<Read>, RepositoryError> {
    let Some(authority) = delegator.delegations.as_ref().and_then(|all| all.authority(&name)) else {
        return Ok(None);
    };
    let role = Role::Delegated(name);
    let Some(version) = head.version(&role) else { return Ok(None) };
    let own: Verified<Targets> = load::role(storage, &role, version, authority).await?;
    let names: Vec<RoleName> =
        GroupContent::hash_bins_of(&own).map(|bins| bins.names().collect()).unwrap_or_default();
    let bins: Vec<(RoleName, Verified<Targets>)> = stream::iter(names)
        .map(|name| read_bin(storage, head, &own, name))
        .buffer_unordered(PARALLEL)
        .try_filter_map(|bin| async { Ok(bin) })
        .try_collect()
        .await?;
    let bytes = own.bytes().len() + bins.iter().map(|(_, bin)| bin.bytes().len()).sum::<usize>();
    let bins: BTreeMap<RoleName, Targets> =
        bins.into_iter().map(|(name, bin)| (name, bin.into_content())).collect();
    let content = GroupContent::read(group.clone(), own.into_content(), bins)
        .map_err(|source| RepositoryError::Group { group: group.to_string(), source })?;
    Ok(Some(Read { content, bytes }))
}

async fn read_bin(
    storage: &Storage,
    head: &Head,
    own: &Targets,
    name: RoleName,
) -> Result<Option<(RoleName, Verified<Targets>)>, RepositoryError> {
    let role = Role::Delegated(name.clone());
    let authority = own.delegations.as_ref().and_then(|delegations| delegations.authority(&name));
    let (Some(authority), Some(version)) = (authority, head.version(&role)) else { return Ok(None) };
    Ok(Some((name, load::role(storage, &role, version, authority).await?)))
}
