//! The outer archive: an uncompressed tar whose members have a fixed order and fixed headers.

use std::io::{self, Read, Write};

use tar::Header;
use thiserror::Error;

use super::diagnose;
use super::tar_header::{BLOCK, END_MARKER, member_header, padded};
use crate::command::{Exit, Explain};
use crate::policy::Refused;

/// The names of the members, in their order.
pub(crate) mod names {
    pub(crate) const MANIFEST: &str = "package.json";
    pub(crate) const SIGNATURES: &str = "signatures.json";
    pub(crate) const INDEX: &str = "index.json.zst";
    pub(crate) const SBOM: &str = "sbom.cdx.json";
    pub(crate) const PROVENANCE: &str = "provenance.intoto.jsonl";
    pub(crate) const PAYLOAD: &str = "payload.tar.zst";
    // Of a patch, which has signatures, too.
    pub(crate) const PATCH: &str = "patch.json";
    pub(crate) const STEPS: &str = "steps.json.zst";
    pub(crate) const DATA: &str = "data";
}

/// Returns how many bytes a member takes, with its header and its padding.
pub(crate) fn member_length(length: u64) -> u64 {
    const MOST: u64 = u64::MAX - 2 * BLOCK as u64;
    BLOCK as u64 + padded(length.min(MOST))
}

/// Reads a member's header and returns the length of its content.
pub(crate) fn read_header(reader: &mut impl Read, name: &'static str) -> Result<u64, ContainerError> {
    let mut block = [0; BLOCK];
    read_exactly(reader, &mut block, name)?;
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(&block);
    let length = header.entry_size().unwrap_or(0);
    if block[..] == member_header(name, length)[..] {
        return Ok(length);
    }
    match diagnose::header(&block, &member_header(name, length)) {
        Some(refused) => Err(ContainerError::Refused(refused)),
        None => Err(ContainerError::NotAMember { expected: name }),
    }
}

/// Reads a member whose length is at most `limit`, with its padding.
pub(crate) fn read_member(
    reader: &mut impl Read,
    name: &'static str,
    limit: u64,
) -> Result<Vec<u8>, ContainerError> {
    let mut content = Vec::new();
    copy_member(reader, name, limit, &mut content)?;
    Ok(content)
}

/// Copies the content of a member whose length is at most `limit`, and reads its padding; returns its length.
pub(crate) fn copy_member(
    reader: &mut impl Read,
    name: &'static str,
    limit: u64,
    out: &mut impl Write,
) -> Result<u64, ContainerError> {
    let length = read_header(reader, name)?;
    if length > limit {
        return Err(ContainerError::TooLarge { name, length, limit });
    }
    let copied = io::copy(&mut reader.by_ref().take(length), out).map_err(ContainerError::Read)?;
    if copied < length {
        return Err(ContainerError::Truncated { name });
    }
    read_padding(reader, length, name)?;
    Ok(length)
}

/// Reads the zeros that fill the last block of a member.
pub(crate) fn read_padding(
    reader: &mut impl Read,
    length: u64,
    name: &'static str,
) -> Result<(), ContainerError> {
    let mut block = [0; BLOCK];
    #[allow(clippy::cast_possible_truncation, reason = "less than a block")]
    let padding = &mut block[..(padded(length) - length) as usize];
    read_exactly(reader, padding, name)?;
    if padding.iter().any(|&byte| byte != 0) { Err(ContainerError::Padding { name }) } else { Ok(()) }
}

/// Reads the end of the archive, after which nothing may come.
pub(crate) fn read_end(reader: &mut impl Read) -> Result<(), ContainerError> {
    let mut end = [0; END_MARKER.len()];
    read_exactly(reader, &mut end, "end marker")?;
    if end != END_MARKER {
        return Err(ContainerError::AfterPayload);
    }
    match reader.read(&mut [0]).map_err(ContainerError::Read)? {
        0 => Ok(()),
        _ => Err(ContainerError::AfterEnd),
    }
}

/// Writes a member with its padding.
pub(crate) fn write_member(writer: &mut impl Write, name: &str, content: &[u8]) -> io::Result<()> {
    let length = content.len() as u64;
    writer.write_all(&member_header(name, length))?;
    writer.write_all(content)?;
    write_padding(writer, length)
}

/// Fills the last block of a member.
pub(crate) fn write_padding(writer: &mut impl Write, length: u64) -> io::Result<()> {
    #[allow(clippy::cast_possible_truncation, reason = "less than a block")]
    let padding = (padded(length) - length) as usize;
    writer.write_all(&[0; BLOCK][..padding])
}

fn read_exactly(reader: &mut impl Read, buffer: &mut [u8], name: &'static str) -> Result<(), ContainerError> {
    reader.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ContainerError::Truncated { name },
        _ => ContainerError::Read(error),
    })
}

/// Says why a file is not a package archive.
#[derive(Debug, Error)]
pub enum ContainerError {
    /// The source of the bytes failed.
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
    /// The bytes end too early.
    #[error("the archive ends in its {name}")]
    Truncated {
        /// The member that is cut off.
        name: &'static str,
    },
    /// Another member, or something that is no member, stands where one must.
    #[error("the archive has no {expected} where one must be")]
    NotAMember {
        /// The member that must be there.
        expected: &'static str,
    },
    /// A member's header says something that the archive policy refuses.
    #[error(transparent)]
    Refused(Refused),
    /// A member is larger than the format allows, or than the manifest says.
    #[error("the archive's {name} has {length} bytes, the limit is {limit}")]
    TooLarge {
        /// The member.
        name: &'static str,
        /// How long it is.
        length: u64,
        /// How long it may be.
        limit: u64,
    },
    /// The bytes after a member are not zeros.
    #[error("the archive has bytes in the padding of its {name}")]
    Padding {
        /// The member before the padding.
        name: &'static str,
    },
    /// A member follows the payload.
    #[error("the archive goes on after its payload")]
    AfterPayload,
    /// Bytes follow the end of the archive.
    #[error("the archive has bytes after its end")]
    AfterEnd,
}

impl Explain for ContainerError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read(_) => Exit::Failure,
            _ => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read(_) => "archive_unreadable",
            Self::Truncated { .. } => "archive_truncated",
            Self::Refused(_) => "refused_entry",
            Self::NotAMember { .. }
            | Self::TooLarge { .. }
            | Self::Padding { .. }
            | Self::AfterPayload
            | Self::AfterEnd => "not_an_archive",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(_) => None,
            Self::Refused(refused) => refused.hint(),
            Self::NotAMember { expected: names::PATCH } => Some("this is not a .patch file".into()),
            Self::NotAMember { expected: names::MANIFEST } => Some("this is not a .copkg file".into()),
            _ => Some("the file is damaged or was made by another program; fetch it again".into()),
        }
    }
}
