//! The log: every commit in its place, the tiles that they make, the checkpoint, and the files that the last commits named.

use std::collections::HashMap;

use bytes::Bytes;
use copkg_spec::digest::Digest;
use copkg_spec::repository::{CommitEntry, CommitNumber, CommittedRole};
use copkg_spec::tlog::TlogError;
use copkg_spec::tuf::{Role, Version};
use futures_util::{StreamExt as _, stream};

use super::{Checked, Finding, Kind};
use crate::gc::GcError;
use crate::inventory;
use crate::layout::StorePath;
use crate::repository::{Head, Repository};
use crate::storage::{ReadError, Storage};
use crate::transparency::{Log, log_keys, origin_of, path_of, read_checkpoint};

/// How many files are read at once.
const PARALLEL: usize = 32;

/// What the log says of each role: the file that is current.
type Current = HashMap<String, (Version, Digest)>;

pub(super) async fn check(repository: &Repository, checked: &mut Checked) -> Result<(), GcError> {
    let (storage, head) = (repository.storage(), repository.head());
    let mut current = Current::new();
    check_entries(storage, &head, &mut current, checked).await?;
    check_current(storage, &head, &current, checked).await?;
    if let Some(what) = checkpoint_problem(storage, &head).await? {
        let path = path_of(copkg_spec::tlog::Resource::Checkpoint).to_string();
        checked.found([Finding { kind: Kind::Damaged, path, what }]);
    }
    Ok(())
}

async fn check_entries(
    storage: &Storage,
    head: &Head,
    current: &mut Current,
    checked: &mut Checked,
) -> Result<(), GcError> {
    let size = head.commit().number();
    let numbers = (1..=size).filter_map(CommitNumber::new);
    let read = |number: CommitNumber| async move { (number, storage.read(&StorePath::commit(number)).await) };
    let mut entries = stream::iter(numbers).map(read).buffered(PARALLEL);
    let mut log = Log::new();
    while let Some((number, bytes)) = entries.next().await {
        let finding = |kind, what: &str| Finding { kind, path: number.key(), what: what.to_owned() };
        let Some(bytes) = bytes? else {
            checked.found([finding(
                Kind::Missing,
                "an entry of the log is not there; later ones were not checked",
            )]);
            return Ok(());
        };
        match CommitEntry::parse(&bytes) {
            Ok(entry) if entry.commit == number => remember(current, entry.roles),
            _ => checked.found([finding(Kind::Damaged, "it is not the commit of this number")]),
        }
        let Ok(next) = log.append(bytes) else {
            checked.found([finding(Kind::Damaged, "it is longer than an entry may be")]);
            return Ok(());
        };
        log = next;
        checked.entries += 1;
        let last = number.number() == size;
        let stays = |path: &StorePath| last || !path.as_str().contains(".p/");
        for (path, bytes) in log.files().iter().filter(|(path, _)| stays(path)) {
            checked.found(tile_problem(storage, path, bytes).await?);
        }
    }
    if log.head() != head.log().head() {
        let what = TlogError::Inconsistent { from: size, to: size }.to_string();
        checked.found([Finding { kind: Kind::Damaged, path: "log".to_owned(), what }]);
    }
    Ok(())
}

fn remember(current: &mut Current, roles: Vec<CommittedRole>) {
    current.extend(roles.into_iter().map(|role| (role.role, (role.version, role.sha256))));
}

async fn tile_problem(
    storage: &Storage,
    path: &StorePath,
    expected: &Bytes,
) -> Result<Option<Finding>, ReadError> {
    let finding = |kind, what: &str| Some(Finding { kind, path: path.to_string(), what: what.to_owned() });
    Ok(match storage.read(path).await? {
        Some(bytes) if bytes == *expected => None,
        Some(_) => finding(Kind::Damaged, "it is not what the commits make"),
        None => finding(Kind::Missing, "a file of the transparency log is not there"),
    })
}

/// Compares each current role's file with what the log says of it.
async fn check_current(
    storage: &Storage,
    head: &Head,
    current: &Current,
    checked: &mut Checked,
) -> Result<(), GcError> {
    let root = std::iter::once((Role::Root, head.root().version));
    let named: Vec<(Role, Version)> = inventory::roles(head.snapshot()).chain(root).collect();
    let check = |(role, version): (Role, Version)| async move {
        let path = StorePath::metadata(&role, version);
        let finding =
            |kind, what: &str| Some(Finding { kind, path: path.to_string(), what: what.to_owned() });
        let logged = current.get(role.as_str());
        let Some(bytes) = storage.read(&path).await? else {
            return Ok::<_, ReadError>(finding(Kind::Missing, "the snapshot names it"));
        };
        Ok(match logged {
            Some((logged, digest)) if *logged == version && *digest == Digest::of(&bytes) => None,
            Some((logged, _)) if *logged == version => {
                finding(Kind::Damaged, "its SHA-256 is another one than the log says")
            }
            _ => finding(Kind::Damaged, "the log never made this version current"),
        })
    };
    let mut checks = stream::iter(named).map(check).buffer_unordered(PARALLEL);
    while let Some(finding) = checks.next().await {
        checked.found(finding?);
    }
    Ok(())
}

async fn checkpoint_problem(storage: &Storage, head: &Head) -> Result<Option<String>, GcError> {
    let read = match read_checkpoint(storage).await {
        Ok(Some(checkpoint)) => checkpoint,
        Ok(None) => return Ok(Some("there is none, or it is not one".to_owned())),
        Err(crate::transparency::TransparencyError::Read(error)) => return Err(error.into()),
        Err(error) => return Ok(Some(error.to_string())),
    };
    let keys =
        origin_of(&head.fingerprint()).and_then(|origin| Ok((log_keys(&origin, head.root())?, origin)));
    let (keys, origin) = match keys {
        Ok(keys) => keys,
        Err(error) => return Ok(Some(error.to_string())),
    };
    Ok(match read.verify(&origin, &keys) {
        Err(error) => Some(error.to_string()),
        Ok(checkpoint) if checkpoint.head().size > head.commit().number() => None,
        Ok(checkpoint)
            if checkpoint.head().size == head.commit().number() && checkpoint.head() != head.log().head() =>
        {
            Some("its root is another one than the timestamp's".to_owned())
        }
        Ok(_) => None,
    })
}
