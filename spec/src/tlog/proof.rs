//! Proofs: which tiles one needs, and what it is once they are there.

use std::collections::BTreeSet;

use crate::digest::Digest;

use super::error::TlogError;
use super::tile::Tile;
use super::tiles::{Place, Tiles};
use super::tree::{empty_root, range_hash, split};

/// A proof that is to be made of tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    size: u64,
    /// The ranges of leaves whose hashes are the proof, in its order.
    ranges: Vec<(u64, u64)>,
}

impl Proof {
    /// Asks for the proof that a tree of `new` leaves begins with one of `old` leaves (RFC 6962, 2.1.2).
    ///
    /// # Errors
    /// When there are fewer leaves than before.
    pub fn consistency(old: u64, new: u64) -> Result<Self, TlogError> {
        if old > new {
            return Err(TlogError::Shrunk { seen: old, found: new });
        }
        let mut ranges = Vec::new();
        if old > 0 && old < new {
            subproof(old, (0, new), Known::Yes, &mut ranges);
        }
        Ok(Self { size: new, ranges })
    }

    /// Asks for the proof that leaf `index` is in a tree of `size` leaves (RFC 6962, 2.1.1).
    ///
    /// # Errors
    /// When the tree has no such leaf.
    pub fn inclusion(index: u64, size: u64) -> Result<Self, TlogError> {
        if index >= size {
            return Err(TlogError::NoProof { from: index, to: size });
        }
        let mut ranges = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                ranges.push((middle, end));
                end = middle;
            } else {
                ranges.push((start, middle));
                start = middle;
            }
        }
        ranges.reverse();
        Ok(Self { size, ranges })
    }

    /// Asks for the root of a tree of `size` leaves: a proof of one hash, or of none for the empty tree.
    pub fn root(size: u64) -> Self {
        Self { size, ranges: if size == 0 { Vec::new() } else { vec![(0, size)] } }
    }

    /// Returns the tiles that it is made of, each once. Any order will do.
    pub fn tiles(&self) -> BTreeSet<Tile> {
        let mut tiles = BTreeSet::new();
        for &(start, end) in &self.ranges {
            // Only the tiles are of interest; where a node has no tile `hashes` will say so.
            let _ = range_hash::<TlogError>(start, end, &mut |node| {
                tiles.insert(Place::of(node, self.size)?.tile);
                Ok(empty_root())
            });
        }
        tiles
    }

    /// Makes the proof.
    ///
    /// # Errors
    /// When a tile is missing.
    pub fn hashes(&self, tiles: &Tiles) -> Result<Vec<Digest>, TlogError> {
        let hash =
            |&(start, end): &(u64, u64)| range_hash(start, end, &mut |node| tiles.hash(node, self.size));
        self.ranges.iter().map(hash).collect()
    }
}

/// Whether the one who checks knows the root of the old tree as a node of the new one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

/// SUBPROOF of RFC 6962, 2.1.2, for the first `old` leaves of a range.
fn subproof(old: u64, (start, end): (u64, u64), known: Known, ranges: &mut Vec<(u64, u64)>) {
    let leaves = end - start;
    if old == leaves {
        if known == Known::No {
            ranges.push((start, end));
        }
        return;
    }
    let middle = start + split(leaves);
    if old <= middle - start {
        subproof(old, (start, middle), known, ranges);
        ranges.push((middle, end));
    } else {
        subproof(old - (middle - start), (middle, end), Known::No, ranges);
        ranges.push((start, middle));
    }
}
