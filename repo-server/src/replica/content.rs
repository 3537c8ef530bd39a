//! The walk over all that the targets role speaks for: registrar, groups, bins, and the bytes of each target.

use copkg_spec::digest::Digest;
use copkg_spec::repository::GroupContent;
use copkg_spec::tuf::{Delegated, Role, RoleIs, RoleName, Target, TargetPath, Targets, Trusted};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::client::{Before, Client, PARALLEL, is_of_a_role};
use super::source::Place;
use super::{Copied, Effect, Job, ReplicaError};
use crate::inventory::blobs;
use crate::layout::StorePath;
use crate::storage::Received;

/// How many blobs come at once.
const BLOBS: usize = 4;

/// Copies every role that is not in the copy, and the blobs that it names.
pub(super) async fn copy(
    client: &mut Client<'_>,
    trusted: &mut Trusted,
    before: &Before,
    copied: &mut Copied,
) -> Result<(), ReplicaError> {
    let registrar = listed(trusted, names(trusted.targets()));
    client.fetch_ahead(trusted, &registrar).await?;
    for name in registrar {
        // What decides who owns a group must be right, or nothing is.
        client.read_role(trusted, &Role::Targets, name.clone()).await?;
        let registrar = Role::Delegated(name);
        let groups = trusted.role(&registrar).map(|role| names(role)).unwrap_or_default();
        let groups = new_ones(client.job(), trusted, before, listed(trusted, groups)).await?;
        for some in groups.chunks(PARALLEL) {
            client.fetch_ahead(trusted, some).await?;
            for group in some {
                copy_role(client, trusted, &registrar, group, copied).await?;
            }
        }
        trusted.forget(&registrar);
    }
    Ok(())
}

async fn copy_role(
    client: &mut Client<'_>,
    trusted: &mut Trusted,
    registrar: &Role,
    name: &RoleName,
    copied: &mut Copied,
) -> Result<(), ReplicaError> {
    let group = Role::Delegated(name.clone());
    if !read(client, trusted, registrar, name, copied).await? {
        return Ok(());
    }
    copy_blobs(client.job(), trusted.role(&group).map(|role| &**role), copied).await?;
    let bins = trusted.role(&group).and_then(|role| GroupContent::hash_bins_of(role));
    let bins = listed(trusted, bins.map(|bins| bins.names().collect()).unwrap_or_default());
    for some in bins.chunks(PARALLEL) {
        client.fetch_ahead(trusted, some).await?;
        for bin in some {
            if read(client, trusted, &group, bin, copied).await? {
                let role = Role::Delegated(bin.clone());
                copy_blobs(client.job(), trusted.role(&role).map(|role| &**role), copied).await?;
                trusted.forget(&role);
            }
        }
    }
    trusted.forget(&group);
    Ok(())
}

/// Reads a role of a publisher. One that no host would believe is left out, and said; it stops nobody else's.
async fn read(
    client: &mut Client<'_>,
    trusted: &mut Trusted,
    delegator: &Role,
    name: &RoleName,
    copied: &mut Copied,
) -> Result<bool, ReplicaError> {
    match client.read_role(trusted, delegator, name.clone()).await {
        Ok(is) => Ok(is == RoleIs::Read),
        Err(error) => {
            let Some(refused) = is_of_a_role(&error) else { return Err(error) };
            tracing::warn!(role = %name, rule = %refused.rule, "a role is left out");
            copied.left_out.push(format!("{name}: {}", refused.rule));
            Ok(false)
        }
    }
}

async fn copy_blobs(job: &Job<'_>, role: Option<&Targets>, copied: &mut Copied) -> Result<(), ReplicaError> {
    let wanted: Vec<_> = role.into_iter().flat_map(blobs).collect();
    let under_way = wanted.into_iter().map(|(path, name, target)| copy_blob(job, path, name, target));
    let mut under_way = stream::iter(under_way).buffer_unordered(BLOBS);
    while let Some(bytes) = under_way.try_next().await? {
        copied.blobs += u64::from(bytes.is_some());
        copied.blob_bytes += bytes.unwrap_or(0);
    }
    Ok(())
}

/// Copies the bytes of a target, unless the copy has them, and returns how many. A file is in the copy only when its hash was
/// right, so its length tells enough.
async fn copy_blob(
    job: &Job<'_>,
    path: StorePath,
    name: &TargetPath,
    target: &Target,
) -> Result<Option<u64>, ReplicaError> {
    if job.copy.object(&path).await?.is_some_and(|there| there.size() == target.length) {
        return Ok(None);
    }
    if job.effect == Effect::Plan {
        return Ok(Some(target.length));
    }
    let missing = || ReplicaError::Missing { path: path.to_string() };
    let mismatch = || ReplicaError::Mismatch { path: path.to_string() };
    let digest: Digest = target.hashes.prefix().parse().map_err(|_| mismatch())?;
    let url =
        target.location(name, true).map(|location| format!("targets/{location}")).ok_or_else(missing)?;
    let pieces = job.source.open(&Place { path: path.clone(), url }).await?.ok_or_else(missing)?;
    match job.copy.receive(&path, target.length, digest, pieces).await? {
        Received::Whole => Ok(Some(target.length)),
        Received::Other => Err(mismatch()),
    }
}

fn names(role: &Targets) -> Vec<RoleName> {
    match role.delegations.as_ref().map(|delegations| &delegations.roles) {
        Some(Delegated::Roles(roles)) => roles.iter().map(|role| role.name.clone()).collect(),
        _ => Vec::new(),
    }
}

/// Keeps the roles that have published something.
fn listed(trusted: &Trusted, names: Vec<RoleName>) -> Vec<RoleName> {
    let is_listed = |name: &RoleName| trusted.snapshot().file(&Role::Delegated(name.clone())).is_some();
    names.into_iter().filter(is_listed).collect()
}

/// Keeps the groups that published since, and those that were left out and may be believed now. The bins of a group did not
/// change when it did not.
async fn new_ones(
    job: &Job<'_>,
    trusted: &Trusted,
    before: &Before,
    names: Vec<RoleName>,
) -> Result<Vec<RoleName>, ReplicaError> {
    let mut new = Vec::new();
    for name in names {
        let role = Role::Delegated(name.clone());
        let Some(version) = trusted.snapshot().file(&role).map(|file| file.version) else { continue };
        let old = before.snapshot.as_ref().and_then(|snapshot| snapshot.file(&role));
        let is_same = old.is_some_and(|old| old.version == version);
        if !is_same || job.copy.object(&StorePath::metadata(&role, version)).await?.is_none() {
            new.push(name);
        }
    }
    Ok(new)
}
