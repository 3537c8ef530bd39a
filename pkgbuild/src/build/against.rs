//! An earlier package: its frames need not be compressed again, and files that have not changed since keep their dates.

use std::fs::File;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use copkg_spec::archive::{Contents, EarlierDates, EarlierFrames};

use crate::package::{OpenPackage, PackageError};
use crate::provenance::Provenance;
use crate::source::{Material, MaterialDigest};

/// What became of an earlier package.
#[allow(missing_debug_implementations, reason = "frames have nothing to show")]
pub enum Against {
    /// Its frames can be used.
    Usable(EarlierFrames),
    /// They would make other bytes than a build without them: why.
    Useless(String),
}

/// An earlier version of a package, as its files keep their dates.
#[derive(Debug, Clone)]
pub struct EarlierVersion {
    /// Which it is, for the provenance.
    pub material: Material,
    /// Its dates.
    pub dates: EarlierDates,
}

impl EarlierVersion {
    /// Reads the dates of the package `file`.
    ///
    /// # Errors
    /// When the file is no package.
    pub fn read(file: &Path) -> Result<Self, PackageError> {
        Ok(Self::of(OpenPackage::without_trust(file)?.contents()))
    }

    fn of(contents: &Contents) -> Self {
        let uri = format!("copkg:{}", contents.manifest().coordinate());
        let material = Material { uri, digest: MaterialDigest::Sha256(contents.digest()) };
        Self { material, dates: EarlierDates::of(contents) }
    }
}

/// Opens the frames of the package `file` for a build at `level`.
///
/// They are used only where they are what this program would make, so that the bytes of a package never depend on what was
/// built before it.
///
/// # Errors
/// When the file is no package.
pub fn open(file: &Path, level: i32, threads: NonZeroUsize) -> Result<Against, PackageError> {
    let package = OpenPackage::without_trust(file)?;
    let contents = package.contents();
    let provenance = contents.provenance().and_then(|bytes| Provenance::parse(bytes).ok());
    let useless = |why: String| Ok(Against::Useless(format!("{} {why}", file.display())));
    match provenance {
        None => return useless("does not say how it was built".to_owned()),
        Some(old) if old.version != env!("CARGO_PKG_VERSION") => {
            return useless(format!("was built by pkgbuild {}", old.version));
        }
        Some(old) if old.level != level => return useless(format!("was built with --level {}", old.level)),
        Some(_) => {}
    }
    let opened = File::open(file).map_err(|source| PackageError::Read { path: file.to_owned(), source })?;
    let start = contents.head_bytes().len() as u64;
    let read = move |offset: u64, bytes: &mut [u8]| opened.read_exact_at(bytes, start + offset);
    Ok(Against::Usable(EarlierFrames::read(contents, Box::new(read), threads)))
}
