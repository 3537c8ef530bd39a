//! The cache: what a host keeps of a repository's metadata, below `<prefix>/.copkg/repositories/<name>/`.
//!
//! One command at a time uses the cache of a repository; a lock says whose turn it is. What a copy shows is only proposed until
//! the last check has passed: then it is accepted, or the whole of it is rejected, so that a state that was refused leaves nothing
//! behind that the next copy would be held against. What is accepted is in memory until it is settled: then all of it is
//! written, made durable at once, and moved to its places in the order in which it was learnt. A crash leaves each file old or
//! new, and beside them at most some `.tmp-*`, which the next command sweeps. Whoever may not write there, or must not change
//! anything, reads what is kept and keeps the rest in memory.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fs::{self, File};
use std::io;
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::durable::{self, Existing};
use jiff::Timestamp;

use super::error::{CacheError, MetadataError};
use crate::host::{self, Lock, Prefix, Wait};
use crate::tree::names_in;

/// Where the metadata of roles lies.
const METADATA: &str = "metadata";
/// How many files are made durable at once, at most.
const AT_ONCE: usize = 16;
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
    /// What was accepted and is not on disk yet, the latest last.
    learnt: Vec<Change>,
    /// What a copy shows whose last check has not passed yet, the latest last. It is read in place of what is accepted.
    proposed: Vec<Change>,
    /// Nothing is written without it.
    lock: Option<Lock>,
}

/// The name of a file, and what is in it unless it is removed.
type Change = (String, Option<Vec<u8>>);

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
        let new = |directory, lock| Self { directory, learnt: Vec::new(), proposed: Vec::new(), lock };
        if keeping == Keeping::InMemory {
            return Ok(new(directory, None));
        }
        match Self::lock(prefix, &directory, wait, on_wait) {
            Ok(lock) => {
                sweep(&directory)?;
                Ok(new(directory, Some(lock)))
            }
            Err(error) if cannot_write(&error) => Ok(new(directory, None)),
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
        let changes = self.proposed.iter().rev().chain(self.learnt.iter().rev());
        if let Some((_, kept)) = changes.into_iter().find(|(changed, _)| changed == name) {
            return Ok(kept.clone());
        }
        let path = self.directory.join(name);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // Whoever may not read it starts as if there were nothing.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && self.lock.is_none() => Ok(None),
            read => read.map(Some).map_err(|source| CacheError { path, source }),
        }
    }

    /// Writes a file of it, once what is proposed is accepted.
    pub(super) fn propose(&mut self, name: &str, bytes: &[u8]) {
        self.proposed.push((name.to_owned(), Some(bytes.to_vec())));
    }

    /// Removes a file of it, if it is there, once what is proposed is accepted.
    pub(super) fn propose_removal(&mut self, name: &str) -> Result<()> {
        if self.read(name)?.is_some() {
            self.proposed.push((name.to_owned(), None));
        }
        Ok(())
    }

    /// Accepts what was proposed: its last check has passed.
    pub(super) fn accept(&mut self) {
        self.learnt.append(&mut self.proposed);
    }

    /// Forgets what was proposed: a check refused it.
    pub(super) fn reject(&mut self) {
        self.proposed.clear();
    }

    /// Writes a file of it that needs no further check: a root that the keys of the one before signed, or evidence.
    pub(super) fn write(&mut self, name: &str, bytes: &[u8]) {
        self.learnt.push((name.to_owned(), Some(bytes.to_vec())));
    }

    /// Removes a file of it, if it is there, whatever becomes of what is proposed.
    pub(super) fn remove(&mut self, name: &str) -> Result<()> {
        if self.read(name)?.is_some() {
            self.learnt.push((name.to_owned(), None));
        }
        Ok(())
    }

    /// Makes what was accepted durable, where anything may be written.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.lock.is_none() || self.learnt.is_empty() {
            return Ok(());
        }
        let learnt = std::mem::take(&mut self.learnt);
        for group in learnt.chunks(AT_ONCE) {
            let steps = group.iter().map(|(name, bytes)| self.prepare(name, bytes.as_deref()));
            let steps = steps.collect::<Result<Vec<_>>>()?;
            sync_all(&steps)?;
            let mut directories = BTreeSet::from([self.directory.as_path()]);
            directories.extend(steps.iter().filter_map(|step| step.path.parent()));
            let directories: Vec<_> = directories.into_iter().rev().map(Utf8Path::to_owned).collect();
            steps.into_iter().try_for_each(Step::take)?;
            // The first takes the others with it, nearly always.
            for path in directories {
                durable::sync_directory(path.as_std_path()).map_err(|source| CacheError { path, source })?;
            }
        }
        Ok(())
    }

    fn prepare(&self, name: &str, bytes: Option<&[u8]>) -> Result<Step> {
        let path = self.directory.join(name);
        let prepare = |bytes: &[u8]| {
            fs::create_dir_all(path.parent().unwrap_or(&self.directory))?;
            durable::Prepared::new(path.as_std_path(), 0o644, bytes)
        };
        match bytes.map(prepare).transpose() {
            Ok(file) => Ok(Step { path, file }),
            Err(source) => Err(CacheError { path, source }),
        }
    }

    /// Moves what was kept in memory into the cache of `other`.
    pub(super) fn pour_into(self, other: &mut Self) {
        other.learnt.extend(self.learnt);
    }

    /// Removes everything that is kept but the evidence of forks.
    pub(super) fn clear(&mut self, names: &[&str]) -> Result<()> {
        for name in self.roles()? {
            self.remove(&role_file(&name))?;
        }
        names.iter().try_for_each(|name| self.remove(name))
    }

    /// Returns the names of the files of roles, also of those that were only just learnt.
    pub(super) fn roles(&self) -> Result<BTreeSet<String>> {
        let path = self.directory.join(METADATA);
        let failed = |source| CacheError { path: path.clone(), source };
        let kept = names_in(&path).map_err(failed)?.into_iter();
        let learnt = self.learnt.iter().chain(&self.proposed).filter(|(_, bytes)| bytes.is_some());
        let learnt = learnt.filter_map(|(name, _)| name.strip_prefix(METADATA)?.strip_prefix('/'));
        Ok(kept.chain(learnt.map(ToOwned::to_owned)).collect())
    }

    /// Notes when the metadata was found to be the newest. Only for people: failing is no error.
    pub(super) fn note_refresh(&self, now: Timestamp) {
        if self.lock.is_some() {
            let path = self.directory.join(role_file("timestamp.json"));
            let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(now.into()));
        }
    }
}

/// A change of one file that is ready to be made.
struct Step {
    path: Utf8PathBuf,
    /// What takes its place; nothing where it is removed.
    file: Option<durable::Prepared>,
}

/// Makes the bytes of all steps durable. Side by side, since those who wait at the same time share one commit of the file system's
/// journal, which is what takes the time.
fn sync_all(steps: &[Step]) -> Result<()> {
    thread::scope(|scope| {
        let handles: Vec<_> = steps.iter().map(|step| scope.spawn(|| step.sync())).collect();
        handles
            .into_iter()
            .try_for_each(|handle| handle.join().unwrap_or_else(|bug| std::panic::resume_unwind(bug)))
    })
}

impl Step {
    fn sync(&self) -> Result<()> {
        let synced = self.file.as_ref().map_or(Ok(()), durable::Prepared::sync);
        synced.map_err(|source| CacheError { path: self.path.clone(), source })
    }

    fn take(self) -> Result<()> {
        let Self { path, file } = self;
        let taken = match file {
            Some(file) => file.rename(Existing::Replace),
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            },
        };
        taken.map_err(|source| CacheError { path, source })
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
        for name in names_in(&directory).map_err(failed)?.iter().filter(|name| name.starts_with(UNFINISHED)) {
            fs::remove_file(directory.join(name)).map_err(failed)?;
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
