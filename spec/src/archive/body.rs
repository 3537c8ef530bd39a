//! The payload: from frames to the entries that the index announces.
//!
//! Comes after the index is verified. The payload is a tar, but no tar is parsed: each header must be, byte for
//! byte, the one that the format has for the entry at this place (see `tar_header`).

use std::convert::Infallible;
use std::io::{self, Read};
use std::marker::PhantomData;

use thiserror::Error;

use super::container::{self, ContainerError, names};
use super::frame::{FrameError, FrameReader};
use super::tar_header::{END_MARKER, padded};
use super::walk::Walk;
use crate::command::{Exit, Explain};
use crate::index::{Entry, EntryPath, Frame, Index, LinkTarget, NewFile, Run};
use crate::policy::Refused;

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

    /// Begins a file; its content follows.
    ///
    /// # Errors
    /// When it cannot be made.
    fn file(&mut self, file: NewFile<'_>) -> Result<(), Self::Error>;

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

    /// Makes a file that has the content and the mode of an earlier one, which is complete.
    ///
    /// # Errors
    /// When it cannot be made.
    fn link(&mut self, path: &EntryPath, earlier: &EntryPath) -> Result<(), Self::Error>;

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// When it cannot be made.
    fn symlink(&mut self, path: &EntryPath, target: &LinkTarget) -> Result<(), Self::Error>;
}

/// A sink that takes everything and keeps nothing: for who only checks a package.
#[derive(Debug, Clone, Copy)]
pub struct Discard<E = Infallible>(PhantomData<fn() -> E>);

impl<E> Default for Discard<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E: std::error::Error + 'static> Sink for Discard<E> {
    type Error = E;

    fn directory(&mut self, _: &EntryPath) -> Result<(), E> {
        Ok(())
    }

    fn file(&mut self, _: NewFile<'_>) -> Result<(), E> {
        Ok(())
    }

    fn data(&mut self, _: &[u8]) -> Result<(), E> {
        Ok(())
    }

    fn end_file(&mut self) -> Result<(), E> {
        Ok(())
    }

    fn link(&mut self, _: &EntryPath, _: &EntryPath) -> Result<(), E> {
        Ok(())
    }

    fn symlink(&mut self, _: &EntryPath, _: &LinkTarget) -> Result<(), E> {
        Ok(())
    }
}

/// Unpacks one payload from front to end. Memory: one frame, compressed and not.
#[allow(missing_debug_implementations, reason = "zstd's context has nothing to show")]
pub struct Unpacker<'a> {
    index: &'a Index,
    runs: RunUnpacker<'a>,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(index: &'a Index) -> io::Result<Self> {
        Ok(Self { index, runs: RunUnpacker::new(index)? })
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
        let mut compressed = Vec::new();
        for run in self.index.runs() {
            self.runs.begin(&run);
            for number in run.frames() {
                read_frame(reader, &self.index.frames()[number], &mut compressed)?;
                self.runs.push(number, &compressed, sink)?;
            }
        }
        read_end(self.index, reader)?;
        make_links(self.index.entries(), sink)
    }
}

/// Unpacks runs, in any order: several of these share the work of one payload. Memory: one frame, not compressed.
#[allow(missing_debug_implementations, reason = "zstd's context has nothing to show")]
pub struct RunUnpacker<'a> {
    index: &'a Index,
    frames: FrameReader,
    walk: Walk<'a>,
    bytes: Vec<u8>,
}

impl<'a> RunUnpacker<'a> {
    /// Sets up zstd.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new(index: &'a Index) -> io::Result<Self> {
        Ok(Self { index, frames: FrameReader::new()?, walk: Walk::new(&[], 0), bytes: Vec::new() })
    }

    /// Begins a run of the same index; its frames follow in order.
    pub fn begin(&mut self, run: &Run) {
        let entries = &self.index.entries()[run.entries()];
        let is_last = run.entries().end == self.index.entries().len();
        self.walk = Walk::new(entries, if is_last { END_MARKER.len() as u64 } else { 0 });
    }

    /// Checks and unpacks the next frame of the run. Symbolic links are left out: they are made when all runs are done.
    ///
    /// # Errors
    /// At the first byte that is not what the index says.
    pub fn push<S: Sink>(
        &mut self,
        number: usize,
        compressed: &[u8],
        sink: &mut S,
    ) -> Result<(), UnpackError<S::Error>> {
        let opened = self.frames.open(&self.index.frames()[number], compressed, &mut self.bytes);
        opened.map_err(|source| UnpackError::Frame { number, source })?;
        self.walk.push(&self.bytes, sink)
    }

    /// Unpacks what the next frame of the run holds, where it is known without the frame. The digests of the files that it
    /// is of still have to be right.
    ///
    /// # Errors
    /// At the first byte that is not what the index says.
    pub fn push_known<S: Sink>(&mut self, raw: &[u8], sink: &mut S) -> Result<(), UnpackError<S::Error>> {
        self.walk.push(raw, sink)
    }
}

/// Returns how many bytes follow the last frame of `index` up to the end of the file.
pub fn end_length(index: &Index) -> u64 {
    let length = index.payload_length();
    padded(length) - length + END_MARKER.len() as u64
}

/// Reads the compressed bytes of the next frame.
///
/// # Errors
/// When the source fails or ends.
pub fn read_frame(
    reader: &mut impl Read,
    frame: &Frame,
    compressed: &mut Vec<u8>,
) -> Result<(), ContainerError> {
    compressed.clear();
    reader.by_ref().take(frame.length).read_to_end(compressed).map_err(ContainerError::Read)?;
    if (compressed.len() as u64) < frame.length {
        return Err(ContainerError::Truncated { name: names::PAYLOAD });
    }
    Ok(())
}

/// Reads what follows the last frame: padding, the end of the archive, and nothing more.
///
/// # Errors
/// When something else follows.
pub fn read_end(index: &Index, reader: &mut impl Read) -> Result<(), ContainerError> {
    container::read_padding(reader, index.payload_length(), names::PAYLOAD)?;
    container::read_end(reader)
}

fn make_links<S: Sink>(entries: &[Entry], sink: &mut S) -> Result<(), UnpackError<S::Error>> {
    for (path, earlier) in entries.iter().filter_map(|entry| Some((entry.path(), entry.link()?))) {
        sink.link(path, earlier).map_err(UnpackError::Sink)?;
    }
    for entry in entries {
        if let Entry::Symlink { path, target } = entry {
            sink.symlink(path, target).map_err(UnpackError::Sink)?;
        }
    }
    Ok(())
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
