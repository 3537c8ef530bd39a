//! The writer: makes directories, files and links, each through the handle of its directory.
//!
//! Entries come in the order of a walk, so the handles of the directories above the present one are enough: a stack.
//! Directories are made before any file, links when no file is written any more, and directories get their time last of
//! all. Modes do not depend on the umask; the time of everything is the source date of the package. A file is made with its
//! final mode, which lets nobody write to it; a directory loses its write permission when everything in it is there.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use copkg_spec::archive::Sink;
use copkg_spec::index::{Entry, EntryPath, Index, LinkTarget, NewFile};
use rustix::fs::{AtFlags, Mode as FileMode, Timespec, Timestamps};

use super::early::Early;
use crate::interrupt;
use crate::tree::{Directory, READ_ONLY_DIRECTORY, TreeError};

/// Makes the directories of a package, side by side.
pub(super) fn make_directories(
    index: &Index,
    root: &Directory,
    threads: NonZeroUsize,
) -> Result<(), TreeError> {
    let directories = directories(index);
    let shares = shares(&directories, threads);
    // In the order of a walk, whatever is above the directories of a share and not in it is above the first of them.
    let mut above = HashSet::new();
    let mut stack = Stack::new(root);
    for path in shares.iter().filter_map(|share| share.first()).map(|path| path.as_str()) {
        for (end, _) in path.match_indices('/').filter(|(end, _)| above.insert(&path[..*end])) {
            stack.make(&path[..end])?;
        }
    }
    side_by_side(&shares, |share| {
        let mut stack = Stack::new(root);
        let mut missing = share.iter().map(|path| path.as_str()).filter(|path| !above.contains(path));
        missing.try_for_each(|path| stack.make(path))
    })
}

/// Makes the symbolic links of a package, then gives its directories their final modes and times, side by side.
///
/// The top directory stays writable: its owner could not move it into its place otherwise.
pub(super) fn finish(
    index: &Index,
    root: &Directory,
    source_date: u64,
    threads: NonZeroUsize,
) -> Result<(), TreeError> {
    let times = &times_of(source_date);
    let mut stack = Stack::new(root);
    let mut earlier = Stack::new(root);
    for (entry, first) in index.entries().iter().filter_map(|entry| Some((entry, entry.link()?))) {
        let (path, date) = (entry.path(), index.date(entry).unwrap_or(source_date));
        stack.enter(parent(path))?;
        earlier.enter(parent(first))?;
        link_or_copy((earlier.here(), first), (stack.here(), path), &times_of(date))?;
    }
    for entry in index.entries() {
        if let Entry::Symlink { path, target } = entry {
            stack.enter(parent(path))?;
            make_link(path, target, stack.here(), times)?;
        }
    }
    side_by_side(&shares(&directories(index), threads), |share| {
        let mut stack = Stack::new(root);
        for path in share {
            stack.enter(parent(path))?;
            set_mode(path, stack.here())?;
            set_time(path, stack.here(), times)?;
        }
        Ok(())
    })?;
    rustix::fs::futimens(root, times).map_err(|source| TreeError::make(root.path(), source))
}

fn directories(index: &Index) -> Vec<&EntryPath> {
    let directories = index.entries().iter().filter_map(|entry| match entry {
        Entry::Directory { path } => Some(path),
        Entry::File { .. } | Entry::Symlink { .. } => None,
    });
    directories.collect()
}

/// Divides work among threads: each gets what lies side by side.
pub(super) fn shares<T>(all: &[T], threads: NonZeroUsize) -> Vec<&[T]> {
    all.chunks(all.len().div_ceil(threads.get()).max(1)).collect()
}

/// Does each share on a thread of its own.
pub(super) fn side_by_side<T: Sync>(
    shares: &[&[T]],
    work: impl Fn(&[T]) -> Result<(), TreeError> + Sync,
) -> Result<(), TreeError> {
    thread::scope(|scope| {
        let handles: Vec<_> = shares.iter().map(|share| scope.spawn(|| work(share))).collect();
        handles
            .into_iter()
            .try_for_each(|handle| handle.join().unwrap_or_else(|bug| std::panic::resume_unwind(bug)))
    })
}

/// Returns the times of what has the date `source_date`.
pub(super) fn times_of(source_date: u64) -> Timestamps {
    let time = Timespec { tv_sec: i64::try_from(source_date).unwrap_or(i64::MAX), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

/// Gives a file that is complete another name. It is read-only, so both names can be one file; where the file system does not link it
/// once more, it is copied.
fn link_or_copy(
    (source, first): (&Directory, &EntryPath),
    (into, path): (&Directory, &EntryPath),
    times: &Timestamps,
) -> Result<(), TreeError> {
    if rustix::fs::linkat(source, first.name(), into, path.name(), AtFlags::empty()).is_ok() {
        return Ok(());
    }
    let failed = |source: io::Error| TreeError::make(&into.path().join(path.name()), source);
    let mut content = source.open_file(first.name())?;
    let mode = content.metadata().map_err(failed)?.permissions().mode() & 0o777;
    let mut copy = into.create_file(path.name(), mode)?;
    io::copy(&mut content, &mut copy).map_err(failed)?;
    rustix::fs::futimens(&copy, times).map_err(|error| failed(error.into()))
}

fn make_link(
    path: &EntryPath,
    target: &LinkTarget,
    here: &Directory,
    times: &Timestamps,
) -> Result<(), TreeError> {
    here.symlink(path.name(), target.as_str())?;
    set_time(path, here, times)
}

/// Takes the write permission from a directory that was made here: nobody else reaches it yet, so the name is no link.
fn set_mode(path: &EntryPath, here: &Directory) -> Result<(), TreeError> {
    rustix::fs::chmodat(here, path.name(), FileMode::from_raw_mode(READ_ONLY_DIRECTORY), AtFlags::empty())
        .map_err(|source| TreeError::make(&here.path().join(path.name()), source))
}

/// Sets the time of a directory or a link, which need not be opened for that.
fn set_time(path: &EntryPath, here: &Directory, times: &Timestamps) -> Result<(), TreeError> {
    rustix::fs::utimensat(here, path.name(), times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|source| TreeError::make(&here.path().join(path.name()), source))
}

pub(super) fn parent(path: &EntryPath) -> impl Iterator<Item = &str> {
    let depth = path.components().count() - 1;
    path.components().take(depth)
}

/// The open directories from the root of a package to the present one, with their names.
pub(super) struct Stack<'d> {
    root: &'d Directory,
    open: Vec<(String, Directory)>,
}

impl<'d> Stack<'d> {
    pub(super) fn new(root: &'d Directory) -> Self {
        Self { root, open: Vec::new() }
    }

    pub(super) fn here(&self) -> &Directory {
        self.open.last().map_or(self.root, |(_, directory)| directory)
    }

    fn push(&mut self, name: &str, directory: Directory) {
        self.open.push((name.to_owned(), directory));
    }

    /// Makes the directory at `path`, whose parent is there.
    fn make(&mut self, path: &str) -> Result<(), TreeError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.enter(parent.split('/').filter(|name| !name.is_empty()))?;
        self.here().make_unfinished(name)
    }

    /// Makes the directory with these names the present one.
    pub(super) fn enter<'n>(&mut self, names: impl Iterator<Item = &'n str>) -> Result<(), TreeError> {
        interrupt::check().map_err(|source| TreeError::make(self.root.path(), source))?;
        let mut depth = 0;
        for name in names {
            if self.open.get(depth).is_none_or(|(open, _)| open != name) {
                self.open.truncate(depth);
                let child = self.here().child(name)?;
                self.push(name, child);
            }
            depth += 1;
        }
        self.open.truncate(depth);
        Ok(())
    }
}

/// Writes the files of runs, into directories that are there.
pub(super) struct FileWriter<'d> {
    stack: Stack<'d>,
    file: Option<OpenFile>,
    source_date: u64,
    linked: &'d HashSet<&'d EntryPath>,
    purpose: Purpose,
}

/// What a run is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Its files are written.
    Write,
    /// Its files are there already; only the package is checked.
    Check,
}

/// The file that is being written.
struct OpenFile {
    path: EntryPath,
    file: File,
    early: Early,
    times: Timestamps,
}

impl<'d> FileWriter<'d> {
    /// Writes files below `root`, but those that are there already. One without a date of its own gets `source_date`.
    pub(super) fn new(root: &'d Directory, source_date: u64, linked: &'d HashSet<&'d EntryPath>) -> Self {
        Self { stack: Stack::new(root), file: None, source_date, linked, purpose: Purpose::Write }
    }

    /// Says what the next run is read for.
    pub(super) fn begin(&mut self, purpose: Purpose) {
        self.purpose = purpose;
    }

    /// Leaves the file that is being written.
    pub(super) fn abandon(&mut self) {
        self.file = None;
    }

    fn failed(&self, path: &EntryPath, source: impl Into<io::Error>) -> TreeError {
        TreeError::make(&self.stack.root.path().join(path.as_str()), source)
    }
}

impl Sink for FileWriter<'_> {
    type Error = TreeError;

    fn directory(&mut self, _made: &EntryPath) -> Result<(), TreeError> {
        Ok(())
    }

    fn file(&mut self, NewFile { path, mode, date, .. }: NewFile<'_>) -> Result<(), TreeError> {
        if self.purpose == Purpose::Check || self.linked.contains(path) {
            return Ok(());
        }
        self.stack.enter(parent(path))?;
        let file = self.stack.here().create_file(path.name(), mode.read_only_bits())?;
        let times = times_of(date.unwrap_or(self.source_date));
        self.file = Some(OpenFile { path: path.clone(), file, early: Early::default(), times });
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), TreeError> {
        let Some(OpenFile { path, file, early, .. }) = &mut self.file else { return Ok(()) };
        if let Err(source) = file.write_all(bytes) {
            return Err(TreeError::make(&self.stack.root.path().join(path.as_str()), source));
        }
        early.wrote(file, bytes.len());
        Ok(())
    }

    fn end_file(&mut self) -> Result<(), TreeError> {
        let Some(OpenFile { path, file, times, .. }) = self.file.take() else { return Ok(()) };
        rustix::fs::futimens(&file, &times).map_err(|source| self.failed(&path, source))
    }

    fn link(&mut self, _later: &EntryPath, _earlier: &EntryPath) -> Result<(), TreeError> {
        Ok(())
    }

    fn symlink(&mut self, _later: &EntryPath, _target: &LinkTarget) -> Result<(), TreeError> {
        Ok(())
    }
}
