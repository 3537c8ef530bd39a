//! The lock of a directory: one process at a time writes it. The kernel drops it when the process ends, however that is.

use std::fs::File;
use std::io;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::durable;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Storage, StorageError, StoreUrl};

/// The file that is locked, below the store.
const LOCK: &str = "private/lock";

impl Storage {
    /// Opens the store that `url` names to write to it: a directory is locked. A bucket is not; see
    /// [`Self::test_preconditions`].
    ///
    /// # Errors
    /// As [`Self::open`], and when another process writes the directory.
    pub fn open_to_write(url: &StoreUrl) -> Result<Self, StorageError> {
        let mut storage = Self::open(url)?;
        if let StoreUrl::Directory(directory) = url {
            storage.lock = Some(Arc::new(lock(url, directory)?));
        }
        Ok(storage)
    }
}

fn lock(url: &StoreUrl, directory: &Utf8Path) -> Result<File, StorageError> {
    let failed = |source| StorageError::Lock { path: path(directory), source };
    let path = path(directory);
    if let Some(parent) = path.parent() {
        durable::create_dir_all(parent.as_std_path()).map_err(failed)?;
    }
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(StorageError::Locked { url: url.clone() }),
        Err(error) => Err(failed(io::Error::from(error))),
    }
}

fn path(directory: &Utf8Path) -> Utf8PathBuf {
    directory.join(LOCK)
}
