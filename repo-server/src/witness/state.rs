//! What the witness saw last of each log: one file each, written durably before a cosignature leaves.
//!
//! `<directory>/<SHA-256 of the origin>.checkpoint` is the checkpoint with the witness's cosignature. A crash leaves the
//! one before or the new one. The directory is locked: two witnesses with one key could be made to contradict each other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use copkg_spec::tlog::{KeyKind, Origin, SignedCheckpoint, TlogError, VerifierKey};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use thiserror::Error;

/// Says why what a witness saw cannot be read or kept.
#[derive(Debug, Error)]
pub enum StateError {
    /// The directory cannot be used.
    #[error("cannot use the directory {path}")]
    Directory {
        /// Which one.
        path: Utf8PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// Another witness uses it.
    #[error("another witness uses {path}")]
    Locked {
        /// Which one.
        path: Utf8PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot keep what was seen in {path}")]
    File {
        /// Which one.
        path: Utf8PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// A file is not a checkpoint.
    #[error("{path} is not what a witness saw")]
    Damaged {
        /// Which one.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: TlogError,
    },
    /// A key is not that of a log.
    #[error("{key} is not the key of a log")]
    Key {
        /// Its name.
        key: String,
    },
}

/// The logs that a witness was told of, and what it saw of them.
#[derive(Debug)]
pub struct Seen {
    logs: BTreeMap<Origin, Log>,
    /// Held as long as the witness runs.
    _lock: File,
}

/// One log.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) keys: Vec<VerifierKey>,
    path: Utf8PathBuf,
    last: Mutex<Option<SignedCheckpoint>>,
}

impl Seen {
    /// Opens the directory, which is made if it is not there. A log is known by the name of its keys; several keys with one
    /// name are keys of one log.
    ///
    /// # Errors
    /// When the directory cannot be used or is used, or what is in it is damaged.
    pub fn open(directory: &Utf8Path, keys: &[VerifierKey]) -> Result<Self, StateError> {
        let failed = |source| StateError::Directory { path: directory.to_owned(), source };
        durable::create_dir_all(directory.as_std_path()).map_err(failed)?;
        let lock = File::options().create(true).truncate(false).write(true).open(directory.join(".lock"));
        let lock = lock.map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(StateError::Locked { path: directory.to_owned() }),
            Err(error) => return Err(failed(error.into())),
        }
        let mut logs: BTreeMap<Origin, Log> = BTreeMap::new();
        for key in keys {
            let unfit = || StateError::Key { key: key.name().to_string() };
            let origin: Origin = key.name().as_str().parse().map_err(|_| unfit())?;
            if key.kind() != KeyKind::Note {
                return Err(unfit());
            }
            match logs.get_mut(&origin) {
                Some(log) => log.keys.push(key.clone()),
                None => drop(logs.insert(origin.clone(), Log::open(directory, &origin, key.clone())?)),
            }
        }
        Ok(Self { logs, _lock: lock })
    }

    pub(super) fn log(&self, origin: &Origin) -> Option<&Log> {
        self.logs.get(origin)
    }
}

impl Log {
    fn open(directory: &Utf8Path, origin: &Origin, key: VerifierKey) -> Result<Self, StateError> {
        let path = directory.join(format!("{}.checkpoint", Digest::of(origin.as_str().as_bytes())));
        let last = match fs::read(&path) {
            Ok(bytes) => {
                let read = SignedCheckpoint::parse(&bytes);
                Some(read.map_err(|source| StateError::Damaged { path: path.clone(), source })?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(StateError::File { path, source }),
        };
        Ok(Self { keys: vec![key], path, last: Mutex::new(last) })
    }

    /// Returns what was seen last, for whoever goes on from there: one at a time.
    pub(super) fn last(&self) -> MutexGuard<'_, Option<SignedCheckpoint>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was seen, durably, in place of what was seen before.
    pub(super) fn keep(
        &self,
        last: &mut MutexGuard<'_, Option<SignedCheckpoint>>,
        next: SignedCheckpoint,
    ) -> Result<(), StateError> {
        let written =
            durable::write(self.path.as_std_path(), 0o644, Existing::Replace, next.to_string().as_bytes());
        written.map_err(|source| StateError::File { path: self.path.clone(), source })?;
        **last = Some(next);
        Ok(())
    }
}

impl Explain for StateError {
    fn exit(&self) -> Exit {
        match self {
            Self::Directory { .. } | Self::File { .. } => Exit::Failure,
            Self::Locked { .. } => Exit::Locked,
            Self::Damaged { .. } => Exit::Trust,
            Self::Key { .. } => Exit::Usage,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Directory { .. } | Self::File { .. } => "witness_state_failed",
            Self::Locked { .. } => "witness_locked",
            Self::Damaged { .. } => "witness_state_damaged",
            Self::Key { .. } => "witness_wrong_key",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Locked { .. } => Some("stop the other one; each witness has a key and a directory of its own".into()),
            Self::Damaged { .. } => Some(
                "restore the file from a backup; without it this witness would vouch for a history that it did not see".into(),
            ),
            Self::Key { .. } => Some("`repo-server check` prints the key of a repository's log".into()),
            Self::Directory { .. } | Self::File { .. } => None,
        }
    }
}
