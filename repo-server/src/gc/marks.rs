//! The first pass: everything that the last snapshots refer to, as fingerprints of paths.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use copkg_spec::digest::Digest;
use copkg_spec::tuf::{Document, Role, Snapshot, Targets, Timestamp, Version};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::GcError;
use crate::inventory::{self, Place};
use crate::layout::StorePath;
use crate::publish::waiting_files;
use crate::storage::Storage;

/// How many roles are read at once.
const PARALLEL: usize = 8;

/// The paths that are kept, 16 bytes each, and how long the log is.
#[derive(Debug, Default)]
pub struct Marks {
    paths: HashSet<u128>,
    /// The newest snapshot: a later one is being made just now.
    pub(super) newest: u64,
    /// The size of the transparency log.
    pub(super) log_size: u64,
}

impl Marks {
    /// Marks what proposals that wait name, and what the timestamp's snapshot and those before it do, `snapshots` of them.
    ///
    /// # Errors
    /// When one of the files cannot be read.
    pub async fn of(storage: &Storage, snapshots: usize) -> Result<Self, GcError> {
        // In this order: what waits no longer when it is read is named by the snapshot that is read then.
        let waiting = waiting_files(storage).await?;
        let bytes = storage.read(&StorePath::timestamp()).await?.ok_or(GcError::NoRepository)?;
        let timestamp = Document::<Timestamp>::parse(bytes.to_vec()).map_err(GcError::Timestamp)?;
        let newest = timestamp.unverified().meta.snapshot.version;
        let mut marks = Self {
            newest: newest.number(),
            log_size: timestamp.unverified().version.number(),
            ..Self::default()
        };
        for path in waiting {
            marks.add(&path);
        }
        let mut named: HashSet<(Role, Version)> = HashSet::new();
        for version in last_snapshots(storage, newest, snapshots).await? {
            marks.add(&StorePath::metadata(&Role::Snapshot, version));
            let snapshot: Document<Snapshot> = inventory::read(storage, &Role::Snapshot, version).await?;
            named.extend(inventory::roles(snapshot.unverified()));
        }
        let read = |(role, version): (Role, Version)| async move {
            let targets: Document<Targets> = inventory::read(storage, &role, version).await?;
            let mut paths = vec![fingerprint(&StorePath::metadata(&role, version))];
            paths.extend(inventory::blobs(targets.unverified()).map(|(path, ..)| fingerprint(&path)));
            Ok::<_, GcError>(paths)
        };
        let mut read = stream::iter(named).map(read).buffer_unordered(PARALLEL);
        while let Some(paths) = read.try_next().await? {
            marks.paths.extend(paths);
        }
        drop(read);
        Ok(marks)
    }

    /// Tells whether a path is referred to.
    pub fn contains(&self, path: &StorePath) -> bool {
        self.paths.contains(&fingerprint(path))
    }

    fn add(&mut self, path: &StorePath) {
        self.paths.insert(fingerprint(path));
    }
}

/// Half of a SHA-256: two paths of a store that have the same are not to be found.
fn fingerprint(path: &StorePath) -> u128 {
    let digest = Digest::of(path.as_str().as_bytes());
    let (half, _) = digest.as_bytes().split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    u128::from_be_bytes(*half)
}

/// Returns the newest snapshots up to `newest`, at most `count`.
async fn last_snapshots(storage: &Storage, newest: Version, count: usize) -> Result<Vec<Version>, GcError> {
    let mut last: BinaryHeap<Reverse<Version>> = BinaryHeap::new();
    let mut listed = storage.list_stream("metadata")?;
    while let Some(stored) = listed.try_next().await? {
        let Place::Metadata(Role::Snapshot, version) = Place::of(stored.path.as_str()) else { continue };
        if version <= newest {
            last.push(Reverse(version));
        }
        if last.len() > count {
            last.pop();
        }
    }
    Ok(last.into_iter().map(|Reverse(version)| version).collect())
}
