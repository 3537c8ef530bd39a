//! Puts a package file to its place in a directory repository: checked byte by byte, durable, never replaced.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{NestingConflict, PackageCoordinate};
use copkg_spec::digest::{Digest, Hashed};
use copkg_spec::durable::{self, Existing};
use copkg_spec::keys::KeyId;
use copkg_spec::manifest::Kind;
use copkg_spec::platform::Platform;
use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use super::nesting;
use crate::package::{FileIdentity, OpenPackage, PackageError};

/// Whether a package that nobody signed may be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// It may not: no host would install it.
    Refused,
    /// It may.
    Allowed,
}

/// A package that is in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The package.
    pub coordinate: PackageCoordinate,
    /// The platform of the file.
    pub platform: Platform,
    /// The digest of the package.
    pub digest: Digest,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was put there now; otherwise the same bytes were there.
    pub changed: bool,
}

/// A package file that has been checked byte by byte and may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The file.
    pub file: PathBuf,
    /// The package.
    pub coordinate: PackageCoordinate,
    /// The platform of the file.
    pub platform: Platform,
    /// What it holds.
    pub kind: Kind,
    /// What its recipe says that it is.
    pub description: Option<String>,
    /// The digest of the package.
    pub digest: Digest,
    /// The length of the file in bytes.
    pub length: u64,
    /// The digest of the file.
    pub sha256: Digest,
    /// The keys that are said to have signed it.
    pub signers: Vec<KeyId>,
}

/// Publishes `files` to the repository in `repository`.
///
/// All of them are checked before the first is put into place. A crash leaves files that are whole and in their places,
/// and at most a `.tmp-*` beside one.
///
/// # Errors
/// When a file is no package, is not what its manifest says, is not signed, has other bytes than the one that is there,
/// or nests with another package.
pub fn publish(
    files: &[PathBuf],
    repository: &Path,
    unsigned: Unsigned,
) -> Result<Vec<Publication>, PublishError> {
    let checked = files.iter().map(|file| check(file, unsigned)).collect::<Result<Vec<_>, _>>()?;
    check_plain(repository)?;
    let targets = repository.join("targets");
    let write = |source| PublishError::Write { path: targets.clone(), source };
    durable::create_dir_all(&targets).map_err(write)?;
    // Two publishers must not each miss the other's nesting package.
    let lock = File::open(&targets).map_err(write)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|errno| write(errno.into()))?;
    checked.iter().try_for_each(|package| check_place(package, &targets))?;
    checked.into_iter().map(|package| put(package, &targets)).collect()
}

/// Does all that [`publish`] does but write.
///
/// # Errors
/// As [`publish`].
pub fn rehearse(
    files: &[PathBuf],
    repository: &Path,
    unsigned: Unsigned,
) -> Result<Vec<Publication>, PublishError> {
    check_plain(repository)?;
    let targets = repository.join("targets");
    let rehearse = |file: &PathBuf| {
        let package = check(file, unsigned)?;
        check_place(&package, &targets)?;
        let path = place_of(&package, &targets);
        let changed = !path.exists();
        Ok(package.published(path, changed))
    };
    files.iter().map(rehearse).collect()
}

/// Checks that `repository` is a plain directory: what a repository has is what its signed metadata says.
fn check_plain(repository: &Path) -> Result<(), PublishError> {
    if repository.join("metadata/1.root.json").exists() {
        return Err(PublishError::Repository { directory: repository.to_owned() });
    }
    Ok(())
}

impl Checked {
    fn published(self, path: PathBuf, changed: bool) -> Publication {
        let Self { coordinate, platform, digest, .. } = self;
        Publication { coordinate, platform, digest, path, changed }
    }
}

/// Checks that a file is what its manifest says.
///
/// # Errors
/// When it is no package, is not what its manifest says, or is not signed.
pub fn check(file: &Path, unsigned: Unsigned) -> Result<Checked, PublishError> {
    let package = OpenPackage::without_trust(file)?;
    if package.signers().is_empty() && unsigned == Unsigned::Refused {
        return Err(PublishError::Unsigned { file: file.to_owned() });
    }
    let manifest = package.contents().manifest();
    let (coordinate, platform, kind) = (manifest.coordinate(), manifest.platform().clone(), manifest.kind());
    let description = manifest.about().description.clone();
    let (digest, signers) = (package.contents().digest(), package.signers().to_vec());
    let FileIdentity { length, sha256 } = package.check()?;
    let file = file.to_owned();
    Ok(Checked { file, coordinate, platform, kind, description, digest, length, sha256, signers })
}

fn place_of(package: &Checked, targets: &Path) -> PathBuf {
    targets.join(package.coordinate.target_path(&package.platform))
}

/// Checks that the place is free or holds the same bytes, and that no package nests.
fn check_place(package: &Checked, targets: &Path) -> Result<(), PublishError> {
    let read = |source| PublishError::Read { path: targets.to_owned(), source };
    nesting::check(&package.coordinate, targets).map_err(read)??;
    let place = place_of(package, targets);
    match digest_of(&place) {
        Ok(there) if there == package.sha256 => Ok(()),
        Ok(there) => Err(PublishError::Conflict {
            coordinate: package.coordinate.clone(),
            platform: package.platform.clone(),
            new: package.sha256,
            there,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(PublishError::Read { path: place, source }),
    }
}

fn put(package: Checked, targets: &Path) -> Result<Publication, PublishError> {
    let path = place_of(&package, targets);
    // Checked again: the files of one command may nest with or repeat each other.
    check_place(&package, targets)?;
    let changed = !path.exists();
    if changed {
        copy_durably(&package, &path)?;
    }
    Ok(package.published(path, changed))
}

fn copy_durably(package: &Checked, path: &Path) -> Result<(), PublishError> {
    let write = |source| PublishError::Write { path: path.to_owned(), source };
    let directory = path.parent().unwrap_or(path);
    durable::create_dir_all(directory).map_err(write)?;
    let from = File::open(&package.file)
        .map_err(|source| PublishError::Read { path: package.file.clone(), source })?;
    durable::write_with(path, 0o644, Existing::Keep, write, |file| {
        let mut input = Hashed::new(BufReader::with_capacity(256 << 10, from));
        io::copy(&mut input, file).map_err(write)?;
        // What was checked is what is published, whoever wrote to the file meanwhile.
        if input.finish().2 == package.sha256 {
            Ok(())
        } else {
            Err(PublishError::Changed { file: package.file.clone() })
        }
    })
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    Digest::of_reader(File::open(path)?)
}

/// Says why a package was not published.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The file is no package, or not what it says.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Nobody signed it.
    #[error("{file} is not signed", file = file.display())]
    Unsigned {
        /// The file.
        file: PathBuf,
    },
    /// Other bytes are published under the same coordinate.
    #[error("{coordinate} for {platform} is published already, with other bytes: sha256 {} there, {} here", there.short(), new.short())]
    Conflict {
        /// The package.
        coordinate: PackageCoordinate,
        /// The platform.
        platform: Platform,
        /// The digest of the file that was to be published.
        new: Digest,
        /// The digest of the file that is there.
        there: Digest,
    },
    /// Its install path contains another package's, or lies inside it.
    #[error(transparent)]
    Nesting(#[from] NestingConflict),
    /// The file was written to while it was published.
    #[error("{file} changed while it was published", file = file.display())]
    Changed {
        /// The file.
        file: PathBuf,
    },
    /// The directory is the store of a repository.
    #[error("{directory} is a repository with metadata, and no plain directory", directory = directory.display())]
    Repository {
        /// The directory.
        directory: PathBuf,
    },
    /// The repository cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The repository cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Explain for PublishError {
    fn exit(&self) -> Exit {
        match self {
            Self::Package(error) => error.exit(),
            Self::Unsigned { .. } => Exit::Trust,
            Self::Repository { .. } => Exit::Usage,
            Self::Conflict { .. } | Self::Nesting(_) => Exit::Conflict,
            Self::Changed { .. } | Self::Read { .. } | Self::Write { .. } => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Package(error) => error.code(),
            Self::Unsigned { .. } => "not_signed",
            Self::Conflict { .. } => "published_with_other_bytes",
            Self::Nesting(_) => "nesting_coordinates",
            Self::Changed { .. } => "file_changed",
            Self::Repository { .. } => "not_a_plain_directory",
            Self::Read { .. } => "repository_unreadable",
            Self::Write { .. } => "repository_unwritable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Package(error) => error.hint(),
            Self::Unsigned { file } => Some(format!(
                "sign it: pkgbuild sign {} --key NAME.key; no host installs an unsigned package (--allow-unsigned publishes it all the same)",
                file.display()
            )),
            Self::Conflict { .. } => Some("what is published never changes: raise the version".into()),
            Self::Repository { .. } => {
                Some("publish to the URL of its server, with --key: `repo-server serve` prints it".into())
            }
            Self::Nesting(_) => Some("choose another group, id or version".into()),
            _ => None,
        }
    }
}
