//! Which part of a snapshot is placed: all of it, or one directory or file.

use copkg_spec::snapshot::{ByteText, EntryName};

/// The names that lead to the part, from the root; none for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope(Vec<Vec<u8>>);

impl Scope {
    /// Takes a path.
    pub fn of(path: &[u8]) -> Self {
        Self(path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
    }

    /// Tells whether it is the whole snapshot.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the path, as it is written down.
    pub fn text(&self) -> ByteText {
        ByteText::new([b"/", self.0.join(&b'/').as_slice()].concat())
    }

    /// Returns the scope below the entry `name`; `None` where the entry is out of it.
    pub(super) fn below(&self, name: &EntryName) -> Option<Self> {
        match self.0.split_first() {
            None => Some(Self::default()),
            Some((first, rest)) => (first == name.as_bytes()).then(|| Self(rest.to_vec())),
        }
    }
}
