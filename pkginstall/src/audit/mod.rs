//! The audit: whether an installed tree still is what its index says.
//!
//! Comes any time after activation, for `verify`, and before a removal, which keeps what is not the package's. The index is
//! the one that was signed (its digest is in the receipt), the tree is read through directory handles, directories in parallel.
//! Nothing is changed.

use std::collections::BTreeMap;

use copkg_spec::digest::Digest;
use copkg_spec::index::{Entry, EntryPath, Index};
use rayon::prelude::*;
use rustix::fs::{FileType, Stat};
use serde::Serialize;

use crate::tree::{Directory, TreeError, if_there};

/// One way in which a tree is not what its index says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// Where, below the install path; `.` is the install path itself.
    pub path: String,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What is different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum What {
    /// It is not there.
    Missing,
    /// It is there and should not be.
    Added,
    /// Its content is another one.
    Changed,
    /// Its mode is another one.
    Mode {
        /// The mode that it should have.
        expected: String,
        /// The mode that it has.
        found: String,
    },
    /// It leads elsewhere.
    Link {
        /// Where it should lead.
        expected: String,
        /// Where it leads.
        found: String,
    },
    /// It is a file where there should be a directory, or the like.
    Type {
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = &self.path;
        match &self.what {
            What::Missing => write!(f, "missing  {path}"),
            What::Added => write!(f, "added    {path}"),
            What::Changed => write!(f, "changed  {path}"),
            What::Mode { expected, found } => {
                let writable = u32::from_str_radix(found, 8).is_ok_and(|mode| mode & WRITABLE != 0);
                let writable = if writable && !expected.contains(['6', '7']) { ", writable" } else { "" };
                write!(f, "mode     {path} ({found}{writable}, expected {expected})")
            }
            What::Link { expected, found } => write!(f, "link     {path} (to {found}, expected {expected})"),
            What::Type { expected, found } => write!(f, "type     {path} (a {found}, expected a {expected})"),
        }
    }
}

/// The bits of a mode that let somebody write.
const WRITABLE: u32 = 0o222;

/// The mode that every directory of a package is signed with.
const DIRECTORY: u32 = 0o755;

/// Which modes an installed tree has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modes {
    /// 0444, 0555 and, for directories, 0555.
    ReadOnly,
    /// The signed ones, as earlier versions of this program installed them, or those.
    Signed,
}

/// Which files are read to find out whether their content is the signed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// All.
    Everything,
    /// Those whose modification time is another one than an installation gave them: their own, else this, in seconds.
    Touched(u64),
}

#[derive(Debug, Clone, Copy)]
struct Audit<'i> {
    index: &'i Index,
    modes: Modes,
    reading: Reading,
}

/// Compares the tree at `root` with `index`, and returns the differences in the order of their paths.
///
/// # Errors
/// When the tree cannot be read.
pub fn audit(root: &Directory, index: &Index, modes: Modes) -> Result<Vec<Difference>, TreeError> {
    compare(root, Audit { index, modes, reading: Reading::Everything })
}

/// Returns the paths in the tree at `root` that are not the package's: what was added to it, and what was changed. Of a
/// directory that was added, its own path only. Files that have the date that they were installed with count as unchanged.
///
/// # Errors
/// When the tree cannot be read.
pub fn foreign(root: &Directory, index: &Index, source_date: u64) -> Result<Vec<String>, TreeError> {
    let reading = Reading::Touched(source_date);
    let differences = compare(root, Audit { index, modes: Modes::ReadOnly, reading })?;
    let is_foreign = |what: &What| !matches!(what, What::Missing | What::Mode { .. });
    Ok(differences.into_iter().filter(|one| is_foreign(&one.what)).map(|one| one.path).collect())
}

fn compare(root: &Directory, audit: Audit<'_>) -> Result<Vec<Difference>, TreeError> {
    let mut directories: BTreeMap<&str, Vec<&Entry>> = BTreeMap::from([("", Vec::new())]);
    for entry in audit.index.entries() {
        directories.entry(entry.path().parent().unwrap_or("")).or_default().push(entry);
        if let Entry::Directory { path } = entry {
            directories.entry(path.as_str()).or_default();
        }
    }
    let checked: Result<Vec<_>, TreeError> =
        directories.par_iter().map(|(path, entries)| audit.directory(root, path, entries)).collect();
    let mut differences: Vec<Difference> = checked?.into_iter().flatten().collect();
    differences.sort();
    Ok(differences)
}

impl Audit<'_> {
    /// Compares one directory, and the files in it, with what it should hold.
    fn directory(
        self,
        root: &Directory,
        path: &str,
        entries: &[&Entry],
    ) -> Result<Vec<Difference>, TreeError> {
        // A directory that is missing, or has become something else, is reported by the one that holds it.
        let opened = root.descend(path);
        let not_there =
            |error: &TreeError| error.is(rustix::io::Errno::NOTDIR) || error.is(rustix::io::Errno::LOOP);
        let directory = match opened {
            Err(error) if not_there(&error) => return Ok(Vec::new()),
            opened => match if_there(opened)? {
                None => return Ok(Vec::new()),
                Some(directory) => directory,
            },
        };
        let mut differences = Vec::new();
        if path.is_empty() {
            let stat = directory.look(".")?;
            differences.extend(stat.and_then(|stat| self.mode_difference(".", &stat, DIRECTORY)));
        }
        for entry in entries {
            differences.extend(self.entry(&directory, entry)?);
        }
        for name in directory.names()? {
            // Siblings stand in the order of their names.
            if entries.binary_search_by(|entry| entry.path().name().cmp(name.as_str())).is_err() {
                let path = if path.is_empty() { name } else { format!("{path}/{name}") };
                differences.push(Difference { path, what: What::Added });
            }
        }
        Ok(differences)
    }

    fn entry(self, directory: &Directory, entry: &Entry) -> Result<Vec<Difference>, TreeError> {
        let path = entry.path();
        let one = |what| vec![Difference { path: path.as_str().to_owned(), what }];
        let Some(stat) = directory.look(path.name())? else { return Ok(one(What::Missing)) };
        let (expected, found) = (type_of_entry(entry), type_of(&stat));
        if expected != found {
            return Ok(one(What::Type { expected, found }));
        }
        Ok(match entry {
            Entry::Directory { .. } => {
                self.mode_difference(path.as_str(), &stat, DIRECTORY).into_iter().collect()
            }
            Entry::File { mode, size, sha256, .. } => {
                let mut differences: Vec<_> =
                    self.mode_difference(path.as_str(), &stat, mode.bits()).into_iter().collect();
                let same_size = u64::try_from(stat.st_size) == Ok(*size);
                if !same_size || (self.reads(entry, &stat) && digest(directory, path)? != *sha256) {
                    differences.extend(one(What::Changed));
                }
                differences
            }
            Entry::Symlink { target, .. } => {
                let found = directory.link_target(path.name())?;
                let expected = target.as_str().to_owned();
                if found == expected { Vec::new() } else { one(What::Link { expected, found }) }
            }
        })
    }

    /// Compares a mode with those that an installed file or directory may have, which was signed with `signed`.
    fn mode_difference(self, path: &str, stat: &Stat, signed: u32) -> Option<Difference> {
        let read_only = signed & !WRITABLE;
        let found = stat.st_mode & 0o7777;
        let (is_right, expected) = match self.modes {
            Modes::ReadOnly => (found == read_only, read_only),
            // A repair makes it read-only.
            Modes::Signed => (found == signed || found == read_only, signed),
        };
        let text = |mode: u32| format!("{mode:04o}");
        (!is_right).then(|| Difference {
            path: path.to_owned(),
            what: What::Mode { expected: text(expected), found: text(found) },
        })
    }

    fn reads(self, entry: &Entry, stat: &Stat) -> bool {
        match self.reading {
            Reading::Everything => true,
            Reading::Touched(source_date) => {
                let date = i64::try_from(self.index.date(entry).unwrap_or(source_date));
                Ok(stat.st_mtime) != date || stat.st_mtime_nsec != 0
            }
        }
    }
}

fn digest(directory: &Directory, path: &EntryPath) -> Result<Digest, TreeError> {
    let file = directory.open_file(path.name())?;
    Digest::of_reader(file).map_err(|source| TreeError::open(&directory.path().join(path.name()), source))
}

fn type_of_entry(entry: &Entry) -> &'static str {
    match entry {
        Entry::Directory { .. } => "directory",
        Entry::File { .. } => "file",
        Entry::Symlink { .. } => "link",
    }
}

fn type_of(stat: &Stat) -> &'static str {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => "directory",
        FileType::RegularFile => "file",
        FileType::Symlink => "link",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        _ => "device",
    }
}
