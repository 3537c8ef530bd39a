//! Makes and opens a runtime directory, through handles only.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::PathBuf;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable::{self, Existing};
use copkg_spec::index::EntryPath;
use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fchmod, fchown, fstat, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::RuntimeError;
use crate::FileError;
use crate::host::Prefix;

/// The directories that every service has, and their modes: what a service stores is its own business.
const STANDARD: [(&str, u32); 4] = [("etc", 0o755), ("data", 0o700), ("log", 0o755), ("run", 0o755)];

/// The largest file below `run` that is read. A PID file has some bytes.
const READ_LIMIT: u64 = 1 << 20;

/// Who a runtime directory belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Whoever makes it.
    Ourselves,
    /// An account, which only root can give it to.
    Account {
        /// The user.
        user: u32,
        /// The user's group.
        group: u32,
    },
}

/// A file of `run/`, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunFile {
    pub(super) text: String,
    /// When it was written last, to the second.
    pub(super) modified: Timestamp,
    /// The account that it belongs to.
    pub(super) writer: u32,
}

/// An open runtime directory.
#[derive(Debug)]
pub struct RuntimeDirectory {
    path: Utf8PathBuf,
    handle: OwnedFd,
}

impl RuntimeDirectory {
    /// Opens the directory of `service`; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be opened, or is no directory.
    pub fn open(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Option<Self>, RuntimeError> {
        let path = prefix.runtime_dir(service);
        match rustix::fs::open(path.as_std_path(), directory_flags(), Mode::empty()) {
            Ok(handle) => Ok(Some(Self { path, handle })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(refused("open", path, error)),
        }
    }

    /// Makes what is missing of the directory of `service`, and opens it.
    ///
    /// # Errors
    /// When something cannot be made, or something else is in its place.
    pub fn make(prefix: &Prefix, service: &ServiceCoordinate, owner: Owner) -> Result<Self, RuntimeError> {
        let parent = prefix.runtime();
        durable::create_dir_all(parent.as_std_path()).map_err(FileError::at("create", &parent))?;
        let open = rustix::fs::open(parent.as_std_path(), directory_flags(), Mode::empty());
        let parent_handle = open.map_err(|error| refused("open", parent, error))?;
        let path = prefix.runtime_dir(service);
        let handle = make_directory(&parent_handle, &service.to_string(), 0o755, owner, &path)?;
        let directory = Self { path, handle };
        for (name, mode) in STANDARD {
            make_directory(&directory.handle, name, mode, owner, &directory.path.join(name))?;
        }
        Ok(directory)
    }

    /// Makes what is missing of a directory below this one.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn make_below(&self, path: &EntryPath, owner: Owner) -> Result<(), RuntimeError> {
        let mut here = self.path.clone();
        let mut parent: Option<OwnedFd> = None;
        for name in path.components() {
            here.push(name);
            let within = parent.as_ref().unwrap_or(&self.handle);
            parent = Some(make_directory(within, name, 0o755, owner, &here)?);
        }
        Ok(())
    }

    /// Returns where it is.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Returns the handle on it.
    pub(super) fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// Returns the user that it belongs to.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn owner(&self) -> Result<u32, RuntimeError> {
        let stat = fstat(&self.handle).map_err(|error| refused("look at", self.path.clone(), error))?;
        Ok(stat.st_uid)
    }

    /// Opens `name` in `directory` of this one, e.g. `console.log` in `log`; directories are made if they are missing.
    pub(super) fn open_output(
        &self,
        directory: &str,
        name: &str,
        owner: Owner,
    ) -> Result<File, RuntimeError> {
        let mut path = self.path.clone();
        let mut within: Option<OwnedFd> = None;
        for part in directory.split('/') {
            path.push(part);
            within =
                Some(make_directory(within.as_ref().unwrap_or(&self.handle), part, 0o755, owner, &path)?);
        }
        let within = within.as_ref().unwrap_or(&self.handle);
        let path = path.join(name);
        // NONBLOCK: a fifo in its place must not hold us up.
        let flags = OFlags::RDWR
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::CLOEXEC;
        let file = openat(within, name, flags, Mode::from_raw_mode(0o644));
        let file = file.map_err(|error| refused("open", path.clone(), error))?;
        check_file(&file, &path)?;
        give(&file, owner).map_err(|error| refused("give away", path.clone(), error))?;
        rustix::fs::fcntl_setfl(&file, OFlags::APPEND).map_err(|error| refused("open", path, error))?;
        Ok(file.into())
    }

    /// Reads `run/<name>`; `None` when it is not there.
    pub(super) fn read_run(&self, name: &str) -> Result<Option<RunFile>, RuntimeError> {
        let path = self.path.join("run").join(name);
        let Some(run) = self.run()? else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&run, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(refused("read", path, error)),
        };
        check_file(&file, &path)?;
        let stat = fstat(&file).map_err(|error| refused("look at", path.clone(), error))?;
        let mut text = String::new();
        let read = File::from(file).take(READ_LIMIT).read_to_string(&mut text);
        read.map_err(FileError::at("read", &path))?;
        let modified = Timestamp::from_second(stat.st_mtime).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(Some(RunFile { text, modified, writer: stat.st_uid }))
    }

    /// Writes `run/<name>` durably, in one step.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_run(&self, name: &str, bytes: &[u8]) -> Result<(), RuntimeError> {
        let path = self.path.join("run").join(name);
        let failed = FileError::at("write", &path);
        let Some(run) = self.run()? else { return Err(failed(io::ErrorKind::NotFound.into()).into()) };
        // The name of the handle: nobody can put another directory in its place.
        let through_handle = PathBuf::from(format!("/proc/self/fd/{}/{name}", run.as_raw_fd()));
        Ok(durable::write(&through_handle, 0o644, Existing::Replace, bytes).map_err(failed)?)
    }

    /// Removes `run/<name>`; tells whether it was there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_run(&self, name: &str) -> Result<bool, RuntimeError> {
        let Some(run) = self.run()? else { return Ok(false) };
        match unlinkat(&run, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(refused("remove", self.path.join("run").join(name), error)),
        }
    }

    fn run(&self) -> Result<Option<OwnedFd>, RuntimeError> {
        match openat(&self.handle, "run", directory_flags(), Mode::empty()) {
            Ok(handle) => Ok(Some(handle)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(refused("open", self.path.join("run"), error)),
        }
    }
}

pub(super) fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Makes `name` in `parent` if it is missing, and opens it. Only what is new gets the mode; the owner is always set,
/// so that a service can change its account.
pub(super) fn make_directory(
    parent: &OwnedFd,
    name: &str,
    mode: u32,
    owner: Owner,
    path: &Utf8Path,
) -> Result<OwnedFd, RuntimeError> {
    let is_new = match mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(refused("create", path.to_owned(), error)),
    };
    let failed = |error| refused("open", path.to_owned(), error);
    let handle = openat(parent, name, directory_flags(), Mode::empty()).map_err(failed)?;
    if is_new {
        fchmod(&handle, Mode::from_raw_mode(mode)).map_err(failed)?;
    }
    give(&handle, owner).map_err(|error| refused("give away", path.to_owned(), error))?;
    Ok(handle)
}

pub(super) fn give(handle: &impl AsFd, owner: Owner) -> rustix::io::Result<()> {
    let Owner::Account { user, group } = owner else { return Ok(()) };
    let stat = fstat(handle)?;
    if (stat.st_uid, stat.st_gid) == (user, group) {
        return Ok(());
    }
    fchown(handle, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))
}

/// A regular file with one name: a second name could be a file of root's that the service's account linked here.
pub(super) fn check_file(file: &OwnedFd, path: &Utf8Path) -> Result<(), RuntimeError> {
    let stat = fstat(file).map_err(|error| refused("look at", path.to_owned(), error))?;
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if regular && stat.st_nlink <= 1 {
        return Ok(());
    }
    Err(RuntimeError::Other { path: path.to_owned(), expected: "a regular file with one name" })
}

pub(super) fn refused(action: &'static str, path: Utf8PathBuf, error: Errno) -> RuntimeError {
    match error {
        Errno::NOTDIR | Errno::LOOP if action == "open" => RuntimeError::Other {
            path,
            expected: "what belongs there: it is a link or a file of another kind",
        },
        _ => FileError::at(action, &path)(error.into()).into(),
    }
}
