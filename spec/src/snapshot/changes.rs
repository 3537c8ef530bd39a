//! Which objects a snapshot needs that the one before did not, and which it needs no more: what a receiver prunes by, who knows no key.
//!
//! Text, one object a line: `+frames/ab/abcd…` or `-trees/…`, sorted; `=` on the first line where the list is whole and not a change.
//! A change belongs to the list before, and its digest is in the signed document.

use std::collections::BTreeSet;

use super::{ObjectId, SnapshotFormatError};

/// A line of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The object is needed.
    Added(ObjectId),
    /// The object is needed no more.
    Dropped(ObjectId),
}

/// The list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Whether nothing of the snapshot before counts.
    pub whole: bool,
    /// The lines, sorted.
    pub lines: Vec<Change>,
}

impl Changes {
    /// Returns what makes `after` of `before`, or lists `after` where nothing is known to be there before.
    pub fn between(before: Option<&BTreeSet<ObjectId>>, after: &BTreeSet<ObjectId>) -> Self {
        let none = BTreeSet::new();
        let known = before.unwrap_or(&none);
        let added = after.difference(known).copied().map(Change::Added);
        let dropped = known.difference(after).copied().map(Change::Dropped);
        Self { whole: before.is_none(), lines: added.chain(dropped).collect() }
    }

    /// Makes of the objects of the snapshot before those of this one.
    pub fn apply(&self, objects: &mut BTreeSet<ObjectId>) {
        if self.whole {
            objects.clear();
        }
        for line in &self.lines {
            match line {
                Change::Added(id) => objects.insert(*id),
                Change::Dropped(id) => objects.remove(id),
            };
        }
    }

    /// Encodes the list.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = if self.whole { "=\n".to_owned() } else { String::new() };
        for line in &self.lines {
            let (sign, id) = match line {
                Change::Added(id) => ('+', id),
                Change::Dropped(id) => ('-', id),
            };
            text.push(sign);
            text.push_str(&id.to_string());
            text.push('\n');
        }
        text.into_bytes()
    }

    /// Decodes the list.
    ///
    /// # Errors
    /// When a line is something else.
    pub fn parse(bytes: &[u8]) -> Result<Self, SnapshotFormatError> {
        let text = std::str::from_utf8(bytes).map_err(SnapshotFormatError::shape)?;
        let (whole, text) = text.strip_prefix("=\n").map_or((false, text), |rest| (true, rest));
        let mut lines = Vec::new();
        for line in text.lines() {
            let id = |text: &str| text.parse().map_err(SnapshotFormatError::shape);
            lines.push(match line.split_at_checked(1) {
                Some(("+", rest)) => Change::Added(id(rest)?),
                Some(("-", rest)) => Change::Dropped(id(rest)?),
                _ => return Err(SnapshotFormatError::Shape(format!("a line of the list is {line:?}"))),
            });
        }
        Ok(Self { whole, lines })
    }
}
