//! A directory of a service's logs, held by a handle: the service's account may write in there, and nothing of it is
//! followed.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, fstat, fsync, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::RuntimeError;
use super::directory::{Owner, RuntimeDirectory, check_file, directory_flags, give, refused};

/// Where a file is written before it has its name.
const TEMPORARY: &str = ".copkg-new";

/// `console/` or `log/` of a service.
#[derive(Debug)]
pub struct LogDirectory {
    path: Utf8PathBuf,
    handle: OwnedFd,
}

impl LogDirectory {
    /// Opens the directory at `path` below a runtime directory; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be opened, or is no directory.
    pub fn open(runtime: &RuntimeDirectory, path: &str) -> Result<Option<Self>, RuntimeError> {
        let (mut here, mut handle) = (runtime.path().to_owned(), None);
        for name in path.split('/') {
            here.push(name);
            let within = handle.as_ref().unwrap_or(runtime.handle());
            handle = match openat(within, name, directory_flags(), Mode::empty()) {
                Ok(handle) => Some(handle),
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(refused("open", here, error)),
            };
        }
        Ok(handle.map(|handle| Self { path: here, handle }))
    }

    /// Returns where it is.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Lists the names that are UTF-8, in order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn names(&self) -> Result<Vec<String>, RuntimeError> {
        let failed = |error| refused("read", self.path.clone(), error);
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().to_str().ok().map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Opens a file to read it; `None` when it is not there, or is no regular file with one name.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_to_read(&self, name: &str) -> Result<Option<File>, RuntimeError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(file) => Ok(check_file(&file, &path).is_ok().then(|| file.into())),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => Ok(None),
            Err(error) => Err(refused("read", path, error)),
        }
    }

    /// Opens a file to read and to cut it.
    ///
    /// # Errors
    /// When it cannot be opened, or is no regular file with one name.
    pub fn open_to_change(&self, name: &str) -> Result<File, RuntimeError> {
        let path = self.path.join(name);
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.handle, name, flags, Mode::empty());
        let file = file.map_err(|error| refused("open", path.clone(), error))?;
        check_file(&file, &path)?;
        Ok(file.into())
    }

    /// Makes the file `name` durably, with what `write` writes; in the place of one that is there. It belongs to whom the
    /// directory belongs.
    ///
    /// # Errors
    /// When it cannot be written; it is not there then.
    pub fn make<T>(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        let _ = unlinkat(&self.handle, TEMPORARY, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.handle, TEMPORARY, flags, Mode::from_raw_mode(0o644))?);
        let ours = fstat(&self.handle)?;
        if rustix::process::geteuid().is_root() {
            give(&file, Owner::Account { user: ours.st_uid, group: ours.st_gid })?;
        }
        let written = write(&mut file).and_then(|written| file.sync_all().map(|()| written));
        if written.is_err() {
            let _ = unlinkat(&self.handle, TEMPORARY, AtFlags::empty());
            return written;
        }
        renameat(&self.handle, TEMPORARY, &self.handle, name)?;
        fsync(&self.handle)?;
        written
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), RuntimeError> {
        match unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(refused("remove", self.path.join(name), error)),
        }
    }
}
