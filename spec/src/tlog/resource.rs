//! What a log serves: the checkpoint, tiles and bundles, by their paths below `tlog/`.

use std::fmt;
use std::str::FromStr;

use super::bundle::Bundle;
use super::error::TlogError;
use super::tile::{Place, Tile};

/// One file of a log. As text its path below `tlog/`, in the one way that it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The newest head, signed. The only one that changes.
    Checkpoint,
    /// Hashes.
    Tile(Tile),
    /// Entries.
    Bundle(Bundle),
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.pad("checkpoint"),
            Self::Tile(tile) => f.pad(&tile.path()),
            Self::Bundle(bundle) => f.pad(&bundle.path()),
        }
    }
}

impl FromStr for Resource {
    type Err = TlogError;

    fn from_str(text: &str) -> Result<Self, TlogError> {
        let refused = || TlogError::Malformed { what: "path of a log's file", why: "there is no such file" };
        if text == "checkpoint" {
            return Ok(Self::Checkpoint);
        }
        let (level, place) =
            text.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or_else(refused)?;
        let Place { index, width } = Place::parse(place)?;
        if level == "entries" {
            return Bundle::new(index, width.into()).map(Self::Bundle).ok_or_else(refused);
        }
        let number =
            level.parse().ok().filter(|number: &u8| number.to_string() == level).ok_or_else(refused)?;
        Tile::new(number, index, width.into()).map(Self::Tile).ok_or_else(refused)
    }
}
