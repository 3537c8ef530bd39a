//! Patches to what is published: from each of the last versions that a repository has, made before the new one becomes public.
//!
//! Comes after the package files are checked, before the group's next metadata is signed. A patch is published beside the package
//! that it makes; one that would be larger than that package is not.

use std::fs;
use std::path::{Path, PathBuf};

use copkg_spec::archive::PackOptions;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{PackageCoordinate, Version};
use copkg_spec::digest::Digest;
use copkg_spec::keys::SecretKey;
use copkg_spec::repository::{PackageTarget, PatchCustom, PatchKind, PatchTarget};
use thiserror::Error;

use super::publish::Checked;
use super::remote::RemoteError;
use crate::build::{Work, WorkError};
use crate::delta::{DeltaError, Unpacked, delta};

/// A patch that may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPatch {
    /// Its name.
    pub target: PatchTarget,
    /// What is said of it.
    pub custom: PatchCustom,
    /// The file.
    pub file: PathBuf,
    /// Its length in bytes.
    pub length: u64,
    /// The digest of the file.
    pub sha256: Digest,
}

/// The versions that a repository has already.
pub trait Published {
    /// Returns the versions of a package for a platform, and of patches to it those that are there.
    fn versions(&self, package: &PackageTarget) -> Vec<Version>;

    /// Tells whether a patch is there already: it is not made again.
    fn has_patch(&self, patch: &PatchTarget) -> bool;

    /// Brings a package file; it may lie in `directory` afterwards.
    ///
    /// # Errors
    /// When it cannot be had.
    fn fetch(&self, package: &PackageTarget, directory: &Path) -> Result<PathBuf, PatchesError>;
}

/// How patches are made.
#[derive(Debug)]
pub struct Patching<'p> {
    /// From how many versions before.
    pub count: usize,
    /// The keys that sign.
    pub keys: &'p [SecretKey],
    /// How to compress.
    pub options: PackOptions,
    /// Where patches lie until they are published.
    pub work: &'p Work,
}

impl Patching<'_> {
    /// Makes the patches to `packages`, from each other and from what is `published`. `skipped` is told of each that is not
    /// worth it, and why.
    ///
    /// # Errors
    /// When an earlier version cannot be had or read, or a patch cannot be written.
    pub fn make(
        &self,
        packages: &[Checked],
        published: &impl Published,
        mut skipped: impl FnMut(String),
    ) -> Result<Vec<NewPatch>, PatchesError> {
        let mut made = Vec::new();
        for (number, package) in packages.iter().enumerate() {
            let wanted = self.wanted(package, packages, published);
            if wanted.is_empty() {
                continue;
            }
            let place = self.directory(&format!("{number}"))?;
            let new = Unpacked::new(&package.file, place.join("new"))?;
            for patch in wanted {
                let patch = self.make_one(&patch, (package, &new), (packages, published), &place)?;
                if patch.length < package.length {
                    made.push(patch);
                } else {
                    let (name, length) = (patch.target.file_name(), patch.length);
                    skipped(format!(
                        "{name} would have {length} bytes, more than the package: it is not published"
                    ));
                }
            }
            remove(&place.join("new"))?;
        }
        Ok(made)
    }

    /// Returns the patches that are to lead to a package, those from the newest versions first.
    fn wanted(
        &self,
        package: &Checked,
        packages: &[Checked],
        published: &impl Published,
    ) -> Vec<PatchTarget> {
        let target = package.target();
        let mut versions = published.versions(&target);
        versions.extend(packages.iter().filter_map(|other| other.version_of(&target)));
        versions.retain(|version| version < target.coordinate.version());
        versions.sort_by(|a, b| b.cmp(a));
        versions.dedup();
        versions.truncate(self.count);
        let patches = versions.into_iter().map(|from| PatchTarget { package: target.clone(), from });
        patches.filter(|patch| !published.has_patch(patch)).collect()
    }

    fn make_one(
        &self,
        target: &PatchTarget,
        (package, new): (&Checked, &Unpacked),
        (packages, published): (&[Checked], &impl Published),
        place: &Path,
    ) -> Result<NewPatch, PatchesError> {
        let from = target.from_package();
        let old_place = self.directory("old")?;
        let file = match packages.iter().find(|other| other.target() == from) {
            Some(other) => other.file.clone(),
            None => published.fetch(&from, &old_place)?,
        };
        let old = Unpacked::new(&file, old_place.join("tree"))?;
        let file = place.join(target.file_name());
        let made = delta(&old, new, self.keys, self.options, &file)?;
        if made.manifest.target() != *target || made.manifest.to().digest != package.digest {
            return Err(PatchesError::Another { wanted: from.coordinate });
        }
        remove(&old_place)?;
        let custom = PatchCustom {
            kind: PatchKind::Patch,
            digest: made.digest,
            from: made.manifest.from().digest,
            to: package.digest,
            platform: package.platform.clone(),
        };
        Ok(NewPatch { target: target.clone(), custom, file, length: made.length, sha256: made.sha256 })
    }

    fn directory(&self, name: &str) -> Result<PathBuf, PatchesError> {
        let path = self.work.path().join(name);
        fs::create_dir(&path)
            .map_err(|source| DeltaError::Scratch { path: path.clone(), source })
            .map_err(PatchesError::from)?;
        Ok(path)
    }
}

impl Checked {
    pub(super) fn target(&self) -> PackageTarget {
        PackageTarget { coordinate: self.coordinate.clone(), platform: self.platform.clone() }
    }

    /// Returns the version, if it is one of the same package for the same platform.
    fn version_of(&self, package: &PackageTarget) -> Option<Version> {
        let (ours, theirs) = (&self.coordinate, &package.coordinate);
        let same =
            ours.group() == theirs.group() && ours.id() == theirs.id() && self.platform == package.platform;
        same.then(|| ours.version().clone())
    }
}

fn remove(path: &Path) -> Result<(), PatchesError> {
    let removed = fs::remove_dir_all(path);
    Ok(removed.map_err(|source| DeltaError::Scratch { path: path.to_owned(), source })?)
}

/// Says why patches were not made.
#[derive(Debug, Error)]
pub enum PatchesError {
    /// A patch cannot be made.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// There is no scratch directory.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// An earlier version cannot be fetched.
    #[error("cannot fetch {package}, from which a patch was to lead")]
    Fetch {
        /// The package.
        package: PackageCoordinate,
        /// Why.
        #[source]
        source: RemoteError,
    },
    /// An earlier version is another package than its place says.
    #[error("what the repository has as {wanted} is another package")]
    Another {
        /// What was to be there.
        wanted: PackageCoordinate,
    },
}

impl Explain for PatchesError {
    fn exit(&self) -> Exit {
        match self {
            Self::Delta(error) => error.exit(),
            Self::Work(error) => error.exit(),
            Self::Fetch { source, .. } => source.exit(),
            Self::Another { .. } => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Delta(error) => error.code(),
            Self::Work(error) => error.code(),
            Self::Fetch { source, .. } => source.code(),
            Self::Another { .. } => "wrong_package",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Delta(error) => error.hint(),
            Self::Work(error) => error.hint(),
            Self::Fetch { source, .. } => source.hint(),
            Self::Another { .. } => Some("tell the repository's owner; publish without --patches".into()),
        }
    }
}
