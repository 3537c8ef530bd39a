//! The payload: from frames to the entries that the index announces.
//!
//! Comes after the index is verified. The payload is a tar, but no tar is parsed: each header must be, byte for
//! byte, the one that the format has for the entry at this place (see `tar_header`).

use std::io::{self, Read};

use thiserror::Error;

use super::container::{self, ContainerError, names};
use super::diagnose;
use super::frame::{FrameError, FrameReader};
use super::tar_header::{BLOCK, END_MARKER, entry_header, padded};
use crate::command::{Exit, Explain};
use crate::digest::Hashed;
use crate::index::{Entry, EntryPath, Index, LinkTarget, Mode};
use crate::policy::{Refused, Rule};

/// Takes the entries of a package as they come out of its payload.
///
/// Directories come before what they hold, files one after the other, symbolic links last of all, so that nothing
/// is ever written through a link.
pub trait Sink {
    /// What can go wrong while writing.
    type Error: std::error::Error + 'static;

    /// Makes a directory.
    ///
    /// # Errors
    /// When it cannot be made.
    fn directory(&mut self, path: &EntryPath) -> Result<(), Self::Error>;

    /// Begins a file of `size` bytes; its content follows.
    ///
    /// # Errors
    /// When it cannot be made.
    fn file(&mut self, path: &EntryPath, mode: Mode, size: u64) -> Result<(), Self::Error>;

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// When they cannot be written.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Ends the file: its content is complete and is what the index says.
    ///
    /// # Errors
    /// When it cannot be completed.
    fn end_file(&mut self) -> Result<(), Self::Error>;

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// When it cannot be made.
    fn symlink(&mut self, path: &EntryPath, target: &LinkTarget) -> Result<(), Self::Error>;
}

/// Unpacks one payload. Memory: one frame, compressed and not.
#[allow(missing_debug_implementations, reason = "zstd's context has nothing to show")]
pub struct Unpacker<'a> {
    index: &'a Index,
    frames: FrameReader,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(index: &'a Index) -> io::Result<Self> {
        Ok(Self { index, frames: FrameReader::new()? })
    }

    /// Reads the payload and the end of the archive from `reader`, which stands after the payload's tar header.
    ///
    /// # Errors
    /// At the first byte that is not what the index says. The sink has then seen entries that were right so far.
    pub fn unpack<S: Sink>(
        mut self,
        reader: &mut impl Read,
        sink: &mut S,
    ) -> Result<(), UnpackError<S::Error>> {
        let mut walk = Walk::new(self.index.entries());
        let (mut compressed, mut bytes) = (Vec::new(), Vec::new());
        for (number, frame) in self.index.frames().iter().enumerate() {
            compressed.clear();
            reader.by_ref().take(frame.length).read_to_end(&mut compressed).map_err(ContainerError::Read)?;
            if (compressed.len() as u64) < frame.length {
                return Err(ContainerError::Truncated { name: names::PAYLOAD }.into());
            }
            let opened = self.frames.open(frame, &compressed, &mut bytes);
            opened.map_err(|source| UnpackError::Frame { number, source })?;
            walk.push(&bytes, sink)?;
        }
        container::read_padding(reader, self.index.payload_length(), names::PAYLOAD)?;
        container::read_end(reader)?;
        make_links(self.index.entries(), sink)
    }
}

fn make_links<S: Sink>(entries: &[Entry], sink: &mut S) -> Result<(), UnpackError<S::Error>> {
    for entry in entries {
        if let Entry::Symlink { path, target } = entry {
            sink.symlink(path, target).map_err(UnpackError::Sink)?;
        }
    }
    Ok(())
}

/// Walks over the payload's bytes, however they are cut, and over the entries beside them.
struct Walk<'a> {
    entries: std::slice::Iter<'a, Entry>,
    place: Place<'a>,
}

/// Where in the payload the next byte stands.
enum Place<'a> {
    Header { entry: &'a Entry, expected: Vec<u8>, found: Vec<u8> },
    Content { entry: &'a Entry, left: u64, hashed: Box<Hashed<io::Sink>> },
    Zeros { left: u64, then: Then },
}

/// What follows a run of zeros.
#[derive(Clone, Copy)]
enum Then {
    NextEntry,
    Nothing,
}

impl<'a> Walk<'a> {
    fn new(entries: &'a [Entry]) -> Self {
        let mut walk = Self { entries: entries.iter(), place: Place::Zeros { left: 0, then: Then::Nothing } };
        walk.place = walk.next_place();
        walk
    }

    fn next_place(&mut self) -> Place<'a> {
        match self.entries.next() {
            Some(entry) => Place::Header { entry, expected: entry_header(entry), found: Vec::new() },
            None => Place::Zeros { left: END_MARKER.len() as u64, then: Then::Nothing },
        }
    }

    fn push<S: Sink>(&mut self, mut bytes: &[u8], sink: &mut S) -> Result<(), UnpackError<S::Error>> {
        while !bytes.is_empty() {
            bytes = match &mut self.place {
                Place::Header { expected, found, .. } => {
                    let (now, later) = bytes.split_at(bytes.len().min(expected.len() - found.len()));
                    found.extend_from_slice(now);
                    later
                }
                Place::Content { left, hashed, .. } => {
                    let (now, later) = split(bytes, *left);
                    sink.data(now).map_err(UnpackError::Sink)?;
                    io::Write::write_all(hashed, now).map_err(ContainerError::Read)?;
                    *left -= now.len() as u64;
                    later
                }
                Place::Zeros { left, .. } => {
                    let (now, later) = split(bytes, *left);
                    if now.is_empty() || now.iter().any(|&byte| byte != 0) {
                        return Err(Refused::new(names::PAYLOAD, Rule::Surplus).into());
                    }
                    *left -= now.len() as u64;
                    later
                }
            };
            self.advance(sink)?;
        }
        Ok(())
    }

    /// Goes on to the next place, as long as the present one is complete.
    fn advance<S: Sink>(&mut self, sink: &mut S) -> Result<(), UnpackError<S::Error>> {
        loop {
            let next = match &mut self.place {
                Place::Header { entry, expected, found } if found.len() == expected.len() => {
                    check_header(entry, found, expected)?;
                    begin(entry, sink).map_err(UnpackError::Sink)?
                }
                Place::Content { entry, left: 0, hashed } => {
                    let hashed = std::mem::replace(hashed, Box::new(Hashed::new(io::sink())));
                    end(entry, *hashed, sink)?
                }
                Place::Zeros { left: 0, then: Then::NextEntry } => self.next_place(),
                _ => return Ok(()),
            };
            self.place = next;
        }
    }
}

fn begin<'a, S: Sink>(entry: &'a Entry, sink: &mut S) -> Result<Place<'a>, S::Error> {
    match entry {
        Entry::Directory { path } => sink.directory(path)?,
        Entry::Symlink { .. } => {}
        Entry::File { path, mode, size, .. } => {
            sink.file(path, *mode, *size)?;
            return Ok(Place::Content { entry, left: *size, hashed: Box::new(Hashed::new(io::sink())) });
        }
    }
    Ok(Place::Zeros { left: 0, then: Then::NextEntry })
}

fn end<'a, S: Sink>(
    entry: &'a Entry,
    hashed: Hashed<io::Sink>,
    sink: &mut S,
) -> Result<Place<'a>, UnpackError<S::Error>> {
    let (_, size, found) = hashed.finish();
    if !matches!(entry, Entry::File { sha256, .. } if *sha256 == found) {
        return Err(Refused::new(entry.path().as_str(), Rule::Content).into());
    }
    sink.end_file().map_err(UnpackError::Sink)?;
    Ok(Place::Zeros { left: padded(size) - size, then: Then::NextEntry })
}

/// Compares a header with the one that must stand there, and names the rule where they differ.
fn check_header(entry: &Entry, found: &[u8], expected: &[u8]) -> Result<(), Refused> {
    let blocks = found.as_chunks::<BLOCK>().0.iter().zip(expected.as_chunks::<BLOCK>().0);
    for (found, expected) in blocks {
        if found != expected {
            let unreadable = || Refused::new(entry.path().as_str(), Rule::Disagrees("header"));
            return Err(diagnose::header(found, expected).unwrap_or_else(unreadable));
        }
    }
    Ok(())
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len())))
}

/// Says why a payload could not be unpacked.
#[derive(Debug, Error)]
pub enum UnpackError<E: std::error::Error + 'static> {
    /// The archive around the payload is not right, or its source failed.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// A frame is refused.
    #[error("frame {number} of the payload is refused")]
    Frame {
        /// The place of the frame, from 0.
        number: usize,
        /// Why.
        #[source]
        source: FrameError,
    },
    /// An entry is not what the index says, or breaks the archive policy.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The entry could not be written.
    #[error(transparent)]
    Sink(E),
}

impl<E: Explain + 'static> Explain for UnpackError<E> {
    fn exit(&self) -> Exit {
        match self {
            Self::Container(error) => error.exit(),
            Self::Frame { source, .. } => source.exit(),
            Self::Refused(error) => error.exit(),
            Self::Sink(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Container(error) => error.code(),
            Self::Frame { source, .. } => source.code(),
            Self::Refused(error) => error.code(),
            Self::Sink(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Container(error) => error.hint(),
            Self::Frame { source, .. } => source.hint(),
            Self::Refused(error) => error.hint(),
            Self::Sink(error) => error.hint(),
        }
    }
}
