//! Lists of a directory, cut into objects by what they hold: one changed entry changes one of them, and the few above it.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Entry, ObjectName, Piece, SnapshotFormatError};
use crate::digest::Digest;

/// One in so many entries ends a run.
const AVERAGE: u32 = 64;
/// The most entries of a run.
const LONGEST: usize = 256;

/// What an object of kind tree holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeObject {
    /// A run of the entries of a directory, sorted by the bytes of their names.
    Entries(Vec<Entry>),
    /// Objects that list them, in order.
    Trees(Vec<ObjectName>),
    /// A piece of a large file.
    Piece(Piece),
}

impl TreeObject {
    /// The most objects that are listed in one place.
    pub const NAMES: usize = 64;

    /// Encodes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Maps have texts for keys alone: nothing here cannot be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Decodes it.
    ///
    /// # Errors
    /// When it has another shape, or its entries are out of order.
    pub fn parse(bytes: &[u8]) -> Result<Self, SnapshotFormatError> {
        let object = serde_json::from_slice(bytes).map_err(SnapshotFormatError::shape)?;
        if let Self::Entries(entries) = &object {
            let unordered = entries.windows(2).find(|pair| pair[0].name >= pair[1].name);
            if let Some(pair) = unordered {
                return Err(SnapshotFormatError::Order(pair[1].name.to_string()));
            }
        }
        Ok(object)
    }
}

/// Cuts sorted entries into runs. An entry's name alone says whether a run ends after it.
pub fn runs_of_entries(entries: &[Entry]) -> Vec<Range<usize>> {
    runs(entries, |entry| *Digest::of(entry.name.as_bytes()).as_bytes())
}

/// Cuts a list of objects into runs. An object's name alone says whether a run ends after it.
pub fn runs_of_names(names: &[ObjectName]) -> Vec<Range<usize>> {
    runs(names, |name| *name.as_bytes())
}

fn runs<T>(items: &[T], mark: impl Fn(&T) -> [u8; 32]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut begins = 0;
    for (at, item) in items.iter().enumerate() {
        let [a, b, c, d, ..] = mark(item);
        let ends = u32::from_be_bytes([a, b, c, d]) % AVERAGE == 0;
        if ends || at + 1 - begins == LONGEST || at + 1 == items.len() {
            runs.push(begins..at + 1);
            begins = at + 1;
        }
    }
    runs
}
