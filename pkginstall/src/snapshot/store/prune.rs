//! Pruning: the receiver removes what no snapshot needs that is kept. Knows no key, and needs none.
//!
//! In two phases: first it is written down, durably, which snapshots are kept no more; then what none of the others needs is removed.
//! Documents and lists stay, so that the chain of a host can still be checked. An interrupted pruning is finished by the next one.

use std::collections::BTreeSet;
use std::fs;

use camino::Utf8Path;
use copkg_spec::durable::{self, Existing};
use copkg_spec::snapshot::{HostName, ObjectId, ObjectKind, SnapshotNumber};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{DirectoryStore, failed};
use crate::snapshot::SnapshotError;
use crate::snapshot::read::Chain;
use crate::tree::names_in;

/// Which snapshots are kept: the last one, and of each of so many days and weeks (in UTC) that have one, the last one.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// How many days.
    pub daily: usize,
    /// How many weeks.
    pub weekly: usize,
}

/// What pruning a host came to.
#[derive(Debug, Clone, Serialize)]
pub struct Pruned {
    /// The host.
    pub host: HostName,
    /// Which snapshots can still be read.
    pub kept: Vec<SnapshotNumber>,
    /// Which cannot, from now on.
    pub pruned: Vec<SnapshotNumber>,
    /// How many objects were removed.
    pub objects: u64,
    /// How many bytes they had.
    pub bytes: u64,
}

/// Lists the hosts of a store.
///
/// # Errors
/// When it cannot be read.
pub fn hosts_in(store: &Utf8Path) -> Result<Vec<HostName>, SnapshotError> {
    let folder = store.join("hosts");
    let names = names_in(&folder).map_err(failed("list", &folder))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// Prunes the snapshots of one host.
///
/// # Errors
/// When the chain does not hold, a push is under way, or the file system refuses. Nothing that is kept is removed.
pub fn prune(store: &Utf8Path, host: &HostName, keep: Keep, dry_run: bool) -> Result<Pruned, SnapshotError> {
    let store = DirectoryStore::new(store, host);
    let _lock = store.take_lock()?;
    let chain = Chain::read(&store, None)?;
    let readable: Vec<SnapshotNumber> = chain.readable().map(|snapshot| snapshot.document().number).collect();
    let kept = kept(&chain, keep);
    let mut pruned = readable;
    pruned.retain(|number| !kept.contains(number));
    if !dry_run {
        for number in &pruned {
            let path = store.folder().pruned(*number);
            durable::write(path.as_std_path(), 0o600, Existing::Replace, b"")
                .map_err(failed("write", &path))?;
        }
    }
    let needed = needed(&store, &chain, &kept)?;
    let (mut objects, mut bytes) = (0, 0);
    for id in objects_in(&store)? {
        if needed.contains(&id) {
            continue;
        }
        let path = store.folder().object(id);
        bytes += fs::symlink_metadata(&path).map_err(failed("look at", &path))?.len();
        objects += 1;
        if !dry_run {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(Pruned { host: host.clone(), kept: kept.into_iter().collect(), pruned, objects, bytes })
}

fn kept(chain: &Chain, keep: Keep) -> BTreeSet<SnapshotNumber> {
    let mut kept = BTreeSet::new();
    let (mut days, mut weeks) = (BTreeSet::new(), BTreeSet::new());
    for snapshot in chain.readable().rev() {
        let document = snapshot.document();
        let date = document.created.to_zoned(TimeZone::UTC).date();
        let week = date.iso_week_date();
        let of_day = days.len() < keep.daily && days.insert(date);
        let of_week = weeks.len() < keep.weekly && weeks.insert((week.year(), week.week()));
        if kept.is_empty() || of_day || of_week {
            kept.insert(document.number);
        }
    }
    kept
}

/// Returns everything that the kept snapshots need.
fn needed(
    store: &DirectoryStore,
    chain: &Chain,
    kept: &BTreeSet<SnapshotNumber>,
) -> Result<BTreeSet<ObjectId>, SnapshotError> {
    let (mut current, mut needed) = (BTreeSet::new(), BTreeSet::new());
    for snapshot in chain.snapshots() {
        store.changes(snapshot)?.apply(&mut current);
        if kept.contains(&snapshot.document().number) {
            needed.extend(current.iter().copied());
        }
    }
    Ok(needed)
}

fn objects_in(store: &DirectoryStore) -> Result<Vec<ObjectId>, SnapshotError> {
    let mut found = Vec::new();
    for kind in [ObjectKind::Frame, ObjectKind::Tree] {
        let folder = store.folder().path().join(kind.folder());
        for prefix in names_in(&folder).map_err(failed("list", &folder))? {
            let folder = folder.join(&prefix);
            let names = names_in(&folder).map_err(failed("list", &folder))?;
            // What has another name is nothing of ours, and is left alone.
            let ids = names.iter().map(|name| format!("{}/{prefix}/{name}", kind.folder()));
            found.extend(ids.filter_map(|id| id.parse::<ObjectId>().ok()));
        }
    }
    Ok(found)
}
