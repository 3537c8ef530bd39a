//! The stamps of a tree that is complete, before anybody else can reach it, and again when another version that shares its files goes.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::index::{Entry, EntryPath, Index};
use rustix::fs::Stat;

use super::donors::MOST_DONORS;
use super::writer::{Stack, parent, shares, side_by_side};
use crate::host::Prefix;
use crate::patch::installed_last;
use crate::receipts::stamps::{self, FileStamp, stamped};
use crate::receipts::{self, Receipt};
use crate::tree::{Directory, TreeError};

/// Returns the stamps of the files of `index` below `root`, in their order; none where one of them cannot be had.
pub(super) fn stamps(
    index: &Index,
    root: &Directory,
    threads: NonZeroUsize,
) -> Result<Vec<FileStamp>, TreeError> {
    let files: Vec<(usize, &Entry)> = stamped(index).enumerate().collect();
    let found = Mutex::new(Vec::with_capacity(files.len()));
    side_by_side(&shares(&files, threads), |share| {
        let mut stack = Stack::new(root);
        let mut stamps = Vec::with_capacity(share.len());
        for (place, file) in share {
            stack.enter(parent(file.path()))?;
            let stamp = stack.here().look(file.path().name())?.as_ref().and_then(FileStamp::of);
            stamps.extend(stamp.map(|stamp| (*place, stamp)));
        }
        found.lock().unwrap_or_else(PoisonError::into_inner).extend(stamps);
        Ok(())
    })?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_unstable_by_key(|(place, _)| *place);
    let is_whole = found.len() == files.len();
    Ok(if is_whole { found.into_iter().map(|(_, stamp)| stamp).collect() } else { Vec::new() })
}

/// The files of versions that stay which may have a name in a version that is removed: one name less changes their change time, so
/// that their stamps are renewed afterwards.
#[derive(Debug, Default)]
pub struct SharedFiles {
    versions: Vec<SharedWith>,
}

#[derive(Debug)]
struct SharedWith {
    receipt: Receipt,
    root: Directory,
    stamps: Vec<FileStamp>,
    /// The places of their stamps, and where they are.
    files: Vec<(usize, EntryPath)>,
}

impl SharedFiles {
    /// Finds the files of other versions of `package` that have several names and are what was verified.
    pub fn of(prefix: &Prefix, package: &PackageCoordinate) -> Self {
        let others = installed_last(prefix, package, MOST_DONORS);
        Self { versions: others.into_iter().filter_map(|receipt| SharedWith::of(prefix, receipt)).collect() }
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// Stamps them again. A version that is not installed any more is passed over.
    pub fn renew(self, prefix: &Prefix) {
        for SharedWith { receipt, root, mut stamps, files } in self.versions {
            let mut stack = Stack::new(&root);
            for (place, path) in files {
                if let Some(stat) = look(&mut stack, &path)
                    && let Some(stamp) = FileStamp::of(&stat)
                {
                    stamps[place] = stamp;
                }
            }
            let is_same = |found: Receipt| found.digest == receipt.digest;
            if receipts::read(prefix, &receipt.package).ok().flatten().is_some_and(is_same) {
                stamps::write(prefix, (&receipt.package, receipt.digest), &stamps);
            }
        }
    }
}

impl SharedWith {
    fn of(prefix: &Prefix, receipt: Receipt) -> Option<Self> {
        let stamps = stamps::read(prefix, (&receipt.package, receipt.digest))?;
        let root = Directory::open(&prefix.install_dir(&receipt.package)).ok()?;
        let contents = receipts::contents(prefix, &receipt).ok()?;
        let mut stack = Stack::new(&root);
        let mut files = Vec::new();
        for (place, (stamp, entry)) in stamps.iter().zip(stamped(contents.index())).enumerate() {
            let Some(stat) = look(&mut stack, entry.path()) else { continue };
            if stat.st_nlink > 1 && FileStamp::of(&stat) == Some(*stamp) {
                files.push((place, entry.path().clone()));
            }
        }
        (!files.is_empty()).then_some(Self { receipt, root, stamps, files })
    }
}

fn look(stack: &mut Stack<'_>, path: &EntryPath) -> Option<Stat> {
    stack.enter(parent(path)).ok()?;
    stack.here().look(path.name()).ok().flatten()
}
