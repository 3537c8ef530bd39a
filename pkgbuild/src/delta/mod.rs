//! Makes the patch from one package file to another.
//!
//! Comes after both are built, before it is published beside the new one. Both packages are unpacked to a scratch directory, which
//! checks every byte of them; the rest is `copkg_spec::patch`.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use copkg_spec::archive::{Contents, PackOptions};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use copkg_spec::index::EntryPath;
use copkg_spec::keys::SecretKey;
use copkg_spec::patch::{MadePatch, MakePatchError, PatchPlan, make_patch};
use thiserror::Error;

use crate::package::{OpenPackage, PackageError};

/// The level at which patches are made: a higher one gains a tenth for ten times the work.
pub const LEVEL: i32 = 9;

/// A package whose files are at hand.
#[derive(Debug)]
pub struct Unpacked {
    contents: Contents,
    directory: PathBuf,
}

impl Unpacked {
    /// Unpacks the package `file` into `directory`, which is made.
    ///
    /// # Errors
    /// When it is no package, is not what its manifest says, or cannot be unpacked.
    pub fn new(file: &Path, directory: PathBuf) -> Result<Self, DeltaError> {
        fs::create_dir(&directory)
            .map_err(|source| DeltaError::Scratch { path: directory.clone(), source })?;
        let package = OpenPackage::without_trust(file)?;
        let contents = package.contents().clone();
        package.unpack(&directory)?;
        Ok(Self { contents, directory })
    }

    /// Returns the package.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    fn read(&self, path: &EntryPath, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        File::open(self.directory.join(path.as_str()))?.read_exact_at(bytes, offset)
    }
}

/// Makes the patch from `old` to `new` into the file `out`.
///
/// # Errors
/// When they are not two versions of one package for one platform, or it cannot be written.
pub fn delta(
    old: &Unpacked,
    new: &Unpacked,
    keys: &[SecretKey],
    options: PackOptions,
    out: &Path,
) -> Result<MadePatch, DeltaError> {
    let scratch_of = |source| DeltaError::Scratch { path: new.directory.clone(), source };
    let scratch = tempfile::tempfile_in(&new.directory).map_err(scratch_of)?;
    let write = |source| DeltaError::Write { path: out.to_owned(), source };
    let file = File::create(out).map_err(write)?;
    let read_old = |path: &EntryPath, offset, bytes: &mut [u8]| old.read(path, offset, bytes);
    let read_new = |path: &EntryPath, offset, bytes: &mut [u8]| new.read(path, offset, bytes);
    let plan = PatchPlan { old: (&old.contents, &read_old), new: (&new.contents, &read_new), keys, options };
    let made = make_patch(&plan, scratch, BufWriter::with_capacity(256 << 10, &file))?;
    file.sync_all().map_err(write)?;
    Ok(made)
}

/// Puts the patch in the file `from` to its place, in one step; tells whether it was not there before.
///
/// # Errors
/// When the file system refuses.
pub fn put(sha256: Digest, from: &Path, place: &Path) -> Result<bool, DeltaError> {
    let write = |source| DeltaError::Write { path: place.to_owned(), source };
    if is_there(sha256, place).map_err(write)? {
        return Ok(false);
    }
    let directory = place.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    durable::create_dir_all(directory).map_err(write)?;
    let mut made = File::open(from).map_err(write)?;
    durable::write_with(place, 0o644, Existing::Replace, write, |file| {
        io::copy(&mut made, file).map(drop).map_err(write)
    })?;
    Ok(true)
}

fn is_there(sha256: Digest, place: &Path) -> io::Result<bool> {
    match File::open(place) {
        Ok(file) => Ok(Digest::of_reader(file)? == sha256),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says why a patch was not made.
#[derive(Debug, Error)]
pub enum DeltaError {
    /// A file is no package, or not what it says.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The patch cannot be made.
    #[error(transparent)]
    Make(#[from] MakePatchError),
    /// The scratch directory cannot be used.
    #[error("cannot unpack into {path}", path = path.display())]
    Scratch {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The patch cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Explain for DeltaError {
    fn exit(&self) -> Exit {
        match self {
            Self::Package(error) => error.exit(),
            Self::Make(error) => error.exit(),
            Self::Scratch { .. } | Self::Write { .. } => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Package(error) => error.code(),
            Self::Make(error) => error.code(),
            Self::Scratch { .. } => "scratch_unwritable",
            Self::Write { .. } => "patch_unwritable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Package(error) => error.hint(),
            Self::Make(error) => error.hint(),
            Self::Scratch { .. } => Some("TMPDIR chooses another file system for the work".into()),
            Self::Write { .. } => None,
        }
    }
}
