//! Reading the index: from bytes that come in pieces to entries and frames, never more of them than memory is granted for.
//!
//! Comes after the digest of the compressed index is checked, before the archive policy. What an index takes in memory is counted entry by
//! entry while it is read, so one that has too many is refused when the limit is passed, and not when all of it is there.

use std::cell::Cell;
use std::fmt;
use std::io::Read;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Entry, Frame, IndexError};
use crate::limits::INDEX_WEIGHT;

/// What is counted for an entry beside the bytes of its path and of its target: what it takes in memory.
const ENTRY: u64 = 96;
/// What is counted for a frame.
const FRAME: u64 = 48;

/// Something that is counted.
pub(super) trait Weighed {
    fn weight(&self) -> u64;
}

impl Weighed for Entry {
    fn weight(&self) -> u64 {
        let target = match self {
            Self::Symlink { target, .. } => target.as_str().len(),
            Self::File { .. } | Self::Directory { .. } => self.link().map_or(0, |link| link.as_str().len()),
        };
        ENTRY + (self.path().as_str().len() + target) as u64
    }
}

impl Weighed for Frame {
    fn weight(&self) -> u64 {
        FRAME
    }
}

/// Returns what entries and frames take in memory, as it is counted.
pub(super) fn weight(entries: &[Entry], frames: &[Frame]) -> u64 {
    entries.iter().map(Weighed::weight).sum::<u64>() + frames.iter().map(Weighed::weight).sum::<u64>()
}

/// The entries and the frames as they are written, not checked together.
pub(super) struct RawIndex {
    pub(super) entries: Vec<Entry>,
    pub(super) frames: Vec<Frame>,
}

/// Reads an index that is in memory as a whole, which is quicker.
pub(super) fn of_text(text: &str) -> Result<RawIndex, IndexError> {
    let budget = Budget::default();
    let mut json = serde_json::Deserializer::from_str(text);
    budget.explain(budget.deserialize(&mut json).and_then(|raw| json.end().map(|()| raw)))
}

/// Reads an index that comes in pieces.
pub(super) fn of_reader(reader: impl Read) -> Result<RawIndex, IndexError> {
    let budget = Budget::default();
    let mut json = serde_json::Deserializer::from_reader(reader);
    budget.explain(budget.deserialize(&mut json).and_then(|raw| json.end().map(|()| raw)))
}

/// How much memory is left.
struct Budget {
    left: Cell<u64>,
    is_spent: Cell<bool>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: Cell::new(INDEX_WEIGHT), is_spent: Cell::new(false) }
    }
}

impl Budget {
    fn take<E: de::Error>(&self, weight: u64) -> Result<(), E> {
        let left = self.left.get().checked_sub(weight);
        self.is_spent.set(left.is_none());
        self.left.set(left.ok_or_else(|| E::custom("it takes too much memory"))?);
        Ok(())
    }

    fn explain<T>(&self, read: serde_json::Result<T>) -> Result<T, IndexError> {
        read.map_err(
            |error| if self.is_spent.get() { IndexError::TooLarge } else { IndexError::Syntax(error) },
        )
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Entries,
    Frames,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for &Budget {
    type Value = RawIndex;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<RawIndex, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &Budget {
    type Value = RawIndex;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an index")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawIndex, A::Error> {
        let (mut entries, mut frames) = (None, None);
        while let Some(member) = map.next_key()? {
            match member {
                Member::Entries if entries.is_some() => return Err(de::Error::duplicate_field("entries")),
                Member::Entries => entries = Some(map.next_value_seed(List::of(self))?),
                Member::Frames if frames.is_some() => return Err(de::Error::duplicate_field("frames")),
                Member::Frames => frames = Some(map.next_value_seed(List::of(self))?),
                Member::Unknown => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(RawIndex {
            entries: entries.ok_or_else(|| de::Error::missing_field("entries"))?,
            frames: frames.ok_or_else(|| de::Error::missing_field("frames"))?,
        })
    }
}

/// A list whose items are counted as they come.
struct List<'b, T> {
    budget: &'b Budget,
    item: PhantomData<T>,
}

impl<'b, T> List<'b, T> {
    fn of(budget: &'b Budget) -> Self {
        Self { budget, item: PhantomData }
    }
}

impl<'de, T: Deserialize<'de> + Weighed> DeserializeSeed<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<T>, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de> + Weighed> Visitor<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut items: Vec<T> = Vec::new();
        while let Some(item) = list.next_element::<T>()? {
            self.budget.take(item.weight())?;
            items.push(item);
        }
        Ok(items)
    }
}
