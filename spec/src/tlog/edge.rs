//! The right edge of a tree: all that is needed to add leaves to it. The server's side.

use crate::digest::Digest;

use super::error::TlogError;
use super::tile::{TILE_WIDTH, Tile};
use super::tiles::Tiles;
use super::tree::{Node, empty_root, range_hash, root_of_leaves};

/// The hashes of the last tile of each level: at most 255 of each of 8.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Digest>>,
}

/// A tile that a new leaf made or widened, with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grown {
    /// Which one.
    pub tile: Tile,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Edge {
    /// Starts with the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a tree of `size` leaves from the tiles of [`Tile::edge`]. Compare [`Self::root`] with a head that you trust.
    ///
    /// # Errors
    /// When one is missing.
    pub fn from_tiles(size: u64, tiles: &Tiles) -> Result<Self, TlogError> {
        let mut levels: Vec<Vec<Digest>> = Vec::new();
        for tile in Tile::edge(size) {
            levels.resize(usize::from(tile.level()) + 1, Vec::new());
            levels[usize::from(tile.level())] = tiles.get(tile)?.to_vec();
        }
        Ok(Self { size, levels })
    }

    /// Returns how many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and returns the tiles that the larger tree has and the smaller one had not: one, and at each
    /// 256th leaf those above it.
    pub fn append(&mut self, leaf: Digest) -> Vec<Grown> {
        let mut grown = Vec::new();
        let (mut hash, mut nodes) = (leaf, self.size);
        for level in 0.. {
            if self.levels.len() == usize::from(level) {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[usize::from(level)];
            hashes.push(hash);
            let tile = Tile::new(level, nodes / TILE_WIDTH, hashes.len() as u64);
            grown.extend(tile.map(|tile| Grown { tile, bytes: bytes_of(hashes) }));
            if (hashes.len() as u64) < TILE_WIDTH {
                break;
            }
            hash = root_of_leaves(hashes);
            hashes.clear();
            nodes /= TILE_WIDTH;
        }
        self.size += 1;
        grown
    }

    /// Computes the root.
    pub fn root(&self) -> Digest {
        if self.size == 0 {
            return empty_root();
        }
        // Every complete subtree of the root's decomposition lies in the last tile of its level.
        let root = range_hash::<()>(0, self.size, &mut |node| Ok(self.hash(node)));
        root.unwrap_or_else(|()| empty_root())
    }

    fn hash(&self, node: Node) -> Digest {
        let (level, within) = ((node.height / 8) as usize, node.height % 8);
        let first = ((node.index << within) % TILE_WIDTH) as usize;
        let hashes = self.levels.get(level).and_then(|hashes| hashes.get(first..first + (1 << within)));
        root_of_leaves(hashes.unwrap_or_default())
    }
}

fn bytes_of(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
