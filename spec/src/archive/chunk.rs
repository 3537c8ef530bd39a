//! Cuts the payload into frames where its content says so.
//!
//! A frame ends at the end of an entry that the entry's own path and size choose, and a large file is cut by its
//! content (FastCDC), so that an entry that is added or changed moves only the cuts around it, and the other frames
//! are byte for byte those of the version before. Nothing here depends on time, threads or the machine.

use std::io::{self, Read};

use fastcdc::v2020::StreamCDC;

use super::pack::{PackError, TreeEntry, TreeNode};
use super::tar_header::{END_MARKER, entry_header, file_header, padded};
use crate::digest::{Digest, Hashed};
use crate::index::{Entry, EntryPath, Mode};

/// The size that frames have on average, before compression. `docs/format.md`, clause 7.
const TARGET: usize = 256 << 10;
/// The size below which a frame does not end.
const MINIMUM: usize = TARGET / 2;
/// The size above which a frame of whole entries does not grow.
const MAXIMUM: usize = TARGET * 2;
/// A file of more bytes gets frames of its own.
const LARGE: u64 = TARGET as u64;

/// Writes entries into frames and hands each full frame to `emit`.
pub(super) struct Chunker<F> {
    frame: Vec<u8>,
    emit: F,
}

/// The other side went away: it has its own error.
#[derive(Debug)]
pub(super) struct Stopped;

impl<F: FnMut(Vec<u8>) -> Result<(), Stopped>> Chunker<F> {
    pub(super) fn new(emit: F) -> Self {
        Self { frame: Vec::new(), emit }
    }

    /// Adds one entry and returns it with the digest of its content.
    pub(super) fn add<R: Read>(
        &mut self,
        tree_entry: TreeEntry,
        open: impl FnOnce(&EntryPath) -> io::Result<R>,
    ) -> Result<Entry, ChunkError> {
        let TreeEntry { path, node } = tree_entry;
        let entry = match node {
            TreeNode::Directory => self.add_header(Entry::Directory { path })?,
            TreeNode::Symlink { target } => self.add_header(Entry::Symlink { path, target })?,
            TreeNode::File { mode, size } => {
                let content = open(&path).map_err(|source| read_error(&path, source))?;
                let sha256 = self.add_file(&path, mode, size, content)?;
                Entry::File { path, mode, size, sha256 }
            }
        };
        Ok(entry)
    }

    /// Writes the end marker and the last frame.
    pub(super) fn finish(mut self) -> Result<(), Stopped> {
        self.frame.extend_from_slice(&END_MARKER);
        self.cut()
    }

    fn add_header(&mut self, entry: Entry) -> Result<Entry, Stopped> {
        let header = entry_header(&entry);
        self.make_room(header.len())?;
        self.frame.extend_from_slice(&header);
        self.cut_here(entry.path(), header.len())?;
        Ok(entry)
    }

    fn add_file(
        &mut self,
        path: &EntryPath,
        mode: Mode,
        size: u64,
        content: impl Read,
    ) -> Result<Digest, ChunkError> {
        let header = file_header(path, mode, size);
        // One byte more than announced tells a file that grew.
        let mut content = Hashed::new(content.take(size + 1));
        if size > LARGE {
            self.add_large(path, size, &header, &mut content)?;
        } else {
            self.add_small(path, size, &header, &mut content)?;
        }
        let (_, found, sha256) = content.finish();
        if found == size { Ok(sha256) } else { Err(changed(path, size)) }
    }

    /// Adds a file to the frame of its neighbours.
    fn add_small(
        &mut self,
        path: &EntryPath,
        size: u64,
        header: &[u8],
        content: &mut impl Read,
    ) -> Result<(), ChunkError> {
        let length = header.len() + usize::try_from(padded(size)).unwrap_or(MAXIMUM);
        self.make_room(length)?;
        self.frame.extend_from_slice(header);
        content.read_to_end(&mut self.frame).map_err(|source| read_error(path, source))?;
        self.pad(size);
        self.cut_here(path, length)?;
        Ok(())
    }

    /// Gives a file frames of its own, so that it can be unpacked beside the others: its header in one, then its content
    /// where its content says. The padding stays with the last.
    fn add_large(
        &mut self,
        path: &EntryPath,
        size: u64,
        header: &[u8],
        content: &mut impl Read,
    ) -> Result<(), ChunkError> {
        self.cut()?;
        self.frame.extend_from_slice(header);
        for chunk in StreamCDC::new(content, TARGET / 4, TARGET, MAXIMUM) {
            let chunk = chunk.map_err(|error| read_error(path, error.into()))?;
            self.cut()?;
            self.frame = chunk.data;
        }
        self.pad(size);
        self.cut()?;
        Ok(())
    }

    #[allow(clippy::cast_possible_truncation, reason = "less than a block")]
    fn pad(&mut self, size: u64) {
        self.frame.extend(std::iter::repeat_n(0, (padded(size) - size) as usize));
    }

    /// Ends the frame before an entry that would make it too large.
    fn make_room(&mut self, length: usize) -> Result<(), Stopped> {
        if self.frame.len() + length > MAXIMUM { self.cut() } else { Ok(()) }
    }

    /// Ends the frame after an entry that is chosen: each byte of an entry has the same chance, so frames get the
    /// target size on average, and the choice depends on nothing but the entry.
    fn cut_here(&mut self, path: &EntryPath, length: usize) -> Result<(), Stopped> {
        let digest = Digest::of(path.as_str().as_bytes());
        let [a, b, c, d, ..] = *digest.as_bytes();
        let draw = u64::from(u32::from_be_bytes([a, b, c, d]));
        let chosen = draw * ((TARGET - MINIMUM) as u64) < (length as u64) << 32;
        if self.frame.len() >= MINIMUM && chosen { self.cut() } else { Ok(()) }
    }

    fn cut(&mut self) -> Result<(), Stopped> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let next = Vec::with_capacity(MAXIMUM);
        (self.emit)(std::mem::replace(&mut self.frame, next))
    }
}

fn read_error(path: &EntryPath, source: io::Error) -> ChunkError {
    ChunkError::Pack(PackError::ReadFile { path: path.clone(), source })
}

fn changed(path: &EntryPath, announced: u64) -> ChunkError {
    ChunkError::Pack(PackError::Changed { path: path.clone(), announced })
}

/// Why an entry could not be added.
#[derive(Debug)]
pub(super) enum ChunkError {
    Pack(PackError),
    Stopped,
}

impl From<Stopped> for ChunkError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}
