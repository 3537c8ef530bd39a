//! Runs: the parts of a payload that can be unpacked side by side.

use std::ops::Range;

use super::Index;
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

impl Index {
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
