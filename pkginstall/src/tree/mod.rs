//! Directory handles: how everything below the prefix is reached, made and removed.
//!
//! A path can be swapped between a look and a write; an open directory cannot. A [`Directory`] is opened once, and what
//! lies in it is reached by one name at a time, never through a symbolic link. That is what `openat2` with
//! `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS` promises, on kernels and in sandboxes that do not have it, too.

mod compare;
mod copy;
mod error;
mod identity;
mod list;
mod live;
mod mounts;
mod remove;

pub use copy::Copied;
pub use error::TreeError;
pub use identity::Identity;
pub use list::names_in;
pub use live::LiveCopy;
pub use mounts::mounts_in;
pub use remove::Removed;

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use rustix::path::Arg;

const DIRECTORY_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The bits of a mode that say who may do what.
const PERMISSIONS: u32 = 0o7777;

/// The mode of the directories above packages, and of a package's while it is made: independent of the umask.
const DIRECTORY_MODE: u32 = 0o755;

/// The mode of every directory of an installed package.
pub const READ_ONLY_DIRECTORY: u32 = 0o555;

/// An open directory, and the path that it had when it was opened, for messages.
#[derive(Debug)]
pub struct Directory {
    handle: OwnedFd,
    path: Utf8PathBuf,
}

impl Directory {
    /// Opens the directory at `path`. Symbolic links above it are followed: the prefix may lie behind one.
    ///
    /// # Errors
    /// When it is not there or is no directory.
    pub fn open(path: &Utf8Path) -> Result<Self, TreeError> {
        let opened = rustix::fs::open(path.as_std_path(), DIRECTORY_FLAGS, Mode::empty());
        opened
            .map(|handle| Self { handle, path: path.to_owned() })
            .map_err(|source| TreeError::open(path, source))
    }

    /// Returns the path that the directory had when it was opened.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Opens the directory `name` in this one.
    ///
    /// # Errors
    /// When it is not there, or is a link or no directory.
    pub fn child(&self, name: impl Arg + Copy) -> Result<Self, TreeError> {
        let path = self.shown(&name);
        match rustix::fs::openat(&self.handle, name, DIRECTORY_FLAGS, Mode::empty()) {
            Ok(handle) => Ok(Self { handle, path }),
            Err(source) => Err(TreeError::open(&path, source)),
        }
    }

    /// Returns the path of `name` in this directory, for messages.
    fn shown(&self, name: &impl Arg) -> Utf8PathBuf {
        self.path.join(name.to_string_lossy().as_ref())
    }

    /// Opens the directory that `path` leads to from here, name by name.
    ///
    /// # Errors
    /// As [`Self::child`].
    pub fn descend(&self, path: &str) -> Result<Self, TreeError> {
        let mut names = path.split('/').filter(|name| !name.is_empty());
        let Some(first) = names.next() else { return self.child(".") };
        names.try_fold(self.child(first)?, |here, name| here.child(name))
    }

    /// Makes the directory `name` in this one and opens it; its mode is `mode` whatever the umask.
    ///
    /// # Errors
    /// When something has that name already, or the file system refuses.
    pub fn make(&self, name: &str, mode: u32) -> Result<Self, TreeError> {
        let failed = |source| TreeError::make(&self.path.join(name), source);
        rustix::fs::mkdirat(&self.handle, name, Mode::from_raw_mode(mode)).map_err(failed)?;
        let child = self.child(name)?;
        set_mode(&child.handle, mode).map_err(failed)?;
        Ok(child)
    }

    /// Makes the directory `name` in this one, in which we can write; its mode is set when it is finished.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn make_unfinished(&self, name: &str) -> Result<(), TreeError> {
        rustix::fs::mkdirat(&self.handle, name, Mode::from_raw_mode(DIRECTORY_MODE))
            .map_err(|source| TreeError::make(&self.path.join(name), source))
    }

    /// Takes everybody's write permission from this directory.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn make_read_only(&self) -> Result<(), TreeError> {
        rustix::fs::fchmod(&self.handle, Mode::from_raw_mode(READ_ONLY_DIRECTORY))
            .map_err(|source| TreeError::make(&self.path, source))
    }

    /// Lets our own account read, enter and change this directory; the permissions of others stay.
    ///
    /// # Errors
    /// When it belongs to another account, or the file system refuses.
    pub fn make_writable(&self) -> Result<(), TreeError> {
        let failed = |source| TreeError::make(&self.path, source);
        let mode = rustix::fs::fstat(&self.handle).map_err(failed)?.st_mode & PERMISSIONS;
        if mode & 0o700 == 0o700 {
            return Ok(());
        }
        rustix::fs::fchmod(&self.handle, Mode::from_raw_mode(mode | 0o700)).map_err(failed)
    }

    /// Opens the directory `name` in this one, and makes it where it is missing.
    ///
    /// # Errors
    /// When something else has that name, or the file system refuses.
    pub fn open_or_make(&self, name: &str) -> Result<Self, TreeError> {
        match self.make(name, DIRECTORY_MODE) {
            Err(error) if error.is(Errno::EXIST) => self.child(name),
            made => made,
        }
    }

    /// Makes the file `name`, which must not exist, for writing; its mode is `mode` whatever the umask.
    ///
    /// # Errors
    /// When something has that name already, or the file system refuses.
    pub fn create_file(&self, name: &str, mode: u32) -> Result<File, TreeError> {
        let failed = |source| TreeError::make(&self.path.join(name), source);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            rustix::fs::openat(&self.handle, name, flags, Mode::from_raw_mode(mode)).map_err(failed)?;
        set_mode(&file, mode).map_err(failed)?;
        Ok(File::from(file))
    }

    /// Opens the file `name` for reading.
    ///
    /// # Errors
    /// When it is not there, or is a link.
    pub fn open_file(&self, name: &str) -> Result<File, TreeError> {
        // NONBLOCK: somebody may have put a fifo there, whose opening would wait for ever.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(&self.handle, name, flags, Mode::empty())
            .map(File::from)
            .map_err(|source| TreeError::open(&self.path.join(name), source))
    }

    /// Makes the symbolic link `name`.
    ///
    /// # Errors
    /// When something has that name already, or the file system refuses.
    pub fn symlink(&self, name: &str, target: &str) -> Result<(), TreeError> {
        rustix::fs::symlinkat(target, &self.handle, name)
            .map_err(|source| TreeError::make(&self.path.join(name), source))
    }

    /// Returns where the symbolic link `name` leads.
    ///
    /// # Errors
    /// When it is not there, or is no link.
    pub fn link_target(&self, name: &str) -> Result<String, TreeError> {
        let target = rustix::fs::readlinkat(&self.handle, name, Vec::new());
        target
            .map(|target| target.to_string_lossy().into_owned())
            .map_err(|source| TreeError::open(&self.path.join(name), source))
    }

    /// Looks at `name` without following a link; `None` where there is nothing.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn look(&self, name: &str) -> Result<Option<Stat>, TreeError> {
        match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(source) => Err(TreeError::open(&self.path.join(name), source)),
        }
    }

    /// Moves `name` to `new_name` in `target`; nothing that is there is replaced.
    ///
    /// # Errors
    /// When the new name is taken, or the file system refuses.
    pub fn rename(&self, name: &str, target: &Self, new_name: &str) -> Result<(), TreeError> {
        let (from, to) = (&self.handle, &target.handle);
        let renamed = match rustix::fs::renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE) {
            // Some network file systems have no such flag. The catalogue lock keeps our own kind out meanwhile.
            Err(Errno::INVAL | Errno::NOSYS) => match target.look(new_name)? {
                Some(_) => Err(Errno::EXIST),
                None => rustix::fs::renameat(from, name, to, new_name),
            },
            renamed => renamed,
        };
        renamed.map_err(|source| TreeError::Rename {
            from: self.path.join(name),
            to: target.path.join(new_name),
            source: source.into(),
        })
    }

    /// Lets `name` and `other` of `target` change places, in one step.
    ///
    /// # Errors
    /// When one is not there, or the file system refuses.
    pub fn exchange(&self, name: &str, target: &Self, other: &str) -> Result<(), TreeError> {
        let (from, to) = (&self.handle, &target.handle);
        let exchanged = rustix::fs::renameat_with(from, name, to, other, RenameFlags::EXCHANGE);
        exchanged.map_err(|source| TreeError::Rename {
            from: self.path.join(name),
            to: target.path.join(other),
            source: source.into(),
        })
    }

    /// Makes the entries of this directory durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), TreeError> {
        rustix::fs::fsync(&self.handle).map_err(|source| TreeError::sync(&self.path, source))
    }

    /// Makes everything on this file system durable: far cheaper than one file after the other.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync_file_system(&self) -> Result<(), TreeError> {
        rustix::fs::syncfs(&self.handle).map_err(|source| TreeError::sync(&self.path, source))
    }

    /// Returns how many bytes an ordinary user may still write here.
    ///
    /// # Errors
    /// When the file system does not say.
    pub fn free_bytes(&self) -> Result<u64, TreeError> {
        let stat =
            rustix::fs::fstatvfs(&self.handle).map_err(|source| TreeError::open(&self.path, source))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Lists the names in this directory, sorted, for messages: what is not UTF-8 is replaced.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn names(&self) -> Result<Vec<String>, TreeError> {
        let failed = |source| TreeError::open(&self.path, source);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.handle).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy();
            if name != "." && name != ".." {
                names.push(name.into_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// Gives what was just made its mode. The umask, an access list or a set-gid bit of the directory may have made it another one, never
/// one that lets others do more; where none has, to look is far cheaper than to write the inode once more.
fn set_mode(file: &OwnedFd, mode: u32) -> rustix::io::Result<()> {
    if rustix::fs::fstat(file)?.st_mode & PERMISSIONS == mode {
        return Ok(());
    }
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode))
}

/// Turns a missing thing into `None`.
///
/// # Errors
/// Every error but that something is not there.
pub fn if_there<T>(result: Result<T, TreeError>) -> Result<Option<T>, TreeError> {
    match result {
        Err(error) if error.is(Errno::NOENT) => Ok(None),
        result => result.map(Some),
    }
}
