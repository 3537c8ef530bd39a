//! Chooses what each step of a patch refers to and holds, from the two indexes alone.
//!
//! Files whose content the old package has need no step. A small file is put into one step with its neighbours, a large one is
//! cut into windows; each refers to the old file that it most likely came from: the one with the same path, else one with the same path but
//! for numbers and digests in it, else one with the same name.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::steps::Part;
use crate::digest::Digest;
use crate::index::{Entry, Index};
use crate::limits::{PATCH_FROM_BYTES, PATCH_TO_BYTES};

/// What one step will be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) from: Vec<Part>,
    pub(super) to: Vec<Part>,
    from_bytes: u64,
    to_bytes: u64,
}

impl Draft {
    fn has_room(&self, from: u64, to: u64) -> bool {
        self.from_bytes + from <= PATCH_FROM_BYTES && self.to_bytes + to <= PATCH_TO_BYTES
    }

    fn add(&mut self, from: Option<Part>, to: Part) {
        // A file that two new ones came from is there once.
        if let Some(part) = from.filter(|part| !self.from.contains(part)) {
            self.from_bytes += part.length;
            self.from.push(part);
        }
        self.to_bytes += to.length;
        self.to.push(to);
    }
}

/// Returns the steps from `old` to `new`.
pub(super) fn choose(old: &Index, new: &Index) -> Vec<Draft> {
    let there: HashSet<Digest> = old.entries().iter().filter_map(|entry| file(entry).map(|f| f.1)).collect();
    let relatives = Relatives::of(old);
    let mut drafts = Vec::new();
    let mut draft = Draft::default();
    for (number, entry) in (0_u32..).zip(new.entries()) {
        // Another name of a file that is made, or is there.
        if entry.link().is_some() {
            continue;
        }
        let Some((size, digest)) = file(entry) else { continue };
        if size == 0 || there.contains(&digest) {
            continue;
        }
        let relative = relatives.find(entry.path().as_str());
        let windows = windows(number, size, relative);
        let is_large = windows.len() > 1;
        for (from, to) in windows {
            if is_large || !draft.has_room(from.map_or(0, |part| part.length), to.length) {
                drafts.push(std::mem::take(&mut draft));
            }
            draft.add(from, to);
        }
        if is_large {
            drafts.push(std::mem::take(&mut draft));
        }
    }
    drafts.push(draft);
    drafts.retain(|draft| !draft.to.is_empty());
    drafts
}

fn file(entry: &Entry) -> Option<(u64, Digest)> {
    match entry {
        Entry::File { size, sha256, .. } => Some((*size, *sha256)),
        Entry::Directory { .. } | Entry::Symlink { .. } => None,
    }
}

/// Cuts a file into parts that fit a step, each with the part of its relative around the same place.
fn windows(number: u32, size: u64, relative: Option<(u32, u64)>) -> Vec<(Option<Part>, Part)> {
    let count = size.div_ceil(PATCH_TO_BYTES);
    let window = |at: u64| {
        let offset = at * PATCH_TO_BYTES;
        let to = Part { entry: number, offset, length: PATCH_TO_BYTES.min(size - offset) };
        let from = relative.map(|(entry, old)| {
            let range = around(offset..offset + to.length, size, old);
            Part { entry, offset: range.start, length: range.end - range.start }
        });
        (from, to)
    };
    (0..count).map(window).collect()
}

/// Returns the part of an old file of `old` bytes that lies where `part` lies in the new one of `new` bytes.
fn around(part: Range<u64>, new: u64, old: u64) -> Range<u64> {
    let length = PATCH_FROM_BYTES.min(old);
    let middle = u128::from(part.start + part.end) / 2 * u128::from(old) / u128::from(new.max(1));
    let middle = u64::try_from(middle).unwrap_or(old);
    let start = middle.saturating_sub(length / 2).min(old - length);
    start..start + length
}

/// The files of the old package by what they are called.
struct Relatives<'i> {
    paths: HashMap<&'i str, (u32, u64)>,
    patterns: HashMap<String, (u32, u64)>,
    names: HashMap<String, (u32, u64)>,
}

impl<'i> Relatives<'i> {
    fn of(old: &'i Index) -> Self {
        let mut relatives = Self { paths: HashMap::new(), patterns: HashMap::new(), names: HashMap::new() };
        for (number, entry) in (0_u32..).zip(old.entries()) {
            let Some((size, _)) = file(entry).filter(|(size, _)| *size > 0) else { continue };
            let path = entry.path().as_str();
            relatives.paths.insert(path, (number, size));
            relatives.patterns.entry(pattern(path)).or_insert((number, size));
            relatives.names.entry(pattern(last_two(path))).or_insert((number, size));
        }
        relatives
    }

    fn find(&self, path: &str) -> Option<(u32, u64)> {
        let paths = self.paths.get(path);
        let patterns = || self.patterns.get(&pattern(path));
        let names = || self.names.get(&pattern(last_two(path)));
        paths.or_else(patterns).or_else(names).copied()
    }
}

/// Returns the last two components of a path: a name alone says little of an `__init__.py`.
fn last_two(path: &str) -> &str {
    match path.rmatch_indices('/').nth(1) {
        Some((at, _)) => &path[at + 1..],
        None => path,
    }
}

/// Replaces each run of hexadecimal digits that has a decimal one among them: versions and digests change from one
/// version to the next, and nothing else of a path does.
fn pattern(path: &str) -> String {
    let mut found = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | 'a'..='f')).unwrap_or(rest.len());
        if end == 0 {
            found.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let run = &rest[..end];
        found.push_str(if run.contains(|c: char| c.is_ascii_digit()) { "#" } else { run });
        rest = &rest[end..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_digests_in_a_path_do_not_count() {
        for (old, new) in [
            ("scipy-1.14.0.dist-info/RECORD", "scipy-1.14.1.dist-info/RECORD"),
            ("lib/libblas-c128ec02.so", "lib/libblas-6a2b1f.so"),
            ("static/main.81fae6.js", "static/main.0123cd.js"),
        ] {
            assert_eq!(pattern(old), pattern(new));
        }
        assert_ne!(pattern("face/decade"), pattern("face/facade"));
    }

    #[test]
    fn the_window_of_a_large_file_is_where_it_was_before() {
        let (mib, from) = (1 << 20, PATCH_FROM_BYTES);
        assert_eq!(around(0..4 * mib, 40 * mib, 40 * mib), 0..from);
        assert_eq!(around(36 * mib..40 * mib, 40 * mib, 40 * mib), 40 * mib - from..40 * mib);
        assert_eq!(around(16 * mib..20 * mib, 40 * mib, 20 * mib), 5 * mib..5 * mib + from);
        assert_eq!(around(0..mib, mib, 5), 0..5);
    }
}
