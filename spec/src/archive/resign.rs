//! Adding signatures to a package that is packed already: everything but one small member is copied.

use std::io::{self, Read, Write};

use thiserror::Error;

use super::container::{self, names};
use super::head::{Head, HeadError};
use crate::keys::{Payload, SecretKey, Signatures};

/// Copies the package from `input` to `out` with the signatures of `keys` added, and returns all signatures.
///
/// The payload is copied unread. On an error what `out` holds is no package and must be thrown away.
///
/// # Errors
/// When `input` is not a package, or reading or writing fails.
pub fn add_signatures(
    input: &mut impl Read,
    keys: &[SecretKey],
    out: &mut impl Write,
) -> Result<Signatures, ResignError> {
    let head = Head::read(input)?;
    let payload = Payload::manifest(head.manifest_bytes());
    let mut signatures = head.signatures().clone();
    for key in keys {
        signatures.add(key.sign(&payload));
    }
    copy(&head, &signatures, input, out).map_err(ResignError::Copy)?;
    Ok(signatures)
}

fn copy(head: &Head, signatures: &Signatures, rest: &mut impl Read, out: &mut impl Write) -> io::Result<()> {
    container::write_member(out, names::MANIFEST, head.manifest_bytes())?;
    container::write_member(out, names::SIGNATURES, &signatures.to_bytes())?;
    io::copy(rest, out)?;
    out.flush()
}

/// Says why signatures could not be added.
#[derive(Debug, Error)]
pub enum ResignError {
    /// The file is not a package.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The copy failed.
    #[error("cannot copy the package")]
    Copy(#[source] io::Error),
}
