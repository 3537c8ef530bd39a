//! Removing trees: whatever their modes are, and never through a link.

use std::ffi::CStr;

use rayon::prelude::*;
use rustix::fs::{AtFlags, Dir, FileType, Mode};
use rustix::io::Errno;

use super::{Directory, TreeError};

impl Directory {
    /// Removes `name` and everything below it. It is no error when there is nothing.
    ///
    /// A directory without permissions is given them first (CVE-2025-6297). A crash leaves a part of the tree.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn remove_tree(&self, name: &str) -> Result<(), TreeError> {
        match rustix::fs::unlinkat(self, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            // Linux says EISDIR for a directory, POSIX says EPERM.
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(source) => return Err(TreeError::remove(&self.path().join(name), source)),
        }
        self.open_for_removal(name)?.clear()?;
        self.remove_empty(name).map(|_| ())
    }

    /// Removes the directory `name` if it is empty; tells whether it is gone.
    ///
    /// # Errors
    /// When the file system refuses for another reason.
    pub fn remove_empty(&self, name: &str) -> Result<Removed, TreeError> {
        match rustix::fs::unlinkat(self, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(Removed::Yes),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(Removed::NotEmpty),
            Err(source) => Err(TreeError::remove(&self.path().join(name), source)),
        }
    }

    fn open_for_removal(&self, name: &str) -> Result<Self, TreeError> {
        match self.child(name) {
            Err(error) if error.is(Errno::ACCESS) => {
                // Not through a link: what has this name is a directory of ours, in a directory that only we write to.
                let changed = rustix::fs::chmodat(self, name, Mode::RWXU, AtFlags::empty());
                changed.map_err(|source| TreeError::remove(&self.path().join(name), source))?;
                self.child(name)
            }
            opened => opened,
        }
    }

    /// Removes everything in this directory.
    fn clear(&self) -> Result<(), TreeError> {
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
        if let (Ok(text), FileType::Directory | FileType::Unknown) = (name.to_str(), kind) {
            return self.remove_tree(text);
        }
        match rustix::fs::unlinkat(self, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(source) => Err(TreeError::remove(&self.path().join(name.to_string_lossy().as_ref()), source)),
        }
    }
}

/// Whether an empty directory was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Yes,
    /// It is not empty, so it stays.
    NotEmpty,
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}
