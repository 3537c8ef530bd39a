//! What this user's commands remember of a repository: which root it is trusted by, and the newest metadata that was seen, so
//! that nobody can show it an older state.
//!
//! `<state>/copkg/repositories/<host>-<digest of the URL>/` holds `pin`, `root.json` and one file for each role. A
//! crash leaves each file as it was or new.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::CoordinateError;
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use copkg_spec::repository::Fingerprint;
use copkg_spec::tuf::{Kept, Role, Version};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::remote::Address;
use crate::surroundings::Ambient;

const ROOT: &str = "root.json";
/// No role has a file of this name: theirs end in `.json`.
const PIN: &str = "pin";

/// What a user gives as `--root`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootPin {
    /// The fingerprint of the first root.
    Fingerprint(Fingerprint),
    /// A file with a root.
    File(PathBuf),
}

impl RootPin {
    /// Reads a fingerprint, else the name of a file.
    pub fn parse(text: &str, ambient: &Ambient) -> Self {
        let fingerprint: Result<Fingerprint, CoordinateError> = text.parse();
        fingerprint.map_or_else(|_| Self::File(ambient.resolve(Path::new(text))), Self::Fingerprint)
    }
}

/// A repository that this user has a directory for. Nobody else changes it before this is dropped.
#[derive(Debug)]
pub struct Known {
    directory: PathBuf,
    _lock: File,
}

/// What was pinned, and for which address.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    url: String,
    /// The digest of the root that was pinned.
    pinned_root: Digest,
    /// Its version. The digest of the first root is the repository's fingerprint.
    version: Version,
}

impl Known {
    /// Opens the directory for the repository at `address`, and waits while another command reads it.
    ///
    /// # Errors
    /// When the user has no place for it, or it cannot be made.
    pub fn open(address: &Address, ambient: &Ambient) -> Result<Self, KnownError> {
        let state = ambient.state().ok_or(KnownError::NoPlace)?;
        let directory = state.join("repositories").join(address.directory_name());
        let failed = |source| KnownError::Write { path: directory.clone(), source };
        durable::create_dir_all(&directory).map_err(failed)?;
        let lock = File::open(&directory).map_err(failed)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|errno| failed(errno.into()))?;
        Ok(Self { directory, _lock: lock })
    }

    /// Returns the directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the digest and the version of the root that was pinned, if one was.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn pinned(&self) -> Result<Option<(Digest, Version)>, KnownError> {
        let path = self.directory.join(PIN);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let record: Record =
            serde_json::from_slice(&bytes).map_err(|source| KnownError::Damaged { path, source })?;
        Ok(Some((record.pinned_root, record.version)))
    }

    /// Trusts a root, which must have been checked, in place of nothing.
    ///
    /// # Errors
    /// When it cannot be written. Until the record is written, nothing is pinned.
    pub fn pin(&self, address: &Address, root: &[u8], version: Version) -> Result<(), KnownError> {
        self.write(ROOT, root)?;
        let record = Record { url: address.to_string(), pinned_root: Digest::of(root), version };
        let path = self.directory.join(PIN);
        let bytes =
            serde_json::to_vec_pretty(&record).map_err(|source| KnownError::Damaged { path, source })?;
        self.write(PIN, &bytes)
    }

    /// Returns the newest root that is trusted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn root(&self) -> Result<Option<Vec<u8>>, KnownError> {
        read(&self.directory.join(ROOT))
    }

    /// Returns what was kept of a role.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(&self, role: &Role) -> Result<Option<Vec<u8>>, KnownError> {
        read(&self.directory.join(role.file_name()))
    }

    /// Keeps metadata in place of what was kept before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, kept: &Kept) -> Result<(), KnownError> {
        self.write(&kept.role.file_name(), &kept.bytes)
    }

    /// Forgets what was kept of a role.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget(&self, role: &Role) -> Result<(), KnownError> {
        let path = self.directory.join(role.file_name());
        let failed = |source| KnownError::Write { path: path.clone(), source };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => durable::sync_directory(&self.directory).map_err(failed),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), KnownError> {
        let path = self.directory.join(name);
        durable::write(&path, 0o644, Existing::Replace, bytes)
            .map_err(|source| KnownError::Write { path, source })
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, KnownError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KnownError::Read { path: path.to_owned(), source }),
    }
}

/// Says why it cannot be remembered what was seen of a repository.
#[derive(Debug, Error)]
pub enum KnownError {
    /// There is no place.
    #[error("there is no directory in which to remember what was seen of a repository")]
    NoPlace,
    /// Something cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The record is not one.
    #[error("{path} is not what was written there", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl Explain for KnownError {
    fn exit(&self) -> Exit {
        if let Self::Damaged { .. } = self { Exit::Trust } else { Exit::Failure }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoPlace => "no_state_directory",
            Self::Read { .. } => "state_unreadable",
            Self::Write { .. } => "state_unwritable",
            Self::Damaged { .. } => "state_damaged",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoPlace => Some("set HOME or XDG_STATE_HOME".into()),
            Self::Damaged { path, .. } => {
                let directory = path.parent().unwrap_or(path);
                Some(format!("remove {} and pin the root again with --root", directory.display()))
            }
            _ => None,
        }
    }
}
