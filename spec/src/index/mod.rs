//! The index of a package: its entries and the frames of its payload.
//!
//! Comes after the manifest, which carries its digest, and before the payload, which it describes. An [`Index`]
//! exists only for entries that the archive policy accepts as a whole. Places in the payload are not stored: they
//! follow from the order and the sizes ([`Index::payload_size`], `docs/format.md`, clause 6).

mod entry;
mod frame;
mod path;
mod read;
mod run;

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::Error as _;
use thiserror::Error;

pub use entry::{Entry, Mode, NewFile};
pub use frame::Frame;
pub use path::{EntryPath, LinkTarget};
pub use run::{Alone, Piece, Run};

use crate::archive::tar_header;
use crate::command::{Exit, Explain};
use crate::limits::{FRAME_BYTES, INDEX_WEIGHT, TAR_MEMBER_BYTES};
use crate::policy::{self, Refused};

/// The entries of a package in canonical order, and the frames of its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Index {
    entries: Vec<Entry>,
    frames: Vec<Frame>,
}

impl Index {
    /// Checks `entries` against the archive policy and `frames` against what the entries need.
    ///
    /// # Errors
    /// Names the first entry and rule, or the frame, that is refused.
    pub fn new(entries: Vec<Entry>, frames: Vec<Frame>) -> Result<Self, IndexError> {
        // First, so that no work is done for more entries than there may be.
        check_weight(&entries, &frames)?;
        policy::check_tree(&entries)?;
        Self::of_weighed(entries, frames)
    }

    /// Takes entries that the archive policy has accepted already.
    pub(crate) fn of_checked(entries: Vec<Entry>, frames: Vec<Frame>) -> Result<Self, IndexError> {
        check_weight(&entries, &frames)?;
        Self::of_weighed(entries, frames)
    }

    fn of_weighed(entries: Vec<Entry>, frames: Vec<Frame>) -> Result<Self, IndexError> {
        let index = Self { entries, frames };
        index.check_frames()?;
        Ok(index)
    }

    /// Parses the decompressed bytes of `index.json.zst`.
    ///
    /// # Errors
    /// When they are not an index, and as [`Index::new`].
    pub fn parse(bytes: &[u8]) -> Result<Self, IndexError> {
        // All at once, and not string by string.
        let text = std::str::from_utf8(bytes)
            .map_err(|error| IndexError::Syntax(serde_json::Error::custom(error)))?;
        let raw = read::of_text(text)?;
        Self::new(raw.entries, raw.frames)
    }

    /// Reads the decompressed bytes of `index.json.zst` as they come.
    ///
    /// # Errors
    /// As [`Index::parse`], and when `reader` fails.
    pub(crate) fn read(reader: impl Read) -> Result<Self, IndexError> {
        let raw = read::of_reader(reader)?;
        Self::new(raw.entries, raw.frames)
    }

    /// Writes the index as canonical JSON, and returns how many bytes that are.
    ///
    /// Straight from the types: an index of a million entries must become neither a tree of JSON values nor a text in memory.
    ///
    /// # Errors
    /// Those of `out`, which gets the text in small pieces.
    pub(crate) fn write(&self, out: impl Write) -> io::Result<u64> {
        let mut out = Counted { out, length: 0 };
        serde_json::to_writer(&mut out, self)?;
        Ok(out.length)
    }

    /// Returns the entries in canonical order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the entry at `path`.
    pub fn get(&self, path: &EntryPath) -> Option<&Entry> {
        let found = self.entries.binary_search_by(|entry| entry.path().cmp(path));
        found.ok().map(|at| &self.entries[at])
    }

    /// Returns the date of a file, in seconds since 1970, where it is not that of the package: its own, or that of the file that it is
    /// a link to.
    pub fn date(&self, entry: &Entry) -> Option<u64> {
        match entry {
            Entry::File { link: Some(first), .. } => self.get(first).and_then(|first| self.date(first)),
            Entry::File { date, .. } => *date,
            Entry::Directory { .. } | Entry::Symlink { .. } => None,
        }
    }

    /// Returns the frames in the order of the payload.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Returns the size of the payload before compression: every header, content and padding, and the end marker.
    pub fn payload_size(&self) -> u64 {
        payload_size(&self.entries)
    }

    /// Returns the size of the compressed payload.
    pub fn payload_length(&self) -> u64 {
        self.frames.iter().map(|frame| frame.length).sum()
    }

    fn check_frames(&self) -> Result<(), IndexError> {
        for (number, frame) in self.frames.iter().enumerate() {
            if frame.size == 0
                || frame.size > FRAME_BYTES
                || frame.length == 0
                || frame.length > 2 * FRAME_BYTES
            {
                return Err(IndexError::FrameSize { number, size: frame.size, length: frame.length });
            }
        }
        let framed = self.frames.iter().map(|frame| frame.size).sum();
        let needed = self.payload_size();
        if framed != needed {
            return Err(IndexError::PayloadSize { framed, needed });
        }
        if self.payload_length() > TAR_MEMBER_BYTES {
            return Err(IndexError::PayloadTooLarge(self.payload_length()));
        }
        Ok(())
    }
}

/// Counts what passes.
struct Counted<W> {
    out: W,
    length: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.length += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn check_weight(entries: &[Entry], frames: &[Frame]) -> Result<(), IndexError> {
    if read::weight(entries, frames) > INDEX_WEIGHT { Err(IndexError::TooLarge) } else { Ok(()) }
}

/// Returns the size of the payload that holds `entries`, before compression.
pub(crate) fn payload_size(entries: &[Entry]) -> u64 {
    entries.iter().map(tar_header::entry_length).sum::<u64>() + tar_header::END_MARKER.len() as u64
}

/// Says why an index is refused.
#[derive(Debug, Error)]
pub enum IndexError {
    /// It is not JSON of the right shape.
    #[error("the index is not what the format says")]
    Syntax(#[source] serde_json::Error),
    /// An entry breaks the archive policy.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There are too many entries and frames, or their paths are too long.
    #[error(
        "the package has too many files: its index takes more than {} MiB of memory, which is enough for some 230,000 files",
        INDEX_WEIGHT >> 20
    )]
    TooLarge,
    /// A frame is empty or larger than a frame may be.
    #[error("frame {number} has {size} bytes, {length} compressed; the limit is {FRAME_BYTES}")]
    FrameSize {
        /// The place in the list, from 0.
        number: usize,
        /// Bytes before compression.
        size: u64,
        /// Bytes after compression.
        length: u64,
    },
    /// The frames hold more or less than the entries need.
    #[error("the frames hold {framed} bytes, the entries need {needed}")]
    PayloadSize {
        /// What the frames hold.
        framed: u64,
        /// What the entries need.
        needed: u64,
    },
    /// The payload does not fit a POSIX tar member.
    #[error("the payload has {0} bytes compressed, the limit is {TAR_MEMBER_BYTES}")]
    PayloadTooLarge(u64),
}

impl Explain for IndexError {
    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused_entry",
            _ => "malformed_index",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refused) => refused.hint(),
            Self::TooLarge => Some("divide it into several packages".into()),
            _ => Some("whoever built the package has to build it again with pkgbuild".into()),
        }
    }
}
