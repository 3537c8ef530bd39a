//! Staging: from a verified package to a tree on disk that nobody uses yet.
//!
//! Comes after verification and before activation. The tree is written through directory handles into a directory that
//! only this operation knows, on the file system that it will stay on, and made durable as a whole at the end.

mod error;
mod parallel;
mod writer;

pub use error::StageError;

use std::io::Read;
use std::num::NonZeroUsize;
use std::thread;

use copkg_spec::archive::{Contents, VerifiedIndex};
use copkg_spec::keys::KeyId;

use crate::tree::Directory;
use writer::FileWriter;

/// A package whose whole tree is on disk, durable, and as its index says.
///
/// Only [`stage`] makes one.
#[derive(Debug)]
pub struct StagedPackage {
    package: VerifiedIndex,
}

impl StagedPackage {
    /// Returns all of the package but its payload.
    pub fn contents(&self) -> &Contents {
        self.package.contents()
    }

    /// Returns the trusted keys that signed it.
    pub fn signers(&self) -> &[KeyId] {
        self.package.signers()
    }
}

/// Unpacks the payload into the empty directory `into`.
///
/// A package that is not verified cannot be staged:
///
/// ```compile_fail
/// fn install(unverified: copkg_spec::archive::Contents, into: &pkginstall::tree::Directory) {
///     let _ = pkginstall::stage::stage(unverified, &mut std::io::empty(), into);
/// }
/// ```
///
/// while a verified one can:
///
/// ```
/// fn install(verified: copkg_spec::archive::VerifiedIndex, into: &pkginstall::tree::Directory) {
///     let _ = pkginstall::stage::stage(verified, &mut std::io::empty(), into);
/// }
/// ```
///
/// # Errors
/// When the payload is not what the index says, or the disk refuses. The directory then holds a part of the tree.
pub fn stage(
    package: VerifiedIndex,
    payload: &mut impl Read,
    into: &Directory,
) -> Result<StagedPackage, StageError> {
    let contents = package.contents();
    let (index, times) = (contents.index(), writer::times_of(contents.manifest().source_date()));
    writer::make_directories(index, into)?;
    parallel::unpack(index, payload, threads(), || FileWriter::new(into, times.clone()))
        .map_err(|failed| StageError::of(contents.manifest().coordinate(), failed))?;
    writer::finish(index, into, &times)?;
    into.sync_file_system()?;
    Ok(StagedPackage { package })
}

/// As many as there are processors. Creating files is the cost of most packages, and more than a few get in each other's
/// way there.
fn threads() -> NonZeroUsize {
    const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
    thread::available_parallelism().map_or(NonZeroUsize::MIN, |threads| threads.min(MOST))
}
