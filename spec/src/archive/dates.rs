//! The dates of an earlier version: a file that has not changed since then keeps its date.
//!
//! A date tells when a content came to its path, so it is another one only where the content is. What goes by dates (web servers, caches,
//! rsync) then sees what has changed; mirrors agree, whatever version they came from; and a host that has both versions needs the
//! file once, since a file has one date however many names it has.

use std::collections::HashMap;

use super::head::Contents;
use crate::digest::Digest;
use crate::index::{Entry, EntryPath};

/// What files of an earlier version were, and which dates they had.
#[derive(Debug, Clone)]
pub struct EarlierDates {
    files: HashMap<EntryPath, (Digest, u64)>,
}

impl EarlierDates {
    /// Returns the dates of the files of a package.
    pub fn of(contents: &Contents) -> Self {
        let (index, source_date) = (contents.index(), contents.manifest().source_date());
        let dated = |entry: &Entry| match entry {
            Entry::File { path, sha256, .. } => {
                Some((path.clone(), (*sha256, index.date(entry).unwrap_or(source_date))))
            }
            Entry::Directory { .. } | Entry::Symlink { .. } => None,
        };
        Self { files: index.entries().iter().filter_map(dated).collect() }
    }

    /// Dates the files of a package whose source is of `source_date`: those that have not changed get the dates that they had.
    pub(super) fn set(&self, entries: &mut [Entry], source_date: u64) {
        for entry in entries {
            if let Entry::File { path, sha256, date, link: None, .. } = entry {
                let earlier = self.files.get(path).filter(|(content, _)| content == sha256);
                *date = earlier.map(|(_, earlier)| *earlier).filter(|earlier| *earlier != source_date);
            }
        }
    }
}
