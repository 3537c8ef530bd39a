//! Tiles: 256 hashes of one level of the tree in a file, fewer in the last one.

use std::fmt;

use super::error::TlogError;

/// How many hashes a full tile has, and how many entries a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// How long a hash is, in bytes.
pub(super) const HASH_BYTES: usize = 32;
/// The highest level that the specification has. A tree of 2^64 leaves needs 8.
const LEVELS: u8 = 63;

/// One tile: hash `i` of it is that of the `256^level` leaves from `(256 * index + i) * 256^level` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u8,
    index: u64,
    /// From 1 to 256.
    width: u16,
}

impl Tile {
    /// Names a tile; nothing where there is no such one.
    pub fn new(level: u8, index: u64, width: u64) -> Option<Self> {
        let fits = level <= LEVELS && (1..=TILE_WIDTH).contains(&width) && index < 1 << 56;
        fits.then_some(Self { level, index, width: u16::try_from(width).ok()? })
    }

    /// Returns the tile that has node `number` of `level` in a tree of `size` leaves; nothing where that is not complete.
    pub(super) fn with(level: u8, number: u64, size: u64) -> Option<Self> {
        let complete = nodes(size, level);
        let index = number / TILE_WIDTH;
        if number >= complete {
            return None;
        }
        Self::new(level, index, (complete - index * TILE_WIDTH).min(TILE_WIDTH))
    }

    /// Returns the tiles that hold the right edge of a tree: the last, partial one of each level, the lowest first.
    pub fn edge(size: u64) -> impl Iterator<Item = Self> {
        (0..=7).filter_map(move |level| {
            let complete = nodes(size, level);
            Self::new(level, complete / TILE_WIDTH, complete % TILE_WIDTH)
        })
    }

    /// Returns the tiles of a tree of `to` leaves that one of `from` leaves does not have, the lowest level first.
    pub fn added(from: u64, to: u64) -> impl Iterator<Item = Self> {
        (0..=7).flat_map(move |level| {
            let (before, after) = (nodes(from, level), nodes(to, level));
            let indexes = if after > before { before / TILE_WIDTH..after.div_ceil(TILE_WIDTH) } else { 0..0 };
            indexes.filter_map(move |index| {
                Self::new(level, index, (after - index * TILE_WIDTH).min(TILE_WIDTH))
            })
        })
    }

    /// Returns the level; the leaves are level 0.
    pub fn level(self) -> u8 {
        self.level
    }

    /// Returns its place within the level.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Returns how many hashes it has.
    pub fn width(self) -> u64 {
        self.width.into()
    }

    /// Tells whether it has all its hashes.
    pub fn is_full(self) -> bool {
        self.width() == TILE_WIDTH
    }

    /// Returns the full tile in the same place: what to ask for where a partial one is there no more.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: 256, ..self }
    }

    /// Returns how long the file is, in bytes.
    pub fn byte_length(self) -> usize {
        usize::from(self.width) * HASH_BYTES
    }

    /// Returns the path below `tlog/`, e.g. `tile/0/x001/x234/067.p/8`.
    pub fn path(self) -> String {
        format!("tile/{}/{}", self.level, Place { index: self.index, width: self.width })
    }
}

/// How many complete nodes a tree has on a level of tiles.
fn nodes(size: u64, level: u8) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

/// Index and width as they end a path. "It MUST be a non-negative integer encoded into zero-padded 3-digit path elements.
/// All but the last path element MUST begin with an x."
pub(super) struct Place {
    pub(super) index: u64,
    pub(super) width: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if u64::from(self.width) < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

impl Place {
    /// Parses the end of a path. Only the one way to write it is taken.
    pub(super) fn parse(text: &str) -> Result<Self, TlogError> {
        let refused = TlogError::Malformed { what: "path of a tile", why: "it is written otherwise" };
        let (index, width) =
            text.split_once(".p/").map_or((text, None), |(index, width)| (index, Some(width)));
        let width =
            width.map_or(Some(256), |width| width.parse().ok().filter(|width| (1..256).contains(width)));
        let digits: String = index.split('/').map(|group| group.trim_start_matches('x')).collect();
        let place = digits.parse().ok().zip(width).map(|(index, width)| Self { index, width });
        place.filter(|place| place.to_string() == text).ok_or(refused)
    }
}
