//! Files: taken only where a waiting proposal names them, spooled to disk, checked whole, then put into the store.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, Write as _};

use bytes::Bytes;
use copkg_spec::archive::{ContainerError, Discard, Head, HeadError, UnpackError, VerifyError};
use copkg_spec::coordinate::CoordinateError;
use copkg_spec::digest::{Digest, Hashed};
use copkg_spec::keys::{Payload, PublicKey};
use copkg_spec::patch::{PatchError, PatchHead};
use copkg_spec::repository::{
    MissingBlob, PackageCustom, PackageTarget, PatchCustom, PatchTarget, TargetFile,
};
use copkg_spec::tuf::Target;
use futures_util::{Stream, StreamExt as _};
use thiserror::Error;

use super::intake::{Lost, Place};
use super::pending::before;
use super::stored::{FRESH, lacking};
use super::{PublishError, Publishing};
use crate::layout::StorePath;

/// How much of a file is looked at before the rest comes: most heads are shorter.
const BEGINNING: usize = 64 << 10;

/// A file that a waiting proposal names.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) blob: MissingBlob,
    /// What the proposal says of it.
    pub(super) target: Target,
    /// The keys that speak for its group.
    pub(super) keys: Vec<PublicKey>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is in the store now.
    New,
    /// It was there.
    Before,
}

/// Says why a file is not taken.
#[derive(Debug, Error)]
pub enum BlobError {
    /// No proposal that waits names it.
    #[error("no proposal that waits names a file {0}")]
    Unexpected(Digest),
    /// It is larger than the server takes.
    #[error("the file has {length} bytes, the limit is {limit}")]
    TooLarge {
        /// Its length.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// It has another length than the proposal says.
    #[error("the file has {found} bytes, and should have {expected}")]
    Length {
        /// What the proposal says.
        expected: u64,
        /// What came, at least.
        found: u64,
    },
    /// It has another digest.
    #[error("the SHA-256 of the file is {found}")]
    Digest {
        /// What came.
        found: Digest,
    },
    /// The publisher sent nothing for too long, or went away.
    #[error("the file broke off after {0} bytes")]
    Broken(u64),
    /// Too many files are on their way.
    #[error("too many files are on their way; try again")]
    Busy,
    /// It cannot be written down.
    #[error("cannot spool the file")]
    Spool(#[source] io::Error),
    /// It is no package.
    #[error("it is no package: {0}")]
    Head(#[from] HeadError),
    /// It is not what its manifest says.
    #[error("it is refused: {0}")]
    Verify(#[from] VerifyError),
    /// Its payload is not what its index says.
    #[error("its payload is refused: {0}")]
    Payload(#[from] UnpackError<io::Error>),
    /// It is no patch, or not a whole one.
    #[error("it is no patch: {0}")]
    Patch(#[from] PatchError),
    /// It is another package than its path says.
    #[error("it is not the package that the proposal says: {0}")]
    Other(&'static str),
    /// Its path is none.
    #[error(transparent)]
    Path(#[from] CoordinateError),
}

impl Publishing {
    /// Takes the file with this SHA-256, which `length` says how long it is, if the publisher said so.
    ///
    /// # Errors
    /// When no waiting proposal names it, or it is not what the proposal says.
    pub async fn receive(
        &self,
        digest: Digest,
        length: Option<u64>,
        body: impl Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin,
    ) -> Result<Received, PublishError> {
        let expected = self.expected(digest).await?;
        let first = expected.first().ok_or(BlobError::Unexpected(digest))?;
        let size = first.blob.length;
        let limit = self.inner.limits.blob_bytes;
        if size > limit {
            return Err(BlobError::TooLarge { length: size, limit }.into());
        }
        if let Some(found) = length.filter(|length| *length != size) {
            return Err(BlobError::Length { expected: size, found }.into());
        }
        // The file may come with another publisher while this one waits for its turn.
        let mut place = self.inner.uploads.take().await.map_err(|_| BlobError::Busy)?;
        let oldest = before((self.inner.clock)(), FRESH);
        if lacking(self.inner.repository.storage(), &expected, oldest).await?.files.is_empty() {
            return Ok(Received::Before);
        }
        let file = self.spool(&place, &expected, body).await?;
        place.keep();
        let _inspecting = self.inner.inspections.acquire().await;
        let (mut stored, mut refused) = (Received::Before, None);
        for expected in expected {
            let copy = file.try_clone().map_err(BlobError::Spool)?;
            let path = StorePath::blob(&expected.blob.path, &digest);
            // What is wrong for one proposal may be right for another, which nobody else's may stand in the way of.
            match checked(copy, expected).await {
                Ok(copy) => {
                    self.inner.repository.storage().upload(&path, copy).await?;
                    stored = Received::New;
                }
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if stored == Received::Before => Err(error.into()),
            _ => Ok(stored),
        }
    }

    /// Writes the body to a file without a name, which is gone with the process. Its beginning is looked at as soon as it is here: who
    /// has not the file that the proposal names does not hold a place.
    async fn spool(
        &self,
        place: &Place,
        expected: &[Expected],
        mut body: impl Stream<Item = Result<Bytes, axum::Error>> + Unpin,
    ) -> Result<File, BlobError> {
        let Some(MissingBlob { sha256, length: size, .. }) = expected.first().map(|first| first.blob.clone())
        else {
            return Err(BlobError::Other("nobody expects it"));
        };
        let file = tempfile::tempfile_in(&self.inner.limits.spool).map_err(BlobError::Spool)?;
        let (mut hashed, mut beginning, mut received) = (Hashed::new(file), Some(Vec::new()), 0_u64);
        loop {
            let lost =
                |lost: Lost| if lost == Lost::Busy { BlobError::Busy } else { BlobError::Broken(received) };
            let piece = match place.hold(self.inner.limits.idle, body.next()).await.map_err(lost)? {
                Some(Ok(piece)) => piece,
                None => break,
                Some(Err(_)) => return Err(BlobError::Broken(received)),
            };
            place.count(piece.len()).map_err(lost)?;
            received += piece.len() as u64;
            if received > size {
                return Err(BlobError::Length { expected: size, found: received });
            }
            if let Some(first) = &mut beginning {
                first.extend_from_slice(&piece[..piece.len().min(BEGINNING - first.len())]);
                if first.len() == BEGINNING {
                    check_beginnings(first, expected)?;
                    beginning = None;
                }
            }
            let write = move || hashed.write_all(&piece).map(|()| hashed);
            let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::other);
            hashed = written.and_then(|written| written).map_err(BlobError::Spool)?;
        }
        let (file, _, found) = hashed.finish();
        if received != size {
            return Err(BlobError::Length { expected: size, found: received });
        }
        if found == sha256 { Ok(file) } else { Err(BlobError::Digest { found }) }
    }
}

/// Checks that a file begins as one of those does that proposals name.
fn check_beginnings(beginning: &[u8], expected: &[Expected]) -> Result<(), BlobError> {
    let mut refused = Ok(());
    for expected in expected {
        refused = check_beginning(beginning, expected);
        if refused.is_ok() {
            break;
        }
    }
    refused
}

/// Checks that a file begins as the one does that the proposal names, as far as that can be told.
fn check_beginning(beginning: &[u8], expected: &Expected) -> Result<(), BlobError> {
    let mut reader = beginning;
    let checked = match TargetFile::parse(&expected.blob.path)? {
        TargetFile::Package(package) => Head::read(&mut reader)
            .map_err(BlobError::from)
            .and_then(|head| check_head(&head, &package, expected)),
        TargetFile::Patch(patch) => PatchHead::read(&mut reader)
            .map_err(BlobError::from)
            .and_then(|head| check_patch_head(&head, &patch, expected)),
    };
    match checked {
        // A head that goes on behind is looked at in the end.
        Err(
            BlobError::Head(HeadError::Container(ContainerError::Truncated { .. }))
            | BlobError::Patch(PatchError::Container(ContainerError::Truncated { .. })),
        ) => Ok(()),
        checked => checked,
    }
}

async fn checked(file: File, expected: Expected) -> Result<File, BlobError> {
    let check = move || check(file, &expected);
    tokio::task::spawn_blocking(check).await.map_err(|error| BlobError::Spool(io::Error::other(error)))?
}

/// Checks that a file is what the proposal says.
fn check(mut file: File, expected: &Expected) -> Result<File, BlobError> {
    file.rewind().map_err(BlobError::Spool)?;
    match TargetFile::parse(&expected.blob.path)? {
        TargetFile::Package(package) => check_package(&file, &package, expected)?,
        TargetFile::Patch(patch) => check_patch(&file, &patch, expected)?,
    }
    Ok(file)
}

/// Checks that a patch is whole and the one that the proposal says. What comes of it the host checks.
fn check_patch(file: &File, patch: &PatchTarget, expected: &Expected) -> Result<(), BlobError> {
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let head = PatchHead::read(&mut reader)?;
    check_patch_head(&head, patch, expected)?;
    Ok(head.check_whole(&mut reader)?)
}

/// Checks that a patch is between the packages that the group says.
fn check_patch_head(head: &PatchHead, patch: &PatchTarget, expected: &Expected) -> Result<(), BlobError> {
    let said = PatchCustom::of(&expected.target).map_err(|_| BlobError::Other("custom"))?;
    let manifest = head.unverified_manifest();
    if manifest.target() != *patch {
        return Err(BlobError::Other("it is for another package, version or platform"));
    }
    let digests = (head.digest(), manifest.from().digest, manifest.to().digest);
    if digests != (said.digest, said.from, said.to) {
        return Err(BlobError::Other("it has another digest, or is for packages with others"));
    }
    Ok(())
}

fn check_package(file: &File, package: &PackageTarget, expected: &Expected) -> Result<(), BlobError> {
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let head = Head::read(&mut reader)?;
    check_head(&head, package, expected)?;
    let contents = head.without_trust().read_contents(&mut reader)?;
    let unpacker = contents.unpacker().map_err(BlobError::Spool)?;
    unpacker.unpack(&mut reader, &mut Discard::default())?;
    // The archive ends where it says.
    let mut rest = [0];
    match reader.read(&mut rest).map_err(BlobError::Spool)? {
        0 => Ok(()),
        _ => Err(BlobError::Other("something follows the end of the archive")),
    }
}

/// Checks that a package is the one that the proposal says, and that somebody who speaks for its group signed it.
fn check_head(head: &Head, package: &PackageTarget, expected: &Expected) -> Result<(), BlobError> {
    let said = PackageCustom::of(&expected.target).map_err(|_| BlobError::Other("custom"))?;
    let manifest = head.unverified_manifest();
    if manifest.coordinate() != package.coordinate || *manifest.platform() != package.platform {
        return Err(BlobError::Other("it has another coordinate or platform"));
    }
    if head.digest() != said.digest {
        return Err(BlobError::Other("it has another package digest"));
    }
    if manifest.kind() != said.kind {
        return Err(BlobError::Other("it is of another kind"));
    }
    let payload = Payload::manifest(head.manifest_bytes());
    let signed =
        |key: &PublicKey| head.signatures().iter().any(|signature| signature.verifies(key, &payload));
    if !expected.keys.iter().any(signed) {
        return Err(BlobError::Other("none of the keys that speak for its group signed it"));
    }
    Ok(())
}
