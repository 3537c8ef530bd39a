//! The right edge of the log in memory: from one commit to the next without reading a file.

use bytes::Bytes;
use copkg_spec::repository::CommitNumber;
use copkg_spec::tlog::{Bundle, Edge, Head, Proof, Resource, TILE_WIDTH, Tile, Tiles, TlogError, leaf_hash};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{TransparencyError, path_of};
use crate::layout::StorePath;
use crate::storage::{ReadError, Storage};

/// The longest entry that the log takes, in bytes: what a length of 16 bits holds. A commit of some 450 roles.
pub const ENTRY_BYTES: usize = u16::MAX as usize;
/// How many files are read at once.
const PARALLEL: usize = 32;

/// All that is needed to add an entry: the last tile of each level and the entries of the last bundle. At most 200 KiB
/// with entries of usual size.
#[derive(Debug, Clone, Default)]
pub struct Log {
    edge: Edge,
    /// The entries of the last bundle, unless it is full.
    entries: Vec<Bytes>,
    files: Vec<(StorePath, Bytes)>,
    /// Whether the tiles are missing or damaged.
    rebuilt: bool,
}

/// What is done with the tiles of a log that is read from its commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tiling {
    /// They stay as they are.
    Left,
    /// They are written.
    Written,
}

impl Log {
    /// Starts without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up the log of a repository at `size` entries, whose head is `expected` where the timestamp says so.
    ///
    /// Reads the tiles. Where these are not there, or are not those of `expected`, the log of commits is read from its
    /// beginning. Nothing is written: [`Self::remake_tiles`] does that for whoever may.
    ///
    /// # Errors
    /// When the store fails, a commit is missing, or the commits do not have the root that the timestamp says.
    pub async fn load(
        storage: &Storage,
        size: u64,
        expected: Option<Head>,
    ) -> Result<Self, TransparencyError> {
        let fits = |log: &Self| expected.is_none_or(|expected| expected == log.head());
        if let Some(log) = Self::from_tiles(storage, size).await?.filter(fits) {
            return Ok(log);
        }
        tracing::warn!(
            size,
            "tiles of the transparency log are missing or damaged; the commits are read instead"
        );
        let log = Self::rebuild(storage, size, Tiling::Left).await?;
        if fits(&log) { Ok(Self { rebuilt: true, ..log }) } else { Err(TransparencyError::Damaged { size }) }
    }

    /// Writes every tile again from the commits, if [`Self::load`] found that some are missing or damaged.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remake_tiles(&self, storage: &Storage) -> Result<(), TransparencyError> {
        if self.rebuilt {
            tracing::warn!(size = self.edge.size(), "the tiles of the transparency log are made again");
            Self::rebuild(storage, self.edge.size(), Tiling::Written).await?;
        }
        Ok(())
    }

    /// Returns size and root.
    pub fn head(&self) -> Head {
        Head { size: self.edge.size(), root: self.edge.root() }
    }

    /// Returns the log with one more entry.
    ///
    /// # Errors
    /// When it is longer than [`ENTRY_BYTES`].
    pub fn append(&self, entry: Bytes) -> Result<Self, TlogError> {
        let mut log = Self { edge: self.edge.clone(), entries: self.entries.clone(), ..Self::default() };
        let number = log.edge.size();
        let leaf = leaf_hash(&entry);
        log.entries.push(entry);
        if let Some(bundle) = Bundle::with(number, number + 1) {
            let bytes = Bundle::encode(log.entries.iter().map(|entry| &**entry))?;
            log.files.push((path_of(Resource::Bundle(bundle)), bytes.into()));
        }
        for grown in log.edge.append(leaf) {
            log.files.push((path_of(Resource::Tile(grown.tile)), grown.bytes.into()));
        }
        if log.entries.len() as u64 == TILE_WIDTH {
            log.entries.clear();
        }
        Ok(log)
    }

    /// Returns the files that this log has and the one before its last entry had not: a tile and a bundle, and at each 256th
    /// entry the tiles above. They must be durable before a timestamp names the head. None right after [`Self::load`].
    pub fn files(&self) -> &[(StorePath, Bytes)] {
        &self.files
    }

    /// Takes the tiles up to the last full bundle, and the entries after it.
    async fn from_tiles(storage: &Storage, size: u64) -> Result<Option<Self>, TransparencyError> {
        let whole = size - size % TILE_WIDTH;
        let Some(tiles) = read_tiles(storage, Tile::edge(whole)).await? else { return Ok(None) };
        let Ok(edge) = Edge::from_tiles(whole, &tiles) else { return Ok(None) };
        let Some(entries) = last_entries(storage, whole, size).await? else { return Ok(None) };
        let mut log = Self { edge, ..Self::default() };
        for entry in entries {
            log = log.append(entry)?;
        }
        log.files.clear();
        Ok(Some(log))
    }

    async fn rebuild(storage: &Storage, size: u64, tiling: Tiling) -> Result<Self, TransparencyError> {
        let mut entries =
            stream::iter(1..=size).map(|number| entry(storage, number, size)).buffered(PARALLEL);
        let tiles = Tile::edge(size).map(Resource::Tile);
        let bundle = Bundle::with(size.saturating_sub(1), size).map(Resource::Bundle);
        let last: Vec<StorePath> = tiles.chain(bundle).map(path_of).collect();
        let mut log = Self::new();
        while let Some(entry) = entries.try_next().await? {
            log = log.append(entry)?;
            if tiling == Tiling::Left {
                continue;
            }
            let stays = |path: &StorePath| !is_partial(path) || last.contains(path);
            for (path, bytes) in log.files.iter().filter(|(path, _)| stays(path)) {
                storage.put(path, bytes.clone()).await?;
            }
        }
        log.files.clear();
        Ok(log)
    }
}

/// Tells whether a file is one that a longer log replaces by a full one.
fn is_partial(path: &StorePath) -> bool {
    path.as_str().contains(".p/")
}

/// Reads tiles, where a partial one is gone the full one; `None` when one is missing or damaged.
pub(super) async fn read_tiles(
    storage: &Storage,
    wanted: impl IntoIterator<Item = Tile>,
) -> Result<Option<Tiles>, ReadError> {
    let read = |tile: Tile| async move {
        let bytes = storage.read(&path_of(Resource::Tile(tile))).await?;
        let bytes = match bytes {
            None if !tile.is_full() => storage.read(&path_of(Resource::Tile(tile.full()))).await?,
            bytes => bytes,
        };
        Ok::<_, ReadError>((tile, bytes))
    };
    let wanted: Vec<Tile> = wanted.into_iter().collect();
    let found: Vec<_> = stream::iter(wanted).map(read).buffered(PARALLEL).try_collect().await?;
    let mut tiles = Tiles::new();
    for (tile, bytes) in found {
        let Some(bytes) = bytes else { return Ok(None) };
        if tiles.insert(tile, &bytes).is_err() {
            return Ok(None);
        }
    }
    Ok(Some(tiles))
}

/// Makes a proof from the tiles in a store.
///
/// # Errors
/// When the store fails or a tile is missing.
pub(super) async fn proof(
    storage: &Storage,
    proof: &Proof,
) -> Result<Vec<copkg_spec::digest::Digest>, TransparencyError> {
    let tiles = read_tiles(storage, proof.tiles()).await?.unwrap_or_default();
    Ok(proof.hashes(&tiles)?)
}

async fn last_entries(
    storage: &Storage,
    from: u64,
    size: u64,
) -> Result<Option<Vec<Bytes>>, TransparencyError> {
    let Some(bundle) = Bundle::with(from, size) else { return Ok(Some(Vec::new())) };
    if let Some(bytes) = storage.read(&path_of(Resource::Bundle(bundle))).await?
        && let Ok(entries) = bundle.decode(&bytes)
    {
        return Ok(Some(entries.into_iter().map(|entry| bytes.slice_ref(entry)).collect()));
    }
    let entries = stream::iter(from + 1..=size).map(|number| entry(storage, number, size)).buffered(PARALLEL);
    entries.try_collect().await.map(Some)
}

async fn entry(storage: &Storage, number: u64, size: u64) -> Result<Bytes, TransparencyError> {
    let missing = || TransparencyError::Missing { number, size };
    let commit = CommitNumber::new(number).ok_or_else(missing)?;
    storage.read(&StorePath::commit(commit)).await?.ok_or_else(missing)
}
