//! Runs: the parts of a payload that can be unpacked side by side.

use std::ops::Range;

use super::{Entry, EntryPath, Index};
use crate::archive::tar_header;

/// Some entries and the frames that hold them, all of them and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    entries: Range<usize>,
    frames: Range<usize>,
}

impl Run {
    /// Returns the places of the entries in the index.
    pub fn entries(&self) -> Range<usize> {
        self.entries.clone()
    }

    /// Returns the places of the frames in the index.
    pub fn frames(&self) -> Range<usize> {
        self.frames.clone()
    }
}

/// What a frame holds of the only file of its run: some of its header, then some of its content, then zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The place of the frame in the index.
    pub frame: usize,
    /// Bytes of the file's header.
    pub header: Vec<u8>,
    /// Which bytes of the content.
    pub content: Range<u64>,
    /// How many zeros follow.
    pub zeros: u64,
}

impl Piece {
    /// Returns what the frame holds where it holds nothing of the content.
    pub fn without_content(&self) -> Vec<u8> {
        let mut raw = self.header.clone();
        raw.resize(raw.len() + usize::try_from(self.zeros).unwrap_or_default(), 0);
        raw
    }
}

/// A file that has a run for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alone<'i> {
    /// Where it is.
    pub path: &'i EntryPath,
    /// Its frames.
    pub pieces: Vec<Piece>,
}

impl Index {
    /// Returns the file of a run that holds one alone, with what each of its frames holds of it.
    pub fn alone(&self, run: &Run) -> Option<Alone<'_>> {
        let [entry @ Entry::File { path, size, link: None, .. }] = &self.entries()[run.entries()] else {
            return None;
        };
        let header = tar_header::entry_header(entry);
        let (start, end) = (header.len() as u64, header.len() as u64 + size);
        let mut at = 0;
        let pieces = run.frames().map(|frame| {
            let next = at + self.frames()[frame].size;
            let [from, to] = [at, next].map(|at| usize::try_from(at.min(start)).unwrap_or_default());
            let [first, last] = [at, next].map(|at| at.clamp(start, end) - start);
            let header = header[from..to].to_vec();
            let zeros = (next - at) - header.len() as u64 - (last - first);
            at = next;
            Piece { frame, header, content: first..last, zeros }
        });
        Some(Alone { path, pieces: pieces.collect() })
    }

    /// Cuts the payload into as many runs as it has: wherever a frame and an entry begin at the same byte.
    ///
    /// The last run has the end marker as well.
    pub fn runs(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut begin = (0, 0);
        let (mut entry, mut entry_at, mut frame_at) = (0, 0, 0);
        for (number, frame) in self.frames().iter().enumerate() {
            while entry_at < frame_at && entry < self.entries().len() {
                entry_at += tar_header::entry_length(&self.entries()[entry]);
                entry += 1;
            }
            if entry_at == frame_at && number > 0 && entry < self.entries().len() {
                runs.push(Run { entries: begin.0..entry, frames: begin.1..number });
                begin = (entry, number);
            }
            frame_at += frame.size;
        }
        runs.push(Run { entries: begin.0..self.entries().len(), frames: begin.1..self.frames().len() });
        runs
    }
}
