//! Steps: which parts of old files each frame of a patch refers to, and which parts of new files it holds.

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::error::PatchError;
use crate::archive::container::{self, ContainerError, names};
use crate::archive::frame::{FrameError, check_shape};
use crate::archive::tar_header::{END_MARKER, padded};
use crate::digest::Digest;
use crate::index::{Entry, Frame, Index};
use crate::limits::{PATCH_FROM_BYTES, PATCH_STEPS_WEIGHT, PATCH_TO_BYTES};

/// A part of a file, by the place of the file among the entries of its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, u64, u64)", into = "(u32, u64, u64)")]
pub struct Part {
    /// The place of the file.
    pub entry: u32,
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

impl From<(u32, u64, u64)> for Part {
    fn from((entry, offset, length): (u32, u64, u64)) -> Self {
        Self { entry, offset, length }
    }
}

impl From<Part> for (u32, u64, u64) {
    fn from(Part { entry, offset, length }: Part) -> Self {
        (entry, offset, length)
    }
}

impl Part {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// Returns the size of the file that the part is of, where it is a part of a file of that index.
    fn size_in(&self, index: &Index) -> Option<u64> {
        match index.entries().get(self.entry as usize)? {
            Entry::File { size, .. } if self.length > 0 && self.end() <= *size => Some(*size),
            _ => None,
        }
    }
}

/// One frame of a patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    from: Vec<Part>,
    length: u64,
    sha256: Digest,
    to: Vec<Part>,
}

/// What a step takes in memory, and what a part, or a list of them.
const STEP: u64 = size_of::<Step>() as u64;
const PART: u64 = size_of::<Part>() as u64;

#[derive(Serialize, Deserialize)]
struct List<S> {
    steps: S,
}

impl Step {
    pub(super) fn new(from: Vec<Part>, to: Vec<Part>, compressed: &[u8]) -> Self {
        Self { from, length: compressed.len() as u64, sha256: Digest::of(compressed), to }
    }

    pub(super) fn parse_list(bytes: &[u8]) -> Result<Vec<Self>, PatchError> {
        // What is to be parsed is counted first: a part is a few bytes of text and several times that in memory.
        let weight = bytes.iter().map(|byte| match byte {
            b'{' => STEP,
            b'[' => PART,
            _ => 0,
        });
        if weight.sum::<u64>() > PATCH_STEPS_WEIGHT {
            return Err(PatchError::TooLarge { what: "list of steps", limit: PATCH_STEPS_WEIGHT });
        }
        let list: List<Vec<Self>> = serde_json::from_slice(bytes).map_err(PatchError::Syntax)?;
        for (number, step) in list.steps.iter().enumerate() {
            step.check_sizes().map_err(|why| PatchError::Step { number, why })?;
        }
        Ok(list.steps)
    }

    pub(super) fn list_bytes(steps: &[Self]) -> Result<Vec<u8>, PatchError> {
        // The members are in the order of their names: this is canonical JSON, without a tree of values in between.
        serde_json::to_vec(&List { steps }).map_err(PatchError::Syntax)
    }

    fn check_sizes(&self) -> Result<(), &'static str> {
        if self.from_bytes() > PATCH_FROM_BYTES {
            return Err("it refers to too much");
        }
        // What does not compress grows by less than a 64th.
        if self.to_bytes() > PATCH_TO_BYTES || self.length > PATCH_TO_BYTES + (PATCH_TO_BYTES >> 6) {
            return Err("it holds too much");
        }
        if self.to_bytes() == 0 { Err("it holds nothing") } else { Ok(()) }
    }

    /// Returns the parts of old files that it refers to, in the order in which they stand before the frame.
    pub fn from(&self) -> &[Part] {
        &self.from
    }

    /// Returns the parts of new files that it holds, in their order.
    pub fn to(&self) -> &[Part] {
        &self.to
    }

    /// Returns how many bytes the frame has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns how many bytes it refers to.
    pub fn from_bytes(&self) -> u64 {
        sum(&self.from)
    }

    /// Returns how many bytes it holds.
    pub fn to_bytes(&self) -> u64 {
        sum(&self.to)
    }

    /// Reads its frame.
    ///
    /// # Errors
    /// When the source fails or ends.
    pub fn read(&self, reader: &mut impl Read, compressed: &mut Vec<u8>) -> Result<(), ContainerError> {
        compressed.clear();
        reader.by_ref().take(self.length).read_to_end(compressed).map_err(ContainerError::Read)?;
        if (compressed.len() as u64) < self.length {
            return Err(ContainerError::Truncated { name: names::DATA });
        }
        Ok(())
    }

    /// Checks the frame before zstd sees it.
    pub(super) fn check_frame(&self, compressed: &[u8]) -> Result<(), FrameError> {
        let frame = Frame { length: self.length, size: self.to_bytes(), sha256: self.sha256 };
        if compressed.len() as u64 != frame.length {
            return Err(FrameError::Length { found: compressed.len() as u64, expected: frame.length });
        }
        if Digest::of(compressed) != frame.sha256 {
            return Err(FrameError::Digest);
        }
        check_shape(compressed, frame.size)
    }
}

fn sum(parts: &[Part]) -> u64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.length))
}

/// The steps from one package to another, each of them possible, and together all that the old one lacks.
#[derive(Debug, Clone)]
pub struct Patch {
    steps: Vec<Step>,
    units: Vec<Range<usize>>,
    offsets: Vec<u64>,
    data_offset: u64,
    files: HashSet<usize>,
}

impl Patch {
    /// Checks the steps against both packages.
    pub(super) fn new(
        steps: Vec<Step>,
        data_offset: u64,
        (old, new): (&Index, &Index),
    ) -> Result<Self, PatchError> {
        let (units, offsets, files) = (Vec::new(), Vec::new(), HashSet::new());
        let mut patch = Self { steps, units, offsets, data_offset, files };
        let (mut offset, mut place) = (data_offset, Place::Before(0));
        for (number, step) in patch.steps.iter().enumerate() {
            let refused = |why| PatchError::Step { number, why };
            if step.from.iter().any(|part| part.size_in(old).is_none()) {
                return Err(refused("it refers to what the old package does not have"));
            }
            match (place, patch.units.last_mut()) {
                (Place::Inside { .. }, Some(unit)) => unit.end = number + 1,
                _ => patch.units.push(number..number + 1),
            }
            for part in &step.to {
                place = place.after(part, new).ok_or_else(|| refused("its files are not in their order"))?;
                patch.files.insert(part.entry as usize);
            }
            patch.offsets.push(offset);
            offset = offset.saturating_add(step.length);
        }
        if matches!(place, Place::Inside { .. }) {
            return Err(PatchError::Incomplete);
        }
        patch.check_complete(old, new)?;
        Ok(patch)
    }

    /// Every file of the new package is made by the steps, or is empty, or is in the old package.
    fn check_complete(&self, old: &Index, new: &Index) -> Result<(), PatchError> {
        let there: HashSet<Digest> = old.entries().iter().filter_map(digest_of).collect();
        let is_missing = |(number, entry): (usize, &Entry)| {
            digest_of(entry).is_some_and(|digest| {
                entry.payload_bytes() > 0 && !self.files.contains(&number) && !there.contains(&digest)
            })
        };
        let mut entries = new.entries().iter().enumerate();
        if entries.any(is_missing) { Err(PatchError::Incomplete) } else { Ok(()) }
    }

    /// Returns the steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the steps that have to be done one after the other, since a file goes on from one to the next.
    pub fn units(&self) -> &[Range<usize>] {
        &self.units
    }

    /// Returns where in the patch file the frame of each step begins.
    pub fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// Tells whether the file with this place among the entries is made by the steps.
    pub fn makes(&self, entry: usize) -> bool {
        self.files.contains(&entry)
    }

    /// Returns how many bytes of frames there are.
    pub fn data_length(&self) -> u64 {
        self.steps.iter().map(Step::length).sum()
    }

    /// Returns how many bytes the whole file has.
    pub fn file_length(&self) -> u64 {
        let length = self.data_length();
        self.data_offset.saturating_add(padded(length) + END_MARKER.len() as u64)
    }

    /// Reads what follows the last frame: padding, the end of the archive, and nothing more.
    ///
    /// # Errors
    /// When something else follows.
    pub fn read_end(&self, reader: &mut impl Read) -> Result<(), ContainerError> {
        container::read_padding(reader, self.data_length(), names::DATA)?;
        container::read_end(reader)
    }
}

/// Where among the files of the new package the next part begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a file, none before this one.
    Before(u32),
    /// Inside a file.
    Inside { entry: u32, at: u64 },
}

impl Place {
    /// Returns the place after `part`, where that may follow.
    fn after(self, part: &Part, new: &Index) -> Option<Self> {
        let size = part.size_in(new)?;
        // Another name of a file is made when that one is there.
        if new.entries().get(part.entry as usize).is_some_and(|entry| entry.link().is_some()) {
            return None;
        }
        let follows = match self {
            Self::Before(first) => part.entry >= first && part.offset == 0,
            Self::Inside { entry, at } => part.entry == entry && part.offset == at,
        };
        let next = if part.end() == size {
            Self::Before(part.entry.checked_add(1)?)
        } else {
            Self::Inside { entry: part.entry, at: part.end() }
        };
        follows.then_some(next)
    }
}

fn digest_of(entry: &Entry) -> Option<Digest> {
    match entry {
        Entry::File { sha256, .. } => Some(*sha256),
        Entry::Directory { .. } | Entry::Symlink { .. } => None,
    }
}
