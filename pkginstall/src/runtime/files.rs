//! Files below a runtime directory that are ours to write: through handles, durably, and given to the service's account.
//!
//! The account may write in there too: nothing that it planted is followed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;

use camino::Utf8PathBuf;
use rustix::fs::{AtFlags, Mode, OFlags, fchmod, fsync, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::RuntimeError;
use super::directory::{Owner, RuntimeDirectory, check_file, directory_flags, give, make_directory, refused};

use crate::FileError;

/// Where a file is written before it has its name.
const TEMPORARY: &str = ".copkg-new";

impl RuntimeDirectory {
    /// Writes the file at `path` below this directory in one step, durably; parents are made.
    ///
    /// # Errors
    /// When it cannot be written; what was there is then still there.
    pub fn write_file(&self, path: &str, mode: u32, owner: Owner, bytes: &[u8]) -> Result<(), RuntimeError> {
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut here = self.path().to_owned();
        let mut parent: Option<OwnedFd> = None;
        for part in parents.split('/').filter(|part| !part.is_empty()) {
            here.push(part);
            parent =
                Some(make_directory(parent.as_ref().unwrap_or(self.handle()), part, 0o755, owner, &here)?);
        }
        let parent = parent.as_ref().unwrap_or(self.handle());
        let place = here.join(name);
        let failed = |error: Errno| refused("write", place.clone(), error);
        match unlinkat(parent, TEMPORARY, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(failed(error)),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(parent, TEMPORARY, flags, Mode::from_raw_mode(0o600)).map_err(failed)?;
        fchmod(&file, Mode::from_raw_mode(mode)).map_err(failed)?;
        give(&file, owner).map_err(failed)?;
        let mut file = File::from(file);
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(FileError::at("write", &place))?;
        renameat(parent, TEMPORARY, parent, name).map_err(failed)?;
        fsync(parent).map_err(failed)
    }

    /// Reads the file at `path` below this directory; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read, is no regular file, or has more than `limit` bytes.
    pub fn read_file(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, RuntimeError> {
        let Some((parent, name, place)) = self.parent_of(path)? else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(parent.as_ref().unwrap_or(self.handle()), name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(refused("read", place, error)),
        };
        check_file(&file, &place)?;
        let mut bytes = Vec::new();
        let read = File::from(file).take(limit + 1).read_to_end(&mut bytes);
        read.map_err(FileError::at("read", &place))?;
        if bytes.len() as u64 > limit {
            return Err(RuntimeError::Other { path: place, expected: "a file of a size that is read here" });
        }
        Ok(Some(bytes))
    }

    /// Removes the file at `path` below this directory, if it is there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_file(&self, path: &str) -> Result<(), RuntimeError> {
        let Some((parent, name, place)) = self.parent_of(path)? else { return Ok(()) };
        match unlinkat(parent.as_ref().unwrap_or(self.handle()), name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(refused("remove", place, error)),
        }
    }

    /// Opens the directory that `path` lies in; `None` when it is not there. Without a handle it is this directory.
    fn parent_of<'p>(&self, path: &'p str) -> Result<Option<ParentOf<'p>>, RuntimeError> {
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut here = self.path().to_owned();
        let mut parent: Option<OwnedFd> = None;
        for part in parents.split('/').filter(|part| !part.is_empty()) {
            here.push(part);
            let within = parent.as_ref().unwrap_or(self.handle());
            match openat(within, part, directory_flags(), Mode::empty()) {
                Ok(handle) => parent = Some(handle),
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(refused("open", here, error)),
            }
        }
        Ok(Some((parent, name, here.join(name))))
    }
}

/// A directory, a name in it, and the whole path for messages.
type ParentOf<'p> = (Option<OwnedFd>, &'p str, Utf8PathBuf);
