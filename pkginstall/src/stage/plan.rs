//! The plan: what of a package is taken from donors and what is fetched, and in which requests.
//!
//! Comes after the index is verified and the donors are found, before anything is written. A run (entries and the frames that
//! hold them) is either taken, file by file, or unpacked from its frames; of a large file, frames whose content a donor has
//! are not fetched.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};

use copkg_spec::archive::{Probe, end_length};
use copkg_spec::index::{Entry, Index, Piece, Run};
use serde::Serialize;

use super::donors::{Donors, Part};
use crate::fetch::Parts;

/// Frames that are less apart than this are fetched in one request: it costs about as much as the bytes between.
const GAP: u64 = 16 << 10;
/// How many batches there are at least, where each is large enough: several for each thread, so that all end at the same time.
const BATCHES: u64 = 32;
/// How large a batch is, at least and at most, unless one run is larger: in bytes of a request, or of work.
const BATCH: RangeInclusive<u64> = 1 << 20..=8 << 20;
/// What it takes to make an entry, as if it were bytes to decompress and to write: creating files is the cost of small ones.
const ENTRY: u64 = 32 << 10;

/// Where a frame comes from that is not fetched.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// What it holds is made.
    Made {
        piece: Piece,
        /// The donor of the content, if there is any.
        part: Option<Part>,
    },
    /// The frame cache has it.
    Cached,
}

/// What is done to install a package.
#[derive(Debug)]
pub struct Plan {
    pub(super) runs: Vec<Run>,
    /// The runs whose files are all taken.
    pub(super) taken: Vec<usize>,
    /// The runs that are unpacked, in the order of the payload.
    pub(super) unpacked: Vec<usize>,
    /// The frames that are not fetched though their run is unpacked.
    pub(super) known: HashMap<usize, Known>,
    /// Where each frame begins in the payload.
    pub(super) offsets: Vec<u64>,
    summary: Summary,
}

/// What a plan comes to, for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Bytes that are fetched of the payload.
    pub fetch_bytes: u64,
    /// Bytes of the whole payload.
    pub payload_bytes: u64,
    /// How many requests fetch them.
    pub requests: usize,
    /// Files that are taken from another installed version.
    pub reused_files: usize,
    /// Their bytes, and those of parts of large files.
    pub reused_bytes: u64,
    /// Bytes of frames that the frame cache has.
    pub cached_bytes: u64,
}

impl Plan {
    /// Decides for each run of `index`.
    pub fn new(index: &Index, donors: &Donors) -> Self {
        let offsets = index.frames().iter().scan(0, |next, frame| {
            let offset = *next;
            *next += frame.length;
            Some(offset)
        });
        let mut plan = Self {
            offsets: offsets.collect(),
            runs: index.runs(),
            taken: Vec::new(),
            unpacked: Vec::new(),
            known: HashMap::new(),
            summary: Summary { payload_bytes: index.payload_length(), ..Summary::default() },
        };
        for number in 0..plan.runs.len() {
            plan.decide(number, index, donors);
        }
        for batch in plan.batches(&plan.unpacked, index, Parts::Ranges) {
            plan.summary.requests += batch.spans.len();
            plan.summary.fetch_bytes += batch.bytes();
        }
        plan
    }

    /// Returns what it comes to.
    pub fn summary(&self) -> Summary {
        self.summary
    }

    fn decide(&mut self, number: usize, index: &Index, donors: &Donors) {
        let run = &self.runs[number];
        let files = index.entries()[run.entries()].iter().filter_map(|entry| match entry {
            Entry::File { sha256, size, link: None, .. } => Some((sha256, *size)),
            Entry::File { .. } | Entry::Directory { .. } | Entry::Symlink { .. } => None,
        });
        // A run without files is read too: what it says of links and directories must agree with the index.
        let has_files = files.clone().next().is_some();
        if has_files && files.clone().all(|(sha256, _)| donors.files.contains_key(sha256)) {
            self.summary.reused_files += files.clone().count();
            self.summary.reused_bytes += files.map(|(_, size)| size).sum::<u64>();
            self.taken.push(number);
            return;
        }
        let pieces = index.alone(run).map(|alone| alone.pieces).unwrap_or_default();
        let (plain, filled): (Vec<Piece>, Vec<Piece>) =
            pieces.into_iter().partition(|piece| piece.content.is_empty());
        for piece in filled {
            let part = donors.parts.get(&index.frames()[piece.frame].sha256).cloned();
            if let Some(part) = part.filter(|_| piece.header.is_empty()) {
                self.summary.reused_bytes += piece.content.end - piece.content.start;
                self.known.insert(piece.frame, Known::Made { piece, part: Some(part) });
            }
        }
        // A frame without content costs next to nothing beside others that are fetched. Alone it would cost a request of its own,
        // so it is left out where it is proven to hold what it must; it is never presumed to.
        let has_known = plain.iter().any(|piece| self.known.contains_key(&(piece.frame + 1)));
        if let Some(mut probe) = has_known.then(Probe::new).and_then(Result::ok) {
            for piece in plain {
                let raw = piece.without_content();
                if probe.proves(&index.frames()[piece.frame], &raw) {
                    self.known.insert(piece.frame, Known::Made { piece, part: None });
                }
            }
        }
        for number in run.frames() {
            let frame = &index.frames()[number];
            if donors.cached.contains(&frame.sha256) && !self.known.contains_key(&number) {
                self.summary.cached_bytes += frame.length;
                self.known.insert(number, Known::Cached);
            }
        }
        self.unpacked.push(number);
    }

    /// Puts runs together that one thread unpacks one after the other: of about equal work where they are here, else of about equal
    /// requests.
    pub(super) fn batches(&self, runs: &[usize], index: &Index, parts: Parts) -> Vec<Batch> {
        let alone: Vec<Batch> = runs.iter().map(|&run| self.batch(run, index)).collect();
        let weight =
            |batch: &Batch| if parts == Parts::Here { batch.work } else { batch.bytes() + batch.cached };
        let enough = alone.iter().map(weight).sum::<u64>() / BATCHES;
        let enough = enough.clamp(*BATCH.start(), *BATCH.end());
        let mut batches: Vec<Batch> = Vec::new();
        for next in alone {
            match batches.last_mut() {
                Some(batch) if weight(batch) < enough && batch.joins(&next) => batch.add(next),
                _ => batches.push(next),
            }
        }
        batches
    }

    /// Returns what it takes to make the entries of a run, as bytes.
    pub(super) fn work(&self, run: usize, index: &Index) -> u64 {
        let (entries, frames) = (self.runs[run].entries(), self.runs[run].frames());
        let bytes: u64 = index.frames()[frames].iter().map(|frame| frame.size).sum();
        bytes + ENTRY * entries.len() as u64
    }

    fn batch(&self, run: usize, index: &Index) -> Batch {
        let is_cached = |frame: &usize| matches!(self.known.get(frame), Some(Known::Cached));
        let cached =
            self.runs[run].frames().filter(is_cached).map(|frame| index.frames()[frame].length).sum();
        Batch { runs: vec![run], spans: self.spans(run, index), cached, work: self.work(run, index) }
    }

    /// Returns the part of the payload that holds a run; of the last one, up to the end of the file.
    pub(super) fn whole(&self, run: usize, index: &Index) -> Range<u64> {
        let frames = self.runs[run].frames();
        let length: u64 = index.frames()[frames.clone()].iter().map(|frame| frame.length).sum();
        let is_last = frames.end == self.offsets.len();
        let start = self.offsets[frames.start];
        start..start + length + if is_last { end_length(index) } else { 0 }
    }

    /// Returns the parts of the payload that a run needs; of the last frame, up to the end of the file.
    fn spans(&self, run: usize, index: &Index) -> Vec<Range<u64>> {
        let mut spans: Vec<Range<u64>> = Vec::new();
        for frame in self.runs[run].frames().filter(|frame| !self.known.contains_key(frame)) {
            let start = self.offsets[frame];
            let is_last = frame + 1 == self.offsets.len();
            let end = start + index.frames()[frame].length + if is_last { end_length(index) } else { 0 };
            match spans.last_mut() {
                Some(span) if start - span.end <= GAP => span.end = end,
                _ => spans.push(start..end),
            }
        }
        spans
    }
}

/// Runs that one thread unpacks, and the parts of the payload that it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) runs: Vec<usize>,
    pub(super) spans: Vec<Range<u64>>,
    /// Bytes of frames that the frame cache has.
    cached: u64,
    /// What it takes to unpack them, as bytes.
    pub(super) work: u64,
}

impl Batch {
    fn bytes(&self) -> u64 {
        self.spans.iter().map(|span| span.end - span.start).sum()
    }

    /// Tells whether `next` goes on where this batch ends.
    fn joins(&self, next: &Self) -> bool {
        match (self.spans.last(), next.spans.first()) {
            (Some(last), Some(first)) => first.start - last.end <= GAP,
            _ => true,
        }
    }

    fn add(&mut self, next: Self) {
        self.runs.extend(next.runs);
        self.cached += next.cached;
        self.work += next.work;
        for span in next.spans {
            match self.spans.last_mut() {
                Some(last) if span.start - last.end <= GAP => last.end = span.end,
                _ => self.spans.push(span),
            }
        }
    }
}
