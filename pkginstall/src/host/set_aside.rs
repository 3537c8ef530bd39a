//! Setting aside: what lies in a package's tree and is not the package's survives the removal of the package.
//!
//! Comes in a removal, once the tree has left its place and before its files are deleted. A tree that holds only what was
//! signed is deleted as it is. Any other is moved to `software/.set-aside`, on the same file system, and the package's own
//! files are taken out of it there; nothing ever deletes the rest. The head of the package, which says what belongs to it,
//! goes last, so a removal that was interrupted here can be repeated.

use std::collections::BTreeSet;
use std::fmt;

use camino::Utf8PathBuf;
use copkg_spec::archive::Contents;
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::index::{Entry, EntryPath};
use rustix::io::Errno;

use super::{HostError, OperationId, Prefix};
use crate::audit;
use crate::receipts;
use crate::tree::{Directory, TreeError, if_there};

/// How many names a message has.
const SHOWN: usize = 5;
/// How much of the operation's name makes the place unique.
const ID_DIGITS: usize = 8;
/// The last part of [`Prefix::set_aside`].
const SET_ASIDE: &str = ".set-aside";

/// Files that lay in a package which was removed, and were not the package's.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ForeignFiles {
    /// The package.
    pub package: PackageCoordinate,
    /// The directory in which they are, with the paths that they had below the package.
    pub path: Utf8PathBuf,
    /// These paths; of a directory that was added its own only. None when it is not known which files were the package's,
    /// and all are kept.
    pub names: Vec<String>,
}

impl fmt::Display for ForeignFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, path, names } = self;
        if names.is_empty() {
            return write!(f, "{package}: its head cannot be read, so all of its files were kept in {path}");
        }
        write!(f, "{package}: files that are not the package's were kept in {path}: {}", shown(names))
    }
}

/// Shows the first of some names.
pub fn shown(names: &[String]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let first = names[..names.len().min(SHOWN)].join(", ");
    if more == 0 { first } else { format!("{first}, and {more} more") }
}

/// Returns what lies in the place of an installed package and is not the package's.
///
/// # Errors
/// When the tree or the package's head cannot be read.
pub fn foreign(prefix: &Prefix, package: &PackageCoordinate) -> Result<Vec<String>, HostError> {
    let Some(receipt) = receipts::read(prefix, package)? else { return Ok(Vec::new()) };
    let Some(tree) = if_there(Directory::open(&prefix.install_dir(package)))? else { return Ok(Vec::new()) };
    let contents = receipts::contents(prefix, &receipt)?;
    Ok(audit::foreign(&tree, contents.index(), contents.manifest().source_date())?)
}

/// Keeps what is not the package's of the tree that an operation took away; `None` when there is nothing of that kind.
pub(super) fn set_aside(
    prefix: &Prefix,
    id: &OperationId,
    package: &PackageCoordinate,
) -> Result<Option<ForeignFiles>, HostError> {
    let staging = Directory::open(&prefix.staging())?;
    let name = name_of(id, package);
    let path = prefix.set_aside().join(&name);
    let contents = receipts::withdrawn(prefix, package);
    // Without a head, an earlier attempt has been here and left nothing that is to be kept.
    let Some(contents) = contents.as_ref().map_or(Some(None), |found| found.as_ref().map(Some)) else {
        return Ok(None);
    };
    if let Some(tree) = if_there(staging.child(id.as_str()))? {
        let names = match contents {
            Some(contents) => foreign_of(&tree, contents)?,
            None => Vec::new(),
        };
        if contents.is_some() && names.is_empty() {
            return Ok(None);
        }
        let place = Directory::open(&prefix.software())?.open_or_make(SET_ASIDE)?;
        tree.make_writable()?;
        staging.rename(id.as_str(), &place, &name)?;
        place.sync()?;
        staging.sync()?;
    }
    let Some(place) = if_there(Directory::open(&prefix.set_aside()))? else { return Ok(None) };
    let Some(tree) = if_there(place.child(&name))? else { return Ok(None) };
    let mut kept = ForeignFiles { package: package.clone(), path, names: Vec::new() };
    if let Some(contents) = contents {
        kept.names = foreign_of(&tree, contents)?;
        take_out(&tree, contents.index().entries(), &kept.names)?;
    }
    Ok(Some(kept))
}

/// Finds what is not the package's in a tree that nobody uses any more, whatever the modes of its directories are.
fn foreign_of(tree: &Directory, contents: &Contents) -> Result<Vec<String>, TreeError> {
    let (index, source_date) = (contents.index(), contents.manifest().source_date());
    match audit::foreign(tree, index, source_date) {
        Err(error) if error.is(Errno::ACCESS) => {
            for path in index.entries().iter().map(Entry::path) {
                open_parent(tree, path)?;
            }
            audit::foreign(tree, index, source_date)
        }
        found => found,
    }
}

fn name_of(id: &OperationId, package: &PackageCoordinate) -> String {
    format!("{package}.{}", &id.as_str()[..ID_DIGITS.min(id.as_str().len())])
}

/// Removes the entries of a package from `tree`, but those at the paths of `keep`, and the directories that are empty then. A
/// directory that something is mounted on stays, with what lies below the mount.
fn take_out(tree: &Directory, entries: &[Entry], keep: &[String]) -> Result<(), TreeError> {
    let keep: BTreeSet<&str> = keep.iter().map(String::as_str).collect();
    // What lies in a directory comes after it.
    for entry in entries.iter().rev().filter(|entry| !keep.contains(entry.path().as_str())) {
        // Where a directory of the package is something else now, or a mount point, nothing of the package can be reached in it.
        let Some(parent) = open_parent(tree, entry.path())? else { continue };
        match entry {
            Entry::Directory { path } => {
                if parent.look(path.name())?.is_some() {
                    // Whoever kept files in it may want to move them.
                    match parent.open_to_change(path.name()) {
                        Err(error) if error.is(Errno::BUSY) => {}
                        opened => {
                            opened?;
                            parent.remove_empty(path.name())?;
                        }
                    }
                }
            }
            Entry::File { path, .. } | Entry::Symlink { path, .. } => parent.remove_file(path.name())?,
        }
    }
    Ok(())
}

fn open_parent(tree: &Directory, path: &EntryPath) -> Result<Option<Directory>, TreeError> {
    let mut here = tree.child(".")?;
    for name in path.parent().unwrap_or("").split('/').filter(|name| !name.is_empty()) {
        here = match here.open_to_change(name) {
            Ok(next) => next,
            Err(error) if error.is_not_a_directory() || error.is(Errno::BUSY) => return Ok(None),
            Err(error) => return Err(error),
        };
    }
    Ok(Some(here))
}
