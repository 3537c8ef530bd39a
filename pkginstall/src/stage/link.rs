//! Linking: a file that another installed version has, with the same date, mode and owner, gets one more name and is not written again.
//!
//! Comes first, before anything is read or unpacked. Only files count whose stamp says that nothing has changed them since they were
//! verified (`receipts::stamps`); of all others the content is read (`take`). Two calls for a file, on as many threads as there are.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use copkg_spec::index::{Entry, EntryPath, Index};
use rustix::fs::{AtFlags, Mode as FileMode, OFlags, Stat};

use super::donors::Donors;
use super::writer::{Stack, parent, shares, side_by_side};
use crate::receipts::stamps::stamped;
use crate::tree::{Directory, TreeError};

/// The files of `index` that have been linked into `into`, whose directories are there.
pub(super) fn link_unchanged<'i>(
    index: &'i Index,
    (donors, source_date): (&Donors, u64),
    into: &Directory,
    threads: NonZeroUsize,
) -> Result<HashSet<&'i EntryPath>, TreeError> {
    let files: Vec<&Entry> = stamped(index).collect();
    let linked = Mutex::new(HashSet::with_capacity(files.len()));
    let owner = Owner::of(into)?;
    side_by_side(&shares(&files, threads), |share| {
        let mut hands =
            Linker { sources: donors.roots.iter().map(Stack::new).collect(), into: Stack::new(into) };
        let mut done = Vec::with_capacity(share.len());
        for file in share {
            if hands.link(file, (donors, source_date), owner)? {
                done.push(file.path());
            }
        }
        linked.lock().unwrap_or_else(PoisonError::into_inner).extend(done);
        Ok(())
    })?;
    Ok(linked.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Tells whether the file system makes clones, which share blocks and nothing else: better than links, where they are to be had.
pub(super) fn can_clone(donors: &Donors, index: &Index, into: &Directory) -> bool {
    const NAME: &str = ".clone";
    let candidate = stamped(index).find_map(|entry| match entry {
        Entry::File { sha256, size, .. } if *size > 0 => donors.files.get(sha256),
        _ => None,
    });
    let Some(place) = candidate else { return false };
    let mut source = Stack::new(&donors.roots[place.donor]);
    let Some(file) = super::take::open_regular(&mut source, &place.path) else { return false };
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let made = rustix::fs::openat(into, NAME, flags, FileMode::RUSR | FileMode::WUSR);
    let can = made.is_ok_and(|made| rustix::fs::ioctl_ficlone(made, file).is_ok());
    let removed = rustix::fs::unlinkat(into, NAME, AtFlags::empty());
    can && removed.is_ok()
}

/// Who a file must belong to: a file is never shared between owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    pub(super) fn of(directory: &Directory) -> Result<Self, TreeError> {
        let stat = rustix::fs::fstat(directory).map_err(|error| TreeError::open(directory.path(), error))?;
        Ok(Self::in_stat(&stat))
    }

    fn in_stat(stat: &Stat) -> Self {
        Self { user: stat.st_uid, group: stat.st_gid }
    }
}

/// Tells whether what `stat` tells of can be the file that `entry` announces, but for its content.
pub(super) fn fits(entry: &Entry, source_date: u64, owner: Owner, stat: &Stat) -> bool {
    let Entry::File { mode, size, date, .. } = entry else { return false };
    let date = i64::try_from(date.unwrap_or(source_date));
    stat.st_mode & 0o7777 == mode.read_only_bits()
        && u64::try_from(stat.st_size) == Ok(*size)
        && Ok(stat.st_mtime) == date
        && stat.st_mtime_nsec == 0
        && Owner::in_stat(stat) == owner
}

struct Linker<'l> {
    sources: Vec<Stack<'l>>,
    into: Stack<'l>,
}

impl Linker<'_> {
    /// Links a file, if its donor's is what it must be; what cannot be linked is left to whoever reads it.
    fn link(
        &mut self,
        entry: &Entry,
        (donors, source_date): (&Donors, u64),
        owner: Owner,
    ) -> Result<bool, TreeError> {
        let Entry::File { path, sha256, .. } = entry else { return Ok(false) };
        let Some(place) = donors.files.get(sha256) else { return Ok(false) };
        let source = &mut self.sources[place.donor];
        if source.enter(parent(&place.path)).is_err() {
            return Ok(false);
        }
        let Ok(Some(stat)) = source.here().look(place.path.name()) else { return Ok(false) };
        if donors.known.digest(&stat) != Some(*sha256) || !fits(entry, source_date, owner, &stat) {
            return Ok(false);
        }
        self.into.enter(parent(path))?;
        let (from, to) = (source.here(), self.into.here());
        Ok(rustix::fs::linkat(from, place.path.name(), to, path.name(), AtFlags::empty()).is_ok())
    }
}
