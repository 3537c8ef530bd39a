//! Reads the head of a package file: a first range tells how long it is, a second one brings the rest.

use std::io::Cursor;

use bytes::Bytes;
use copkg_spec::archive::{Contents, Head};
use copkg_spec::limits::{MANIFEST_BYTES, SIGNATURES_BYTES};
use tokio::task::spawn_blocking;

use super::{Details, DetailsError, HEAD_BYTES, INDEX_BYTES, readme};
use crate::overview::FileOf;
use crate::storage::{Object, Storage};

/// The whole head of most packages.
const USUAL: u64 = 64 << 10;
/// The largest manifest and signatures, each with its tar header and padding.
const LARGEST: u64 = MANIFEST_BYTES + SIGNATURES_BYTES + 4 * BLOCK;
/// The block of a tar archive.
const BLOCK: u64 = 512;

/// Reads what a file says of itself, and checks that it is the package that its group signed.
pub(super) async fn details(storage: &Storage, file: &FileOf) -> Result<Details, DetailsError> {
    let object = storage.object(&file.blob()).await?.ok_or(DetailsError::Missing)?;
    let (head, mut bytes) = head(&object).await?;
    if head.digest() != file.digest {
        return Err(DetailsError::Damaged("its manifest is another one than the group signed".to_owned()));
    }
    let length = head_length(&head)?;
    if (bytes.len() as u64) < length {
        bytes = object.read(0..length).await?;
    }
    let stored = object.stored();
    let (contents, manifest_bytes) = spawn_blocking(move || contents(&bytes)).await.map_err(damaged)??;
    let readme = readme::read(&object, length, &contents).await?;
    Ok(Details {
        manifest: contents.manifest().clone(),
        manifest_bytes,
        signatures: contents.signatures().iter().cloned().collect(),
        entries: contents.index().entries().to_vec(),
        sbom: contents.sbom().map(<[u8]>::to_vec),
        provenance: contents.provenance().map(<[u8]>::to_vec),
        readme,
        stored,
    })
}

async fn head(object: &Object) -> Result<(Head, Bytes), DetailsError> {
    let mut bytes = object.read(0..USUAL).await?;
    let mut head = Head::read(&mut bytes.as_ref());
    if head.is_err() && object.size() > USUAL {
        bytes = object.read(0..LARGEST).await?;
        head = Head::read(&mut bytes.as_ref());
    }
    Ok((head.map_err(damaged)?, bytes))
}

/// Returns how many bytes of the file stand before its payload.
fn head_length(head: &Head) -> Result<u64, DetailsError> {
    let members = head.unverified_manifest().members();
    if members.index.size > INDEX_BYTES {
        return Err(DetailsError::TooLarge);
    }
    let attachments = [&members.sbom, &members.provenance].into_iter().flatten().map(|member| member.length);
    let members =
        attachments.chain([members.index.length]).map(|length| BLOCK + length.div_ceil(BLOCK) * BLOCK);
    let length = head.length() + members.sum::<u64>() + BLOCK;
    if length > HEAD_BYTES { Err(DetailsError::TooLarge) } else { Ok(length) }
}

fn contents(bytes: &[u8]) -> Result<(Contents, Vec<u8>), DetailsError> {
    let mut reader = Cursor::new(bytes);
    let head = Head::read(&mut reader).map_err(damaged)?;
    let manifest_bytes = head.manifest_bytes().to_vec();
    let contents = head.without_trust().read_contents(&mut reader).map_err(damaged)?;
    Ok((contents, manifest_bytes))
}

pub(super) fn damaged(error: impl std::fmt::Display) -> DetailsError {
    DetailsError::Damaged(error.to_string())
}
