//! The cache: what a host keeps of a repository's metadata, below `<prefix>/.copkg/repositories/<name>/`.
//!
//! One command at a time uses the cache of a repository; a lock says whose turn it is. Every file is written durably, so a
//! crash leaves the old one or the new one, and beside them at most a `.tmp-*`, which the next command sweeps. Whoever may not
//! write there, or must not change anything, reads what is kept and keeps the rest in memory.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs::{self, File};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::durable::{self, Existing};
use jiff::Timestamp;

use super::error::{CacheError, MetadataError};
use crate::host::{self, Lock, Prefix, Wait};

/// Where the metadata of roles lies.
const METADATA: &str = "metadata";
/// How the leftovers of a crash are called.
const UNFINISHED: &str = ".tmp-";

/// Whether what is learnt stays after the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// It does, where the prefix can be written.
    Durable,
    /// It does not: nothing is changed.
    InMemory,
}

/// The cache of one repository, for this process alone until it is dropped.
#[derive(Debug)]
pub struct Cache {
    directory: Utf8PathBuf,
    /// What would be written, where nothing is.
    memory: Option<BTreeMap<String, Option<Vec<u8>>>>,
    _lock: Option<Lock>,
}

type Result<T> = std::result::Result<T, CacheError>;

impl Cache {
    /// Opens the cache of the repository `name`, once nobody else uses it. `on_wait` is told who is waited for.
    ///
    /// # Errors
    /// When the prefix is not safe, somebody uses it for longer than `wait`, or the file system refuses.
    pub fn open(
        prefix: &Prefix,
        name: &str,
        keeping: Keeping,
        wait: Wait,
        on_wait: impl FnOnce(&str),
    ) -> std::result::Result<Self, MetadataError> {
        let directory = prefix.repository(name);
        let in_memory = |directory| Self { directory, memory: Some(BTreeMap::new()), _lock: None };
        if keeping == Keeping::InMemory {
            return Ok(in_memory(directory));
        }
        match Self::lock(prefix, &directory, wait, on_wait) {
            Ok(lock) => {
                sweep(&directory)?;
                Ok(Self { directory, memory: None, _lock: Some(lock) })
            }
            Err(error) if cannot_write(&error) => Ok(in_memory(directory)),
            Err(error) => Err(error),
        }
    }

    fn lock(
        prefix: &Prefix,
        directory: &Utf8Path,
        wait: Wait,
        on_wait: impl FnOnce(&str),
    ) -> std::result::Result<Lock, MetadataError> {
        host::prepare(prefix)?;
        let metadata = directory.join(METADATA);
        durable::create_dir_all(metadata.as_std_path())
            .map_err(|source| CacheError { path: metadata, source })?;
        Ok(Lock::take(&directory.join("lock"), wait, on_wait)?)
    }

    /// Returns where it lies.
    pub fn directory(&self) -> &Utf8Path {
        &self.directory
    }

    /// Reads a file of it, if it is there.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        if let Some(kept) = self.memory.as_ref().and_then(|memory| memory.get(name)) {
            return Ok(kept.clone());
        }
        let path = self.directory.join(name);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // Whoever may not read it starts as if there were nothing.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && self.memory.is_some() => {
                Ok(None)
            }
            read => read.map(Some).map_err(|source| CacheError { path, source }),
        }
    }

    /// Writes a file of it, durably.
    pub(super) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        if let Some(memory) = &mut self.memory {
            memory.insert(name.to_owned(), Some(bytes.to_vec()));
            return Ok(());
        }
        let path = self.directory.join(name);
        let directory = path.parent().unwrap_or(&self.directory);
        durable::create_dir_all(directory.as_std_path())
            .and_then(|()| durable::write(path.as_std_path(), 0o644, Existing::Replace, bytes))
            .map_err(|source| CacheError { path, source })
    }

    /// Removes a file of it, if it is there.
    pub(super) fn remove(&mut self, name: &str) -> Result<()> {
        if let Some(memory) = &mut self.memory {
            memory.insert(name.to_owned(), None);
            return Ok(());
        }
        let path = self.directory.join(name);
        let directory = path.parent().unwrap_or(&self.directory);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed
                .and_then(|()| durable::sync_directory(directory.as_std_path()))
                .map_err(|source| CacheError { path, source }),
        }
    }

    /// Writes what was kept in memory into the cache of `other`, which is open on disk.
    pub(super) fn pour_into(&self, other: &mut Self) -> Result<()> {
        for (name, bytes) in self.memory.iter().flatten() {
            match bytes {
                Some(bytes) => other.write(name, bytes)?,
                None => other.remove(name)?,
            }
        }
        Ok(())
    }

    /// Removes everything that is kept but the evidence of forks.
    pub(super) fn clear(&mut self, names: &[&str]) -> Result<()> {
        for name in self.roles()? {
            self.remove(&role_file(&name))?;
        }
        names.iter().try_for_each(|name| self.remove(name))
    }

    /// Returns the names of the files of roles.
    pub(super) fn roles(&self) -> Result<Vec<String>> {
        let path = self.directory.join(METADATA);
        let failed = |source| CacheError { path: path.clone(), source };
        let entries = match path.read_dir_utf8() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        entries.map(|entry| Ok(entry.map_err(failed)?.file_name().to_owned())).collect()
    }

    /// Notes when the metadata was found to be the newest. Only for people: failing is no error.
    pub(super) fn note_refresh(&self, now: Timestamp) {
        if self.memory.is_none() {
            let path = self.directory.join(role_file("timestamp.json"));
            let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(now.into()));
        }
    }
}

/// Returns the name in the cache of a role's file.
pub(super) fn role_file(file: &str) -> String {
    format!("{METADATA}/{file}")
}

/// Reads a file of the cache of `name` without taking its turn: for lists.
pub(super) fn peek(prefix: &Prefix, name: &str, file: &str) -> Option<(Vec<u8>, Option<Timestamp>)> {
    let path = prefix.repository(name).join(file);
    let bytes = fs::read(&path).ok()?;
    let modified =
        path.metadata().ok().and_then(|metadata| Timestamp::try_from(metadata.modified().ok()?).ok());
    Some((bytes, modified))
}

/// Removes the cache of the repository `name`, once nobody uses it; tells whether there was one.
///
/// # Errors
/// When somebody uses it for longer than `wait`, or the file system refuses.
pub fn remove_cache(
    prefix: &Prefix,
    name: &str,
    wait: Wait,
    on_wait: impl FnOnce(&str),
) -> std::result::Result<(), MetadataError> {
    let directory = prefix.repository(name);
    if !directory.exists() {
        return Ok(());
    }
    let _lock = Cache::lock(prefix, &directory, wait, on_wait)?;
    let failed = |source| CacheError { path: directory.clone(), source };
    fs::remove_dir_all(&directory).map_err(failed)?;
    durable::sync_directory(prefix.repositories().as_std_path()).map_err(failed)?;
    Ok(())
}

fn sweep(directory: &Utf8Path) -> Result<()> {
    for directory in [directory.to_owned(), directory.join(METADATA)] {
        let failed = |source| CacheError { path: directory.clone(), source };
        for entry in directory.read_dir_utf8().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().starts_with(UNFINISHED) {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// Tells whether this user cannot write here, or nobody can.
fn cannot_write(error: &MetadataError) -> bool {
    let mut causes = std::iter::successors(error.source(), |cause| (**cause).source());
    let kind = causes.find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem))
}
