//! A copy of a repository's metadata in a directory, for machines without network: the newest file of each role counts.
//!
//! There is no snapshot to say which files belong together, and nothing here expires: what an owner signs on an old copy the
//! server refuses, because its version is taken.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::repository::Fingerprint;
use copkg_spec::repository::ceremony::authority_for;
use copkg_spec::tuf::{
    Document, Role, RoleName, Root, Rule, Targets, TufError, Verified, Version, load_root, next_root,
};
use thiserror::Error;

use super::view::{Source, View, ViewError};

/// A directory with metadata files, `<version>.<role>.json`.
#[derive(Debug)]
pub(super) struct Copied {
    directory: PathBuf,
    /// The versions of each role that are there, by the name of its file.
    files: BTreeMap<String, Vec<Version>>,
    fingerprint: Option<Fingerprint>,
}

type Result<T> = std::result::Result<T, ViewError>;

/// Opens a copy.
///
/// # Errors
/// When it cannot be read, or its roots do not follow one another.
pub fn open_copy(directory: &Path) -> Result<View<'static>> {
    let mut copy = Copied { directory: directory.to_owned(), files: list(directory)?, fingerprint: None };
    let root = copy.newest_root()?;
    let targets = copy
        .newest(&Role::Targets)?
        .ok_or_else(|| CopyError::Missing { directory: directory.to_owned(), role: Role::Targets })?;
    let targets = verified(&Role::Targets, targets, |document| document.verify(root.targets_authority()))?;
    View::new(Source::Copy(copy), root, targets)
}

impl Copied {
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    pub(super) fn version_of(&self, role: &Role) -> Option<Version> {
        self.files.get(&role.file_name())?.last().copied()
    }

    pub(super) fn read(&self, delegator: &Targets, name: &RoleName) -> Result<Option<Verified<Targets>>> {
        let role = Role::Delegated(name.clone());
        let Some(authority) = authority_for(delegator, name) else { return Ok(None) };
        let Some(bytes) = self.newest(&role)? else { return Ok(None) };
        verified(&role, bytes, |document| document.verify(authority)).map(Some)
    }

    /// Follows the roots from the first that is there.
    fn newest_root(&mut self) -> Result<Verified<Root>> {
        let versions = self.files.get(&Role::Root.file_name()).cloned().unwrap_or_default();
        let mut newest: Option<Verified<Root>> = None;
        for version in versions {
            let bytes = self.bytes(&Role::Root, version)?;
            if version == Version::FIRST {
                self.fingerprint = Some(Fingerprint::of_first_root(&bytes));
            }
            newest = Some(match &newest {
                None => load_root(bytes)?,
                Some(before) => next_root(before, bytes)?,
            });
        }
        let missing = || CopyError::Missing { directory: self.directory.clone(), role: Role::Root };
        Ok(newest.ok_or_else(missing)?)
    }

    fn newest(&self, role: &Role) -> Result<Option<Vec<u8>>> {
        let versions = self.files.get(&role.file_name());
        versions.and_then(|versions| versions.last()).map(|version| self.bytes(role, *version)).transpose()
    }

    fn bytes(&self, role: &Role, version: Version) -> Result<Vec<u8>> {
        let path = self.directory.join(role.versioned_file_name(version));
        Ok(fs::read(&path).map_err(|source| CopyError::Read { path, source })?)
    }
}

fn verified(
    role: &Role,
    bytes: Vec<u8>,
    verify: impl FnOnce(Document<Targets>) -> std::result::Result<Verified<Targets>, Rule>,
) -> Result<Verified<Targets>> {
    let refused = |rule| TufError { role: role.clone(), rule };
    let document = Document::parse(bytes).map_err(|error| refused(error.into()))?;
    Ok(verify(document).map_err(refused)?)
}

fn list(directory: &Path) -> Result<BTreeMap<String, Vec<Version>>> {
    let failed = |source| CopyError::Read { path: directory.to_owned(), source };
    let mut files: BTreeMap<String, Vec<Version>> = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some((version, file)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
        if let Some(version) = version.parse().ok().and_then(Version::new) {
            files.entry(file.to_owned()).or_default().push(version);
        }
    }
    for versions in files.values_mut() {
        versions.sort_unstable();
    }
    Ok(files)
}

/// Says why a copy cannot be used.
#[derive(Debug, Error)]
pub enum CopyError {
    /// It cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is none.
    #[error("{directory} has no metadata of {role}", directory = directory.display())]
    Missing {
        /// The directory.
        directory: PathBuf,
        /// The role.
        role: Role,
    },
}

impl Explain for CopyError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { source, .. } if source.kind() != io::ErrorKind::NotFound => Exit::Failure,
            _ => Exit::NotFound,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "copy_unreadable",
            Self::Missing { .. } => "copy_incomplete",
        }
    }

    fn hint(&self) -> Option<String> {
        Some("`pkgbuild repo fetch --repo URL --out DIR` makes a copy of the metadata".into())
    }
}
