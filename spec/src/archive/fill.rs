//! Fills frames: reads the content of the tree into the bytes of the payload, with the digests of the files.
//!
//! Comes after the cuts between entries are known (`cut`), before compression (`pipeline`). A large file is cut here, by
//! its content (FastCDC).

use std::io::{self, Read, Write as _};

use fastcdc::v2020::StreamCDC;

use super::cut::FrameSize;
use super::pack::PackError;
use super::tar_header::{entry_header, padded};
use crate::digest::{Digest, Hashed};
use crate::index::{Entry, EntryPath};

/// The place of a file among the entries, and the digest of its content.
pub(super) type Filed = (usize, Digest);

/// Appends entries to `frame`, from the one numbered `first` on, and returns the digests of their files.
pub(super) fn fill<R: Read>(
    entries: &[Entry],
    first: usize,
    open: &impl Fn(&EntryPath) -> io::Result<R>,
    frame: &mut Vec<u8>,
) -> Result<Vec<Filed>, PackError> {
    let mut digests = Vec::new();
    for (number, entry) in (first..).zip(entries) {
        frame.extend_from_slice(&entry_header(entry));
        if let Entry::File { path, size, link: None, .. } = entry {
            digests.push((number, fill_file(path, *size, open, frame)?));
        }
    }
    Ok(digests)
}

fn fill_file<R: Read>(
    path: &EntryPath,
    size: u64,
    open: &impl Fn(&EntryPath) -> io::Result<R>,
    frame: &mut Vec<u8>,
) -> Result<Digest, PackError> {
    let start = frame.len();
    let end = start + usize::try_from(size).unwrap_or_default();
    // One byte more than announced tells a file that grew.
    frame.resize(end + 1, 0);
    let mut content = open(path).map_err(|source| read_error(path, source))?;
    let mut at = start;
    // A file that gave all of its bytes at once is not asked whether there are more: that would be one call a file.
    while at < end {
        match content.read(&mut frame[at..]) {
            Ok(0) => break,
            Ok(n) => at += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(read_error(path, source)),
        }
    }
    if at != end {
        return Err(changed(path, size));
    }
    frame.truncate(end);
    let digest = Digest::of(&frame[start..]);
    pad(frame, size);
    Ok(digest)
}

/// A large file that is being read, frame by frame: its header in one, then its content where its content says. The padding
/// stays with the last.
pub(super) struct LargeFile<'e, R: Read> {
    entry: &'e Entry,
    header: Option<Vec<u8>>,
    chunks: StreamCDC<io::Take<R>>,
    content: Hashed<io::Sink>,
}

/// The next frame of a large file.
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    /// The digest of the whole file, with its last frame.
    pub(super) digest: Option<Digest>,
}

impl<'e, R: Read> LargeFile<'e, R> {
    pub(super) fn open(
        entry: &'e Entry,
        open: &impl Fn(&EntryPath) -> io::Result<R>,
        size: FrameSize,
    ) -> Result<Self, PackError> {
        let content = open(entry.path()).map_err(|source| read_error(entry.path(), source))?;
        let target = size.target();
        // One byte more than announced tells a file that grew.
        let chunks =
            StreamCDC::new(content.take(entry.payload_bytes() + 1), target / 4, target, size.maximum());
        Ok(Self { entry, header: Some(entry_header(entry)), chunks, content: Hashed::new(io::sink()) })
    }

    /// Reads up to the next cut.
    pub(super) fn next(&mut self) -> Result<Chunk, PackError> {
        if let Some(header) = self.header.take() {
            return Ok(Chunk { bytes: header, digest: None });
        }
        let (path, size) = (self.entry.path(), self.entry.payload_bytes());
        let chunk = self.chunks.next().ok_or_else(|| changed(path, size))?;
        let mut bytes = chunk.map_err(|error| read_error(path, error.into()))?.data;
        // A sink takes everything.
        let _ = self.content.write_all(&bytes);
        if self.content.length() < size {
            return Ok(Chunk { bytes, digest: None });
        }
        let (_, found, digest) = std::mem::replace(&mut self.content, Hashed::new(io::sink())).finish();
        if found != size {
            return Err(changed(path, size));
        }
        pad(&mut bytes, size);
        Ok(Chunk { bytes, digest: Some(digest) })
    }
}

fn pad(frame: &mut Vec<u8>, size: u64) {
    let padding = usize::try_from(padded(size) - size).unwrap_or_default();
    frame.resize(frame.len() + padding, 0);
}

fn read_error(path: &EntryPath, source: io::Error) -> PackError {
    PackError::ReadFile { path: path.clone(), source }
}

fn changed(path: &EntryPath, announced: u64) -> PackError {
    PackError::Changed { path: path.clone(), announced }
}
