//! The head of a package file: as much of it as names the package. Nothing here is verified; that is for clients.

use copkg_spec::archive::{Head, HeadError as ArchiveError};
use copkg_spec::digest::Digest;
use copkg_spec::limits::{MANIFEST_BYTES, SIGNATURES_BYTES};
use thiserror::Error;

use crate::layout::Target;
use crate::storage::{Object, ReadError};

/// The head of nearly every package; larger ones cost a second look.
const USUAL: u64 = 32 << 10;
/// The largest head: manifest and signatures, each with a tar header and padding.
const LARGEST: u64 = MANIFEST_BYTES + SIGNATURES_BYTES + 4 * 512;

/// Says why a file has no readable head.
#[derive(Debug, Error)]
pub(super) enum HeadError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is no package.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The file is another package than its name says.
    #[error("it says that it is {found}")]
    Misplaced {
        /// The name of its file by its own manifest.
        found: String,
    },
}

/// Reads the head of the file at `target` and returns the digest of `package.json`, which is the package's identity.
pub(super) async fn package_digest(object: &Object, target: &Target) -> Result<Digest, HeadError> {
    let head = match Head::read(&mut object.read(0..USUAL).await?.as_ref()) {
        Err(_) if object.size() > USUAL => Head::read(&mut object.read(0..LARGEST).await?.as_ref()),
        head => head,
    }?;
    let manifest = head.unverified_manifest();
    let (coordinate, platform) = (manifest.coordinate(), manifest.platform());
    if (&coordinate, platform) != (target.coordinate(), target.platform()) {
        return Err(HeadError::Misplaced { found: coordinate.file_name(platform) });
    }
    Ok(head.digest())
}
