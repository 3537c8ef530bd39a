//! How the files of a version differ from those of the one before.

use std::cmp::Ordering;

use copkg_spec::coordinate::Version;
use copkg_spec::index::Entry;

use crate::pages::text::{counted, line, number, size};

/// How many differences a page lists.
const LISTED: usize = 200;

/// What changed from one version to the next.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) before: String,
    pub(super) summary: String,
    pub(super) shown: String,
    pub(super) rows: Vec<ChangedFile>,
}

/// One entry that is not the same.
#[derive(Debug)]
pub(super) struct ChangedFile {
    pub(super) word: &'static str,
    pub(super) tone: &'static str,
    pub(super) path: String,
    pub(super) size: String,
}

#[derive(Default)]
struct Counts {
    added: usize,
    removed: usize,
    changed: usize,
    same: usize,
}

impl Difference {
    /// Compares two lists of entries, both in the order of their paths.
    pub(super) fn between(before: &Version, old: &[Entry], new: &[Entry]) -> Self {
        let mut counts = Counts::default();
        let mut rows = Vec::new();
        for (old, new) in (Pairs { old, new }) {
            let row = match (old, new) {
                (None, Some(new)) => {
                    counts.added += 1;
                    ChangedFile::new("added", "add", new, bytes(new).map(size).unwrap_or_default())
                }
                (Some(old), None) => {
                    counts.removed += 1;
                    ChangedFile::new("removed", "del", old, bytes(old).map(size).unwrap_or_default())
                }
                (Some(old), Some(new)) if old != new => {
                    counts.changed += 1;
                    ChangedFile::new("changed", "", new, sizes(old, new))
                }
                _ => {
                    counts.same += 1;
                    continue;
                }
            };
            if rows.len() < LISTED {
                rows.push(row);
            }
        }
        let total = counts.added + counts.removed + counts.changed;
        let shown = if rows.len() < total {
            format!(
                "The first {} of {}",
                number(rows.len() as u64),
                counted(total, "difference", "differences")
            )
        } else {
            counted(total, "difference", "differences")
        };
        Self { before: before.to_string(), summary: counts.words(), shown, rows }
    }
}

impl Counts {
    fn words(&self) -> String {
        let Self { added, removed, changed, same } = self;
        let number = |count: &usize| number(*count as u64);
        format!(
            "{} added, {} removed, {} changed, {} the same.",
            number(added),
            number(removed),
            number(changed),
            number(same)
        )
    }
}

impl ChangedFile {
    fn new(word: &'static str, tone: &'static str, entry: &Entry, size: String) -> Self {
        Self { word, tone, path: line(entry.path().as_str()), size }
    }
}

fn bytes(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::File { size, .. } => Some(*size),
        _ => None,
    }
}

fn sizes(old: &Entry, new: &Entry) -> String {
    match (bytes(old), bytes(new)) {
        (Some(old), Some(new)) if old != new => format!("{} → {}", size(old), size(new)),
        (_, new) => new.map(size).unwrap_or_default(),
    }
}

/// Walks two sorted lists side by side.
struct Pairs<'a> {
    old: &'a [Entry],
    new: &'a [Entry],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Option<&'a Entry>, Option<&'a Entry>);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.old.first(), self.new.first()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.path().cmp(new.path()),
        };
        let old = if order == Ordering::Greater { None } else { take(&mut self.old) };
        let new = if order == Ordering::Less { None } else { take(&mut self.new) };
        Some((old, new))
    }
}

fn take<'a>(entries: &mut &'a [Entry]) -> Option<&'a Entry> {
    let (first, rest) = entries.split_first()?;
    *entries = rest;
    Some(first)
}
