//! Lists a directory tree, sorted, without following a link.

use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::limits::PATH_LEVELS;
use copkg_spec::policy::{Refused, Rule};
use rayon::prelude::*;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::refusals::{RefusalList, Refusals};

/// One thing in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is, relative to the root of the tree.
    pub path: PathBuf,
    /// What it is.
    pub kind: FoundKind,
}

/// What is found in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundKind {
    /// A directory.
    Directory {
        /// Its permission bits.
        mode: u32,
    },
    /// A regular file.
    File {
        /// Its permission bits.
        mode: u32,
        /// Bytes of content.
        size: u64,
        /// What changes when the content does.
        stamp: Stamp,
    },
    /// A symbolic link.
    Symlink {
        /// Where it leads.
        target: PathBuf,
    },
    /// What no package may hold: a device, a pipe, a socket.
    Special {
        /// The rule that it breaks.
        rule: Rule,
    },
}

impl Found {
    fn is_directory(&self) -> bool {
        matches!(self.kind, FoundKind::Directory { .. })
    }
}

/// What the file system changes when it changes a file: nobody can set the last part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    inode: u64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Stamp {
    /// Takes the stamp out of what the file system says.
    pub fn of(stat: &Stat) -> Self {
        Self {
            inode: stat.st_ino,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Returns when the file was changed last, in nanoseconds since 1970.
    pub fn changed_nanoseconds(&self) -> i128 {
        i128::from(self.changed.0) * 1_000_000_000 + i128::from(self.changed.1)
    }

    /// Tells whether the file system seems to count whole seconds.
    pub fn is_coarse(&self) -> bool {
        self.changed.1 == 0
    }

    /// Returns the stamp as bytes, all of it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let seconds = [self.modified.0, self.changed.0].map(i64::to_be_bytes);
        let rest = [self.inode, self.modified.1, self.changed.1].map(u64::to_be_bytes);
        seconds.into_iter().chain(rest).flatten().collect()
    }
}

/// Lists what is below `root`, each directory before what it holds, without what is left out.
///
/// A directory that holds nothing else is left out with it; one that is empty is not. Directories are read side by side.
///
/// # Errors
/// When a directory cannot be read, or is too deep.
pub fn list(root: &Path, is_left_out: impl Fn(&Path) -> bool + Sync) -> Result<Vec<Found>, ListError> {
    let listing = Listing { root, is_left_out: &is_left_out };
    let handle = rustix::fs::open(root, DIRECTORY | OFlags::DIRECTORY, Mode::empty());
    let handle = handle.map_err(|source| listing.unreadable(Path::new(""), source))?;
    let mut found = listing.directory(&handle, Path::new(""), 0)?.unwrap_or_default();
    // It is kept until the end of the build, and has room for twice as much.
    found.shrink_to_fit();
    Ok(found)
}

/// Checks that there is no device, pipe or socket in what was found.
///
/// # Errors
/// With all of them, when there is one.
pub(super) fn refuse_special(found: &[Found]) -> Result<(), ListError> {
    let mut list = RefusalList::default();
    for Found { path, kind } in found {
        if let FoundKind::Special { rule } = kind {
            list.add(Refused::new(path.as_os_str().as_bytes(), rule.clone()));
        }
    }
    Refusals::of(list).map_or(Ok(()), |refusals| Err(refusals.into()))
}

/// A tree that was listed. What is in it is known by its number from here on: a number is less than a path.
#[derive(Debug)]
pub struct Listed {
    root: PathBuf,
    found: Vec<Found>,
}

impl Listed {
    pub(super) fn new(root: PathBuf, found: Vec<Found>) -> Self {
        Self { root, found }
    }

    /// Returns everything in it, in the order of the numbers.
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// Returns where the entry with this number is on the disk.
    ///
    /// # Panics
    /// When the number is that of no entry.
    pub fn path(&self, number: usize) -> PathBuf {
        self.root.join(&self.found[number].path)
    }

    /// Returns the number of what is at `path` on the disk.
    pub fn number(&self, path: &Path) -> Option<usize> {
        let below = path.strip_prefix(&self.root).ok()?.as_os_str();
        self.found.iter().position(|found| found.path.as_os_str() == below)
    }

    /// Returns the numbers of what a [`list`] of the directory `top`, a path in the tree, would find; `None` where there was no
    /// such directory, as when the way there leads through a link.
    pub fn within(&self, top: &Path, is_left_out: impl Fn(&Path) -> bool) -> Option<Vec<usize>> {
        let mut kept = Vec::new();
        if top.as_os_str().is_empty() {
            self.keep(0..self.found.len(), 0, &is_left_out, &mut kept);
        } else {
            let at = self.found.iter().position(|found| found.is_directory() && found.path == top)?;
            self.keep(self.inside(at), self.found[at].path.as_os_str().len() + 1, &is_left_out, &mut kept);
        }
        Some(kept)
    }

    /// Keeps what is not left out, by its path without the first `skipped` bytes, and no directory that held nothing else.
    fn keep(
        &self,
        range: Range<usize>,
        skipped: usize,
        is_left_out: &impl Fn(&Path) -> bool,
        kept: &mut Vec<usize>,
    ) {
        let mut at = range.start;
        while at < range.end {
            let inside = self.inside(at);
            let next = inside.end;
            let path = &self.found[at].path.as_os_str().as_bytes()[skipped..];
            if !is_left_out(Path::new(OsStr::from_bytes(path))) {
                let before = kept.len();
                kept.push(at);
                let was_empty = inside.is_empty();
                self.keep(inside, skipped, is_left_out, kept);
                if !was_empty && kept.len() == before + 1 {
                    kept.truncate(before);
                }
            }
            at = next;
        }
    }

    /// Returns the numbers of what is below an entry: they follow its own.
    fn inside(&self, at: usize) -> Range<usize> {
        let (found, first) = (&self.found[at], at + 1);
        if !found.is_directory() {
            return first..first;
        }
        let top = found.path.as_os_str().as_bytes();
        let is_below = |found: &Found| {
            let rest = found.path.as_os_str().as_bytes().strip_prefix(top);
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        };
        first..first + self.found[first..].partition_point(is_below)
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

struct Listing<'a> {
    root: &'a Path,
    is_left_out: &'a (dyn Fn(&Path) -> bool + Sync),
}

impl Listing<'_> {
    /// Lists one directory with all below it; `None` where it holds nothing but what is left out: `--out dist` must not
    /// change the source.
    fn directory(
        &self,
        handle: &OwnedFd,
        path: &Path,
        level: usize,
    ) -> Result<Option<Vec<Found>>, ListError> {
        // A tree deeper than any package may be would also exhaust the stack.
        if level > PATH_LEVELS {
            return Err(Refused::new(path.as_os_str().as_bytes(), Rule::TooDeep(level)).into());
        }
        let names = self.names(handle, path)?;
        let was_empty = names.is_empty();
        let mut here = Vec::with_capacity(names.len());
        for name in names {
            let below = path.join(&name);
            if !(self.is_left_out)(&below) {
                let kind = self.look(handle, &name, &below)?;
                here.push((name, Found { path: below, kind }));
            }
        }
        let listed: Result<Vec<_>, ListError> = if here.iter().any(|(_, found)| found.is_directory()) {
            here.into_par_iter().map(|(name, found)| self.below(handle, &name, found, level)).collect()
        } else {
            Ok(here.into_iter().map(|(_, found)| vec![found]).collect())
        };
        let found: Vec<Found> = listed?.into_iter().flatten().collect();
        Ok((was_empty || !found.is_empty()).then_some(found))
    }

    /// Returns an entry, with what it holds if it is a directory.
    fn below(
        &self,
        parent: &OwnedFd,
        name: &OsStr,
        found: Found,
        level: usize,
    ) -> Result<Vec<Found>, ListError> {
        if !found.is_directory() {
            return Ok(vec![found]);
        }
        let opened = rustix::fs::openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        let handle = opened.map_err(|source| self.unreadable(&found.path, source))?;
        let Some(mut below) = self.directory(&handle, &found.path, level + 1)? else { return Ok(Vec::new()) };
        below.insert(0, found);
        Ok(below)
    }

    fn names(&self, handle: &OwnedFd, path: &Path) -> Result<Vec<OsString>, ListError> {
        let read = |source| self.unreadable(path, source);
        let mut names = Vec::new();
        for entry in Dir::read_from(handle).map_err(read)? {
            let entry = entry.map_err(read)?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn look(&self, parent: &OwnedFd, name: &OsStr, path: &Path) -> Result<FoundKind, ListError> {
        let read = |source| self.unreadable(path, source);
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(read)?;
        let mode = stat.st_mode & 0o7777;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Ok(FoundKind::Directory { mode }),
            FileType::RegularFile => Ok(FoundKind::File {
                mode,
                size: u64::try_from(stat.st_size).unwrap_or_default(),
                stamp: Stamp::of(&stat),
            }),
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(parent, name, Vec::new()).map_err(read)?;
                Ok(FoundKind::Symlink { target: OsString::from_vec(target.into_bytes()).into() })
            }
            FileType::Fifo => Ok(FoundKind::Special { rule: Rule::Fifo }),
            FileType::Socket => Ok(FoundKind::Special { rule: Rule::Socket }),
            _ => Ok(FoundKind::Special { rule: Rule::Device }),
        }
    }

    fn unreadable(&self, path: &Path, source: Errno) -> ListError {
        // Without the slash that joining nothing leaves at the end.
        let path = if path.as_os_str().is_empty() { self.root.to_owned() } else { self.root.join(path) };
        ListError::Read { path, source: source.into() }
    }
}

/// Says why a tree cannot be listed.
#[derive(Debug, Error)]
pub enum ListError {
    /// A part of it cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is too deep.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It holds what no package may hold.
    #[error(transparent)]
    Special(#[from] Refusals),
}

impl Explain for ListError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { .. } => Exit::Failure,
            Self::Refused(error) => error.exit(),
            Self::Special(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "source_unreadable",
            Self::Refused(error) => error.code(),
            Self::Special(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(
                "a source must be readable for whoever builds; leave it out with `excludes` if it is none"
                    .into(),
            ),
            Self::Read { .. } => None,
            Self::Special(error) => error.hint(),
            Self::Refused(_) => Some("leave it out with `excludes` in the recipe".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_part_of_a_listing_is_what_a_listing_of_the_part_is() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["a/empty", "a/b/only/left", "a-b", "a/c"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        for file in ["a/b/only/left/x.out", "a/b/y.out", "a/b/z", "a/c/x.out", "a-b/f", "top"] {
            fs::write(root.path().join(file), file).unwrap();
        }
        std::os::unix::fs::symlink("a", root.path().join("link")).unwrap();
        let is_left_out = |path: &Path| path.extension().is_some_and(|extension| extension == "out");
        let listed = Listed::new(root.path().to_owned(), list(root.path(), |_| false).unwrap());
        for top in ["", "a", "a/b", "a/empty", "a/c", "a-b"] {
            let at = root.path().join(top);
            let anew: Vec<_> =
                list(&at, is_left_out).unwrap().into_iter().map(|found| at.join(found.path)).collect();
            let within = listed.within(Path::new(top), is_left_out).unwrap();
            assert_eq!(within.iter().map(|&number| listed.path(number)).collect::<Vec<_>>(), anew, "{top}");
            assert!(
                within.iter().all(|&number| listed.number(&listed.path(number)) == Some(number)),
                "{top}"
            );
        }
        for elsewhere in ["link", "top", "nowhere"] {
            assert_eq!(listed.within(Path::new(elsewhere), is_left_out), None, "{elsewhere}");
        }
    }
}
