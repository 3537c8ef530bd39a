//! Removing trees: whatever their modes are, and never through a link.

use std::ffi::CStr;

use rayon::prelude::*;
use rustix::fs::{AtFlags, Dir, FileType, Mode, ResolveFlags};
use rustix::io::Errno;
use rustix::path::Arg;

use super::{Directory, TreeError};

impl Directory {
    /// Removes `name` and everything below it. It is no error when there is nothing.
    ///
    /// A directory without permissions is given them first (CVE-2025-6297). A crash leaves a part of the tree.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn remove_tree(&self, name: impl Arg + Copy) -> Result<(), TreeError> {
        match rustix::fs::unlinkat(self, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR) => {}
            // POSIX says EPERM for a directory; of a file it means that nobody may remove it.
            Err(Errno::PERM) if self.is_directory(name) => {}
            Err(source) => return Err(self.not_removed(name, source)),
        }
        self.open_for_removal(name)?.clear()?;
        match rustix::fs::unlinkat(self, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(source) => Err(self.not_removed(name, source)),
        }
    }

    /// Removes the directory `name` if it is empty; tells whether it is gone.
    ///
    /// # Errors
    /// When the file system refuses for another reason.
    pub fn remove_empty(&self, name: &str) -> Result<Removed, TreeError> {
        match rustix::fs::unlinkat(self, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(Removed::Yes),
            // A mount point stays, too, whatever is in it.
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY) => Ok(Removed::NotEmpty),
            Err(source) => Err(self.not_removed(name, source)),
        }
    }

    /// Removes the file or link `name`; it is no error when it is gone, or is a directory.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn remove_file(&self, name: &str) -> Result<(), TreeError> {
        match rustix::fs::unlinkat(self, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => Ok(()),
            Err(source) => Err(TreeError::remove(&self.path().join(name), source)),
        }
    }

    /// Opens the directory `name`, whatever its mode is, to change what lies in it or to move it to another parent.
    ///
    /// # Errors
    /// When it is no directory, or belongs to another account.
    pub fn open_to_change(&self, name: &str) -> Result<Self, TreeError> {
        let directory = self.open_for_removal(name)?;
        directory.make_writable()?;
        Ok(directory)
    }

    fn is_directory(&self, name: impl Arg) -> bool {
        let found = rustix::fs::statat(self, name, AtFlags::SYMLINK_NOFOLLOW);
        found.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    /// Opens a directory whose content is to be removed, and never one that something is mounted on: that belongs to somebody else.
    fn open_for_removal(&self, name: impl Arg + Copy) -> Result<Self, TreeError> {
        match self.child_of_mount(name) {
            Err(error) if error.is(Errno::XDEV) => Err(self.not_removed(name, Errno::BUSY)),
            Err(error) if error.is(Errno::ACCESS) => {
                // Not through a link: what has this name is a directory of ours, in a directory that only we write to.
                let changed = rustix::fs::chmodat(self, name, Mode::RWXU, AtFlags::empty());
                changed.map_err(|source| self.not_removed(name, source))?;
                self.child_of_mount(name)
            }
            opened => opened,
        }
    }

    fn child_of_mount(&self, name: impl Arg + Copy) -> Result<Self, TreeError> {
        let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
        let path = self.shown(&name);
        match rustix::fs::openat2(self, name, super::DIRECTORY_FLAGS, Mode::empty(), resolve) {
            Ok(handle) => Ok(Self { handle, path }),
            // Some sandboxes know no such call.
            Err(Errno::NOSYS | Errno::PERM) => {
                let child = self.child(name)?;
                let is_ours = child.shares_mount_with(self)?;
                if is_ours { Ok(child) } else { Err(TreeError::open(&path, Errno::XDEV)) }
            }
            Err(source) => Err(TreeError::open(&path, source)),
        }
    }

    fn not_removed(&self, name: impl Arg + Copy, source: Errno) -> TreeError {
        TreeError::remove(&self.shown(&name), source)
    }

    /// Removes everything in this directory.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn clear(&self) -> Result<(), TreeError> {
        let failed = |source| TreeError::remove(self.path(), source);
        rustix::fs::fchmod(self, Mode::RWXU).map_err(failed)?;
        // Names are collected first: removing while reading may skip some.
        let mut entries = Vec::new();
        for entry in Dir::read_from(self).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            entries.push((entry.file_name().to_owned(), entry.file_type()));
        }
        entries.retain(|(name, _)| !is_dots(name));
        let is_directory = |kind: FileType| matches!(kind, FileType::Directory | FileType::Unknown);
        let (directories, others): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(_, kind)| is_directory(*kind));
        for (name, kind) in &others {
            self.remove_entry(name, *kind)?;
        }
        // Side by side, on as many threads as there are processors: each holds one directory open for every level.
        match &directories[..] {
            [(name, kind)] => self.remove_entry(name, *kind),
            several => several.par_iter().try_for_each(|(name, kind)| self.remove_entry(name, *kind)),
        }
    }

    fn remove_entry(&self, name: &CStr, kind: FileType) -> Result<(), TreeError> {
        if matches!(kind, FileType::Directory | FileType::Unknown) {
            return self.remove_tree(name);
        }
        match rustix::fs::unlinkat(self, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(source) => Err(self.not_removed(name, source)),
        }
    }
}

/// Whether an empty directory was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Yes,
    /// It is not empty, or a mount point, so it stays.
    NotEmpty,
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}
