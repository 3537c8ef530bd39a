//! Finds equal files: of those with one content and mode the first has it in the payload, and the others are links to it.
//!
//! Comes after the tree is in order, before frames are cut (`cut`), since a link has no content there. Only files of one size and mode are
//! read for that, and read twice then.

use std::collections::HashMap;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::pack::PackError;
use crate::digest::Digest;
use crate::index::{Entry, EntryPath, Mode};

/// The smallest file that is worth a link, in bytes. A smaller one costs about as much as the link, and whatever became of the first
/// file would change the frames of the others.
const LEAST: u64 = 1024;

/// Makes links of files that equal an earlier one. Their digests are then known; those of others are still to come.
pub(super) fn link_equal_files<R: Read>(
    entries: &mut [Entry],
    open: &(impl Fn(&EntryPath) -> io::Result<R> + Sync),
    threads: NonZeroUsize,
) -> Result<(), PackError> {
    let candidates = candidates(entries);
    let digests = digests(entries, &candidates, open, threads)?;
    let mut first: HashMap<(Digest, u32), usize> = HashMap::new();
    for (&place, digest) in candidates.iter().zip(digests) {
        let Entry::File { mode, .. } = &entries[place] else { continue };
        let earlier = *first.entry((digest, mode.bits())).or_insert(place);
        let target = entries[earlier].path().clone();
        if let Entry::File { sha256, link, .. } = &mut entries[place] {
            *sha256 = digest;
            *link = (earlier != place).then_some(target);
        }
    }
    Ok(())
}

/// Returns the places of files that have size and mode in common with another one, in their order.
fn candidates(entries: &[Entry]) -> Vec<usize> {
    let key = |entry: &Entry| match entry {
        Entry::File { mode, size, .. } if *size >= LEAST => Some((*mode, *size)),
        _ => None,
    };
    let mut counts: HashMap<(Mode, u64), usize> = HashMap::new();
    for key in entries.iter().filter_map(key) {
        *counts.entry(key).or_default() += 1;
    }
    let is_shared = |entry: &Entry| key(entry).is_some_and(|key| counts[&key] > 1);
    entries.iter().enumerate().filter(|(_, entry)| is_shared(entry)).map(|(place, _)| place).collect()
}

/// Computes the digests of the files at `places`, side by side.
fn digests<R: Read>(
    entries: &[Entry],
    places: &[usize],
    open: &(impl Fn(&EntryPath) -> io::Result<R> + Sync),
    threads: NonZeroUsize,
) -> Result<Vec<Digest>, PackError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(&place) = places.get(number) else { return Ok(found) };
            let path = entries[place].path();
            let digest = open(path).and_then(Digest::of_reader);
            let digest = digest.map_err(|source| PackError::ReadFile { path: path.clone(), source })?;
            found.push((number, digest));
        }
    };
    let mut all: Vec<(usize, Digest)> = thread::scope(|scope| {
        let others: Vec<_> = (0..threads.get().min(places.len())).map(|_| scope.spawn(work)).collect();
        let join = |other: thread::ScopedJoinHandle<'_, Result<Vec<(usize, Digest)>, PackError>>| {
            other.join().unwrap_or_else(|bug| panic::resume_unwind(bug))
        };
        others.into_iter().map(join).collect::<Result<Vec<_>, _>>()
    })?
    .concat();
    all.sort_unstable_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, digest)| digest).collect())
}
