//! Every role: signed by those who speak for it, in itself consistent, not expired; and for each target its bytes.

use std::sync::Arc;

use copkg_spec::command::Failure;
use copkg_spec::coordinate::Group;
use copkg_spec::repository::GroupContent;
use copkg_spec::tuf::Time;
use futures_util::{StreamExt as _, stream};

use super::blobs::Blob;
use super::{Checked, Depth, Finding, Kind, blobs};
use crate::gc::GcError;
use crate::inventory;
use crate::repository::{Head, Repository, RepositoryError};

/// How many groups are read at once.
const GROUPS: usize = 4;
/// How many blobs are read at once.
const BLOBS: usize = 8;

pub(super) async fn check(
    repository: &Repository,
    depth: Depth,
    checked: &mut Checked,
) -> Result<(), GcError> {
    let head = repository.head();
    checked.found(expired_above(&head, depth.now));
    let read = |group: Group| {
        let head = Arc::clone(&head);
        async move { (repository.group(&head, &group).await, group) }
    };
    let groups: Vec<Group> = head.groups().collect();
    let mut contents = stream::iter(groups).map(read).buffer_unordered(GROUPS);
    while let Some((content, group)) = contents.next().await {
        let content = match content {
            Ok(Some(content)) => content,
            Ok(None) => continue,
            Err(RepositoryError::Read(error)) => return Err(error.into()),
            Err(error) => {
                checked.found([refused(&group, &error)]);
                continue;
            }
        };
        checked.groups += 1;
        checked.found(expired_in(&group, &content, depth.now));
        check_blobs(repository, &head, &group, &content, depth, checked).await?;
    }
    Ok(())
}

async fn check_blobs(
    repository: &Repository,
    head: &Head,
    group: &Group,
    content: &GroupContent,
    depth: Depth,
    checked: &mut Checked,
) -> Result<(), GcError> {
    let keyring = Arc::new(blobs::keyring_of(head, group));
    let roles = std::iter::once(content.role()).chain(content.bins().values());
    let wanted = roles.flat_map(inventory::blobs).map(|(path, name, target)| {
        let (name, target, keyring) = (name.clone(), target.clone(), Arc::clone(&keyring));
        Blob { storage: repository.storage().clone(), path, name, target, keyring, depth: depth.blobs }
    });
    // Each on a task of its own: hashing takes a processor.
    let mut checks = stream::iter(wanted.map(|blob| tokio::spawn(blob.check()))).buffer_unordered(BLOBS);
    while let Some(done) = checks.next().await {
        let Ok(done) = done else { continue };
        let (size, finding) = done?;
        checked.blobs.files += 1;
        checked.blobs.bytes += size;
        checked.found(finding);
    }
    Ok(())
}

fn refused(group: &Group, error: &RepositoryError) -> Finding {
    let what = Failure::of(error).in_one_line();
    let kind = if matches!(error, RepositoryError::Missing { .. }) { Kind::Missing } else { Kind::Refused };
    Finding { kind, path: group.to_string(), what }
}

fn expired_above(head: &Head, now: Time) -> Vec<Finding> {
    let top = [
        ("root", head.root().expires),
        ("timestamp", head.timestamp().expires),
        ("snapshot", head.snapshot().expires),
        ("targets", head.targets().expires),
    ];
    let registrar = head.registrar().map(|(name, role)| (name.as_str(), role.expires));
    top.into_iter().chain(registrar).filter_map(|(name, expires)| expired(name, expires, now)).collect()
}

fn expired_in(group: &Group, content: &GroupContent, now: Time) -> Vec<Finding> {
    let own = expired(group.as_str(), content.role().expires, now);
    let bins = content.bins().iter().filter_map(|(name, bin)| expired(name.as_str(), bin.expires, now));
    own.into_iter().chain(bins).collect()
}

fn expired(name: &str, expires: Time, now: Time) -> Option<Finding> {
    let what = format!("it counted until {expires}; no host believes it now");
    (expires <= now).then(|| Finding { kind: Kind::Expired, path: name.to_owned(), what })
}
