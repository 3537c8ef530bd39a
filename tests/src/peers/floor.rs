//! The floor: the files of a tree written from memory, as fast as this machine can, as durable as an installation.
//!
//! Before it: a tree on disk, read into memory; after it: the same tree elsewhere. Each thread takes a directory after the
//! other, opens it once and creates its files through the handle; one `syncfs` makes all of it durable. No installer can be
//! faster without leaving work out, so installers are measured by it.

use std::fs;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat, symlinkat, syncfs};

/// Whether what was written is on the disk when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is: one `syncfs` ends the writing.
    Synced,
    /// It is left to the kernel.
    Left,
}

/// A tree in memory.
#[derive(Debug, Default)]
pub struct Tree {
    directories: Vec<Directory>,
}

#[derive(Debug, Default)]
struct Directory {
    /// Relative to the top, which is empty.
    path: PathBuf,
    files: Vec<File>,
    links: Vec<(PathBuf, PathBuf)>,
}

#[derive(Debug)]
struct File {
    name: PathBuf,
    mode: u32,
    bytes: Vec<u8>,
}

impl Tree {
    /// Reads a tree.
    ///
    /// # Errors
    /// When something of it cannot be read.
    pub fn read(top: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        let mut open = vec![PathBuf::new()];
        while let Some(path) = open.pop() {
            let mut directory = Directory { path: path.clone(), ..Directory::default() };
            for entry in fs::read_dir(top.join(&path))? {
                let entry = entry?;
                let (name, kind) = (PathBuf::from(entry.file_name()), entry.file_type()?);
                if kind.is_dir() {
                    open.push(path.join(name));
                } else if kind.is_symlink() {
                    directory.links.push((name, fs::read_link(entry.path())?));
                } else {
                    let mode = entry.metadata()?.permissions().mode() & 0o777;
                    directory.files.push(File { name, mode, bytes: fs::read(entry.path())? });
                }
            }
            tree.directories.push(directory);
        }
        // A directory comes after the one that it is in.
        tree.directories.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    /// Returns how many files there are, and how many bytes.
    pub fn size(&self) -> (usize, u64) {
        let files = self.directories.iter().flat_map(|directory| &directory.files);
        files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.bytes.len() as u64))
    }

    /// Writes the tree into an empty directory and returns how long that took.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, top: &Path, threads: NonZeroUsize, durability: Durability) -> io::Result<Duration> {
        let began = Instant::now();
        let handle = openat(CWD, top, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        for directory in self.directories.iter().skip(1) {
            mkdirat(&handle, &directory.path, Mode::from_raw_mode(0o755))?;
        }
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let work = || self.write_directories(top, &next);
            let handles: Vec<_> = (0..threads.get()).map(|_| scope.spawn(work)).collect();
            let joined = handles
                .into_iter()
                .map(|handle| handle.join().unwrap_or_else(|bug| std::panic::resume_unwind(bug)));
            joined.collect::<io::Result<Vec<()>>>()
        })?;
        if durability == Durability::Synced {
            syncfs(&handle)?;
        }
        Ok(began.elapsed())
    }

    fn write_directories(&self, top: &Path, next: &AtomicUsize) -> io::Result<()> {
        while let Some(directory) = self.directories.get(next.fetch_add(1, Ordering::Relaxed)) {
            directory.write(top)?;
        }
        Ok(())
    }
}

impl Directory {
    fn write(&self, top: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = openat(CWD, top.join(&self.path), flags, Mode::empty())?;
        for file in &self.files {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let created = openat(&handle, &file.name, flags, Mode::from_raw_mode(file.mode))?;
            fs::File::from(created).write_all(&file.bytes)?;
        }
        for (name, target) in &self.links {
            symlinkat(target, &handle, name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_writes_the_tree_that_it_read() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(from.path().join("a/b")).unwrap();
        fs::write(from.path().join("a/b/file"), "bytes").unwrap();
        fs::write(from.path().join("top"), "more").unwrap();
        std::os::unix::fs::symlink("b/file", from.path().join("a/link")).unwrap();
        let tree = Tree::read(from.path()).unwrap();
        assert_eq!(tree.size(), (2, 9));
        tree.write(to.path(), NonZeroUsize::new(2).unwrap(), Durability::Synced).unwrap();
        assert_eq!(fs::read(to.path().join("a/link")).unwrap(), b"bytes");
        assert_eq!(fs::read(to.path().join("top")).unwrap(), b"more");
    }
}
