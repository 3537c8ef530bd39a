//! Bundles: up to 256 entries in a file, each with its length before it.

use super::error::TlogError;
use super::tile::{Place, TILE_WIDTH};

/// The longest entry, in bytes: what a length of 16 bits holds.
const ENTRY_BYTES: usize = u16::MAX as usize;

/// One bundle of entries: those from `256 * index` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bundle {
    index: u64,
    /// From 1 to 256.
    width: u16,
}

impl Bundle {
    /// Names a bundle; nothing where there is no such one.
    pub fn new(index: u64, width: u64) -> Option<Self> {
        let fits = (1..=TILE_WIDTH).contains(&width) && index < 1 << 56;
        fits.then_some(Self { index, width: u16::try_from(width).ok()? })
    }

    /// Returns the bundle that has entry `number` in a log of `size` entries; nothing where there is no such entry.
    pub fn with(number: u64, size: u64) -> Option<Self> {
        let index = number / TILE_WIDTH;
        if number >= size {
            return None;
        }
        Self::new(index, (size - index * TILE_WIDTH).min(TILE_WIDTH))
    }

    /// Returns its place.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Returns how many entries it has.
    pub fn width(self) -> u64 {
        self.width.into()
    }

    /// Tells whether it has all its entries.
    pub fn is_full(self) -> bool {
        self.width() == TILE_WIDTH
    }

    /// Returns the full bundle in the same place: what to ask for where a partial one is there no more.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: 256, ..self }
    }

    /// Returns the number of its first entry, from 0.
    pub fn first(self) -> u64 {
        self.index * TILE_WIDTH
    }

    /// Returns the path below `tlog/`, e.g. `tile/entries/x001/067.p/8`.
    pub fn path(self) -> String {
        format!("tile/entries/{}", Place { index: self.index, width: self.width })
    }

    /// Writes entries as the file of a bundle.
    ///
    /// # Errors
    /// When an entry is longer than 65,535 bytes.
    pub fn encode<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Result<Vec<u8>, TlogError> {
        let mut bytes = Vec::new();
        for entry in entries {
            let length = u16::try_from(entry.len())
                .map_err(|_| TlogError::Malformed { what: "entry", why: "it has more than 65,535 bytes" })?;
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(entry);
        }
        Ok(bytes)
    }

    /// Reads the entries from the file of this bundle, or of the full one in its place.
    ///
    /// # Errors
    /// When it is cut short or has too few or too many entries.
    pub fn decode(self, bytes: &[u8]) -> Result<Vec<&[u8]>, TlogError> {
        let refused = |why| TlogError::Malformed { what: "bundle of entries", why };
        let mut entries = Vec::new();
        let mut rest = bytes;
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let (entry, after) = after.split_at_checked(length).ok_or_else(|| refused("it is cut short"))?;
            entries.push(entry);
            rest = after;
        }
        let complete = entries.len() == usize::from(self.width) || entries.len() as u64 == TILE_WIDTH;
        if !rest.is_empty() || !complete {
            return Err(refused("it has not the entries that its name says"));
        }
        entries.truncate(self.width.into());
        Ok(entries)
    }

    /// The longest file of a bundle, in bytes.
    pub const MAX_BYTES: usize = 256 * (ENTRY_BYTES + 2);
}
