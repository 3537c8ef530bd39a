//! `packages.lock`: which package each reference of a deployment is, by digest.
//!
//! Made when a deployment is built and read when it is applied, so that every host runs what was built.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::service::{PackageChoice, PackageReference};
use crate::command::{Exit, Explain};
use crate::coordinate::{Group, Label, Version};
use crate::digest::Digest;
use crate::platform::Platform;

/// The name of the lock in the package.
pub const LOCK_NAME: &str = "packages.lock";
/// The version of the file that this program reads and writes.
const LOCK_VERSION: u32 = 1;
const HEADER: &str = "# Written by `pkgbuild build`: the packages of this deployment, by digest.\n";

/// Every package of a deployment that does not follow a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    packages: BTreeMap<PackageReference, LockedPackage>,
}

/// The version that a reference meant when the deployment was built, and its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// The version.
    pub version: Version,
    /// The digest of the manifest of each platform's file: the identity of the package.
    pub digests: BTreeMap<Platform, Digest>,
}

impl LockedPackage {
    /// Returns the platform and the digest of the file for a host: that of its own platform, else that for any.
    pub fn for_host(&self, host: &Platform) -> Option<(&Platform, Digest)> {
        let own = self.digests.get_key_value(host);
        own.or_else(|| self.digests.get_key_value(&Platform::Any))
            .map(|(platform, digest)| (platform, *digest))
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    version: u32,
    #[serde(default)]
    package: Vec<LockEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockEntry {
    group: Group,
    id: Label,
    version: Version,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<Label>,
    digests: BTreeMap<Platform, Digest>,
}

impl Lock {
    /// Adds a package. One that is followed is never locked.
    pub fn insert(&mut self, reference: PackageReference, package: LockedPackage) {
        if reference.is_locked() {
            self.packages.insert(reference, package);
        }
    }

    /// Returns what a reference is. `None` for one that is followed.
    pub fn get(&self, reference: &PackageReference) -> Option<&LockedPackage> {
        self.packages.get(reference)
    }

    /// Returns every package, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&PackageReference, &LockedPackage)> {
        self.packages.iter()
    }

    /// Reads a lock.
    ///
    /// # Errors
    /// When it is not one, or one of a newer program.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = toml::from_str(text).map_err(LockError::Syntax)?;
        if version != LOCK_VERSION {
            return Err(LockError::Version(version));
        }
        let file: LockFile = toml::from_str(text).map_err(LockError::Syntax)?;
        let mut lock = Self::default();
        for entry in file.package {
            let choice = match entry.channel {
                Some(channel) => PackageChoice::Channel(channel),
                None => PackageChoice::Version(entry.version.clone()),
            };
            let reference = PackageReference { group: entry.group, id: entry.id, choice };
            if entry.digests.is_empty() {
                return Err(LockError::NoFile(reference.to_string()));
            }
            let package = LockedPackage { version: entry.version, digests: entry.digests };
            if lock.packages.insert(reference.clone(), package).is_some() {
                return Err(LockError::Twice(reference.to_string()));
            }
        }
        Ok(lock)
    }

    /// Writes the lock: the same packages are the same bytes.
    ///
    /// # Errors
    /// When TOML cannot hold it, which no valid lock causes.
    pub fn to_text(&self) -> Result<String, LockError> {
        let entry = |(reference, package): (&PackageReference, &LockedPackage)| LockEntry {
            group: reference.group.clone(),
            id: reference.id.clone(),
            version: package.version.clone(),
            channel: match &reference.choice {
                PackageChoice::Channel(channel) => Some(channel.clone()),
                PackageChoice::Version(_) | PackageChoice::Follow(_) => None,
            },
            digests: package.digests.clone(),
        };
        let file = LockFile { version: LOCK_VERSION, package: self.packages.iter().map(entry).collect() };
        let text = toml::to_string(&file).map_err(LockError::Encode)?;
        Ok(format!("{HEADER}{text}"))
    }
}

/// Says why a text is no lock.
#[derive(Debug, Error)]
pub enum LockError {
    /// It is not TOML, or has other keys.
    #[error("{LOCK_NAME} is not what `pkgbuild build` writes")]
    Syntax(#[source] toml::de::Error),
    /// It is of another version.
    #[error("{LOCK_NAME} has version {0}, this program reads {LOCK_VERSION}")]
    Version(u32),
    /// A package has no file.
    #[error("{LOCK_NAME} has no digest for {0}")]
    NoFile(String),
    /// A package is there twice.
    #[error("{LOCK_NAME} has {0} twice")]
    Twice(String),
    /// It cannot be written.
    #[error("{LOCK_NAME} cannot be written")]
    Encode(#[source] toml::ser::Error),
}

impl Explain for LockError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        "lock_malformed"
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Version(_) => "a newer version of this program reads it".into(),
            _ => "build the deployment again".into(),
        })
    }
}
