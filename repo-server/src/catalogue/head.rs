//! The head of a package file: as much of it as names the package. Nothing here is verified; that is for clients.

use copkg_spec::digest::Digest;
use tar::Header;
use thiserror::Error;

use crate::storage::{Object, ReadError};

/// The size of a tar header.
const HEADER: u64 = 512;
/// The name of the first member.
const MANIFEST: &[u8] = b"package.json";
/// The largest `package.json` that is read.
const MANIFEST_MAX: u64 = 1024 * 1024;

/// Says why a file has no readable head.
#[derive(Debug, Error)]
pub(super) enum HeadError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is no package.
    #[error("it does not begin with a package.json of at most {MANIFEST_MAX} bytes")]
    NoManifest,
}

/// Reads `package.json` and returns its digest, which is the package's identity.
pub(super) async fn package_digest(object: &Object) -> Result<Digest, HeadError> {
    let header = object.read(0..HEADER).await?;
    let size = manifest_size(&header).ok_or(HeadError::NoManifest)?;
    let manifest = object.read(HEADER..HEADER + size).await?;
    if manifest.len() as u64 != size {
        return Err(HeadError::NoManifest);
    }
    Ok(Digest::of(&manifest))
}

fn manifest_size(block: &[u8]) -> Option<u64> {
    let block: &[u8; 512] = block.try_into().ok()?;
    let header = Header::from_byte_slice(block);
    let sum: u32 =
        block.iter().enumerate().map(|(i, &b)| if (148..156).contains(&i) { 32 } else { b.into() }).sum();
    let whole = header.cksum().is_ok_and(|expected| expected == sum);
    let named = header.path_bytes().as_ref() == MANIFEST && header.entry_type().is_file();
    let size = header.entry_size().ok()?;
    (whole && named && size <= MANIFEST_MAX).then_some(size)
}
