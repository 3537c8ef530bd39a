//! Where the next page of a search begins: behind the last row that was shown, also when rows came or went meanwhile.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::row::Row;

/// What stands between the rank and the name.
const BETWEEN: char = '~';

/// The rank and the name of the last row of a page. For a client it is a word without a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    rank: u16,
    name: String,
}

/// The text is not a cursor that this server gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it is not a cursor of this server; begin with the first page")]
pub struct CursorError;

impl Cursor {
    pub(super) fn behind(rank: u16, row: &Row) -> Self {
        Self { rank, name: row.name().to_owned() }
    }

    pub(super) fn is_before(&self, rank: u16, row: &Row) -> bool {
        (self.rank, self.name.as_str()) < (rank, row.name())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{BETWEEN}{}", self.rank, self.name)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (rank, name) = text.split_once(BETWEEN).ok_or(CursorError)?;
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._:-".contains(&b);
        if !name.bytes().all(fits) {
            return Err(CursorError);
        }
        Ok(Self { rank: rank.parse().map_err(|_| CursorError)?, name: name.to_owned() })
    }
}
