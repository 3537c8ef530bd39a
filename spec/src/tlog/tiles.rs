//! Tiles that were fetched, and the hashes that can be computed from them.

use std::collections::BTreeMap;

use crate::digest::Digest;

use super::error::TlogError;
use super::tile::{HASH_BYTES, Tile};
use super::tree::{Node, root_of_leaves};

/// Tiles of one log, as they came: nothing vouches for a hash until a proof made of them is checked.
#[derive(Debug, Clone, Default)]
pub struct Tiles(BTreeMap<(u8, u64), Vec<Digest>>);

impl Tiles {
    /// Starts without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the file of a tile. A wider one, such as the full one in the same place, is as good.
    ///
    /// # Errors
    /// When the length is neither the tile's nor the full one's.
    pub fn insert(&mut self, tile: Tile, bytes: &[u8]) -> Result<(), TlogError> {
        if bytes.len() != tile.byte_length() && bytes.len() != tile.full().byte_length() {
            return Err(TlogError::TileLength { tile, found: bytes.len() });
        }
        let hashes = bytes.as_chunks::<HASH_BYTES>().0;
        self.put(tile, hashes.iter().copied().map(Digest::from_bytes).collect());
        Ok(())
    }

    /// Takes the hashes of a tile.
    pub(super) fn put(&mut self, tile: Tile, hashes: Vec<Digest>) {
        self.0.insert((tile.level(), tile.index()), hashes);
    }

    /// Returns the hashes of a tile.
    pub(super) fn get(&self, tile: Tile) -> Result<&[Digest], TlogError> {
        let hashes = self.0.get(&(tile.level(), tile.index()));
        let first =
            usize::try_from(tile.width()).ok().zip(hashes).and_then(|(width, hashes)| hashes.get(..width));
        first.ok_or(TlogError::TileMissing(tile))
    }

    /// Computes the hash of a complete subtree in a tree of `size` leaves.
    pub(super) fn hash(&self, node: Node, size: u64) -> Result<Digest, TlogError> {
        let place = Place::of(node, size)?;
        let hashes = self.get(place.tile)?.get(place.first..place.first + place.leaves);
        hashes.map(root_of_leaves).ok_or(TlogError::TileMissing(place.tile))
    }
}

/// Where the hash of a node is computed from: a part of one tile.
pub(super) struct Place {
    pub(super) tile: Tile,
    first: usize,
    leaves: usize,
}

impl Place {
    pub(super) fn of(node: Node, size: u64) -> Result<Self, TlogError> {
        let refused = TlogError::NoProof { from: node.index, to: size };
        let (level, within) = (node.height / 8, node.height % 8);
        let start = node.index << within;
        let tile =
            u8::try_from(level).ok().and_then(|level| Tile::with(level, start, size)).ok_or(refused)?;
        Ok(Self { tile, first: (start % 256) as usize, leaves: 1 << within })
    }
}
