//! Decides where the payload is cut into frames, from the list of entries alone.
//!
//! Comes before anything is read. A frame ends at the end of an entry that the entry's own path and size choose, and a large
//! file gets frames of its own, which its content cuts later (`fill`). So an entry that is added or changed moves only the
//! cuts around it, the other frames are byte for byte those of the version before, and frames can be read and compressed in
//! any order. Nothing here depends on time, threads or the machine.

use std::ops::Range;

use super::tar_header::entry_length;
use crate::digest::Digest;
use crate::index::{Entry, EntryPath};

/// How large frames are before compression. `docs/format.md`, clause 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameSize(u32);

impl FrameSize {
    /// What packages are built with: see `docs/performance.md` for the curve that it was chosen from.
    pub const DEFAULT: Self = Self(256 << 10);
    /// The smallest that [`FrameSize::new`] takes.
    pub const SMALLEST: u32 = 4 << 10;
    /// The largest that [`FrameSize::new`] takes: frames grow to twice the average.
    pub const LARGEST: u32 = 2 << 20;

    /// Takes an average size in bytes; `None` where the format has no room for it. For experiments: packages of one
    /// repository share frames only where they are cut alike.
    pub fn new(bytes: u32) -> Option<Self> {
        (Self::SMALLEST..=Self::LARGEST).contains(&bytes).then_some(Self(bytes))
    }

    /// Returns the average in bytes, which is also the size above which a file gets frames of its own.
    pub(super) fn target(self) -> usize {
        self.0 as usize
    }

    /// Returns the size below which a frame of whole entries does not end.
    fn minimum(self) -> usize {
        self.target() / 2
    }

    /// Returns the size above which a frame does not grow.
    pub(super) fn maximum(self) -> usize {
        self.target() * 2
    }
}

/// A part of the tree that is read by one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unit {
    /// Entries that make one frame.
    Entries(Range<usize>),
    /// The last entries, none if need be, and the end marker.
    Last(Range<usize>),
    /// A file with frames of its own.
    Large(usize),
}

/// Cuts a tree into units, in its order.
pub(super) struct Cutter<'t> {
    entries: &'t [Entry],
    size: FrameSize,
    next: usize,
    ended: bool,
}

impl<'t> Cutter<'t> {
    pub(super) fn new(entries: &'t [Entry], size: FrameSize) -> Self {
        Self { entries, size, next: 0, ended: false }
    }

    fn is_large(&self, entry: &Entry) -> bool {
        entry.payload_bytes() > self.size.target() as u64
    }

    /// Tells whether the frame ends after an entry: each byte of an entry has the same chance, so frames get the target
    /// size on average, and the choice depends on nothing but the entry.
    fn ends_after(&self, path: &EntryPath, length: u64) -> bool {
        let digest = Digest::of(path.as_str().as_bytes());
        let [a, b, c, d, ..] = *digest.as_bytes();
        let draw = u64::from(u32::from_be_bytes([a, b, c, d]));
        draw * ((self.size.target() - self.size.minimum()) as u64) < length << 32
    }

    /// Returns the next frame of whole entries.
    fn entries(&mut self) -> Unit {
        let start = self.next;
        let mut filled = 0;
        while let Some(entry) = self.entries.get(self.next) {
            let length = entry_length(entry);
            let is_full = filled > 0 && filled + length > self.size.maximum() as u64;
            if self.is_large(entry) || is_full {
                return Unit::Entries(start..self.next);
            }
            self.next += 1;
            filled += length;
            if filled >= self.size.minimum() as u64 && self.ends_after(entry.path(), length) {
                return Unit::Entries(start..self.next);
            }
        }
        self.ended = true;
        Unit::Last(start..self.next)
    }
}

impl Iterator for Cutter<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        if self.ended {
            return None;
        }
        if self.entries.get(self.next).is_some_and(|entry| self.is_large(entry)) {
            self.next += 1;
            return Some(Unit::Large(self.next - 1));
        }
        Some(self.entries())
    }
}
