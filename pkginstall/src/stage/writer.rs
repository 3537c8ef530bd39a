//! The writer: puts entries on disk as they come out of the payload, each through the handle of its directory.
//!
//! Entries come in the order of a walk, so the handles of the directories above the present one are enough: a stack.
//! Links come last of all, when nothing is written any more. Modes do not depend on the umask; the time of everything
//! is the source date of the package.

use std::fs::File;
use std::io::Write as _;

use copkg_spec::archive::Sink;
use copkg_spec::index::{EntryPath, LinkTarget, Mode};
use rustix::fs::{AtFlags, Timespec, Timestamps};

use crate::tree::{Directory, TreeError};

/// Writes one tree.
pub(super) struct TreeWriter<'d> {
    root: &'d Directory,
    /// The directories from the root to the present one, with their names.
    open: Vec<(String, Directory)>,
    file: Option<(EntryPath, File)>,
    times: Timestamps,
}

impl<'d> TreeWriter<'d> {
    pub(super) fn new(root: &'d Directory, source_date: u64) -> Self {
        let time = Timespec { tv_sec: i64::try_from(source_date).unwrap_or(i64::MAX), tv_nsec: 0 };
        Self {
            root,
            open: Vec::new(),
            file: None,
            times: Timestamps { last_access: time, last_modification: time },
        }
    }

    /// Ends the tree: what is still open gets its time.
    pub(super) fn finish(mut self) -> Result<(), TreeError> {
        self.leave_to(0)?;
        self.set_time(self.root)
    }

    fn here(&self) -> &Directory {
        self.open.last().map_or(self.root, |(_, directory)| directory)
    }

    /// Makes the directory of `path` the present one.
    fn enter_parent(&mut self, path: &EntryPath) -> Result<(), TreeError> {
        let mut names: Vec<&str> = path.components().collect();
        names.pop();
        let common = self.open.iter().zip(&names).take_while(|((open, _), name)| open == *name).count();
        self.leave_to(common)?;
        for name in &names[common..] {
            let child = self.here().child(name)?;
            self.open.push(((*name).to_owned(), child));
        }
        Ok(())
    }

    /// Leaves directories until `depth` are open. A directory that is left is complete, and gets its time.
    fn leave_to(&mut self, depth: usize) -> Result<(), TreeError> {
        while self.open.len() > depth {
            if let Some((_, directory)) = self.open.pop() {
                self.set_time(&directory)?;
            }
        }
        Ok(())
    }

    fn set_time(&self, directory: &Directory) -> Result<(), TreeError> {
        rustix::fs::futimens(directory, &self.times)
            .map_err(|source| TreeError::make(directory.path(), source))
    }
}

impl Sink for TreeWriter<'_> {
    type Error = TreeError;

    fn directory(&mut self, path: &EntryPath) -> Result<(), TreeError> {
        self.enter_parent(path)?;
        let made = self.here().make(path.name(), 0o755)?;
        self.open.push((path.name().to_owned(), made));
        Ok(())
    }

    fn file(&mut self, path: &EntryPath, mode: Mode, _size: u64) -> Result<(), TreeError> {
        self.enter_parent(path)?;
        let file = self.here().create_file(path.name(), mode.bits())?;
        self.file = Some((path.clone(), file));
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), TreeError> {
        match &mut self.file {
            Some((path, file)) => {
                let at = self.root.path().join(path.as_str());
                file.write_all(bytes).map_err(|source| TreeError::Make { path: at, source })
            }
            None => Ok(()),
        }
    }

    fn end_file(&mut self) -> Result<(), TreeError> {
        let Some((path, file)) = self.file.take() else { return Ok(()) };
        rustix::fs::futimens(&file, &self.times)
            .map_err(|source| TreeError::make(&self.root.path().join(path.as_str()), source))
    }

    fn symlink(&mut self, path: &EntryPath, target: &LinkTarget) -> Result<(), TreeError> {
        self.enter_parent(path)?;
        let here = self.here();
        here.symlink(path.name(), target.as_str())?;
        rustix::fs::utimensat(here, path.name(), &self.times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|source| TreeError::make(&here.path().join(path.name()), source))
    }
}
