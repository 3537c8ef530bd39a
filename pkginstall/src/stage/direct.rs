//! Unpacks runs side by side, each thread fetching what it unpacks.
//!
//! For a payload of which any part can be had: a file, or a server with ranges. Each thread takes the next batch of runs and
//! reads, checks, decompresses and writes it, frame by frame. Memory: one frame, compressed and not, for each thread.

use std::collections::HashSet;
use std::io::{self, Read as _};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use copkg_spec::archive::{ContainerError, RunUnpacker, UnpackError, end_length, read_end, read_frame};
use copkg_spec::index::{EntryPath, Index, Piece};

use super::cache::FrameCache;
use super::donors::Part;
use super::early::Half;
use super::parallel::Failed;
use super::payload::{Payload, Watched};
use super::plan::{Batch, Known, Plan};
use super::take::Taker;
use super::writer::{FileWriter, Purpose};
use crate::fetch::{Parts, Stream};
use crate::tree::TreeError;

/// What the threads share.
pub(super) struct Job<'j, 'p> {
    pub(super) index: &'j Index,
    pub(super) plan: &'j Plan,
    pub(super) payload: &'j Payload<'p>,
    /// The runs whose files are there already: their frames are only checked.
    pub(super) checked: &'j HashSet<usize>,
    /// The files that are there already.
    pub(super) linked: &'j HashSet<&'j EntryPath>,
    /// Where frames that are fetched are kept.
    pub(super) cache: Option<&'j FrameCache>,
    pub(super) half: &'j Half,
}

/// Unpacks `runs`, and checks what follows the payload, with as many threads, each of which has a writer and a taker of its own.
pub(super) fn unpack<'d>(
    job: &Job<'_, '_>,
    runs: &[usize],
    threads: NonZeroUsize,
    hands: impl Fn() -> (FileWriter<'d>, Taker<'d>) + Sync,
) -> Result<(), Failed> {
    while let Err(error) = check_length(job) {
        if !job.payload.give_up(job.payload.number(), &error) {
            return Err(Failed::Unpack(error));
        }
    }
    let mut batches = job.plan.batches(runs, job.index, job.payload.parts());
    // The largest first, so that no thread is left alone with it at the end.
    batches.sort_by_key(|batch| std::cmp::Reverse(batch.work));
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let work = || {
        let result = work(job, &batches, &next, hands());
        if let Err(error) = result {
            // Nobody begins another batch.
            next.store(usize::MAX / 2, Ordering::Relaxed);
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    };
    thread::scope(|scope| {
        let count = threads.get().min(batches.len());
        let handles: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        for handle in handles {
            handle.join().unwrap_or_else(|bug| panic::resume_unwind(bug));
        }
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Checks that nothing follows the payload but the end of the file, which is read here only where the length is another one.
fn check_length(job: &Job<'_, '_>) -> Result<(), UnpackError<TreeError>> {
    let payload = job.index.payload_length();
    let expected = payload + end_length(job.index);
    let error = match job.payload.length() {
        None => return Ok(()),
        Some(found) if found == expected => return Ok(()),
        Some(found) if found < payload => ContainerError::Truncated { name: "payload.tar.zst" },
        Some(_) => {
            let end = job.payload.open(payload..u64::MAX).map_err(ContainerError::Read);
            let end = end.and_then(|(_, mut end)| read_end(job.index, &mut end));
            end.err().unwrap_or(ContainerError::AfterEnd)
        }
    };
    Err(UnpackError::Container(error))
}

fn work(
    job: &Job<'_, '_>,
    batches: &[Batch],
    next: &AtomicUsize,
    (writer, taker): (FileWriter<'_>, Taker<'_>),
) -> Result<(), Failed> {
    let unpacker = RunUnpacker::new(job.index).map_err(Failed::Memory)?;
    let mut worker = Worker { job, unpacker, writer, taker, compressed: Vec::new(), raw: Vec::new() };
    while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
        worker.batch(batch)?;
        job.half.did(batch.work);
    }
    Ok(())
}

struct Worker<'w, 'p> {
    job: &'w Job<'w, 'p>,
    unpacker: RunUnpacker<'w>,
    writer: FileWriter<'w>,
    taker: Taker<'w>,
    compressed: Vec<u8>,
    raw: Vec<u8>,
}

/// Whether the donors of a run gave what they should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// One did not: all of the run has to be fetched.
    NoDonor,
}

impl Worker<'_, '_> {
    fn batch(&mut self, batch: &Batch) -> Result<(), Failed> {
        let mut source = Source { payload: self.job.payload, spans: &batch.spans, open: None };
        for &run in &batch.runs {
            match self.run(run, &mut source) {
                // Only the digest of the whole file tells that a part of it is another one.
                Ok(Outcome::NoDonor) | Err(Failed::Unpack(UnpackError::Refused(_)))
                    if self.has_known(run) =>
                {
                    source.open = None;
                    self.again(run)?;
                }
                done => _ = done?,
            }
        }
        Ok(())
    }

    fn has_known(&self, run: usize) -> bool {
        self.job.plan.runs[run].frames().any(|frame| self.job.plan.known.contains_key(&frame))
    }

    /// Unpacks a run from its frames and from what donors have.
    fn run(&mut self, run: usize, source: &mut Source<'_, '_>) -> Result<Outcome, Failed> {
        let Job { plan, payload, checked, .. } = self.job;
        self.writer.begin(if checked.contains(&run) { Purpose::Check } else { Purpose::Write });
        self.unpacker.begin(&plan.runs[run]);
        // What lies here is read as a whole.
        let known = |number| plan.known.get(&number).filter(|_| payload.parts() != Parts::Here);
        for number in plan.runs[run].frames() {
            let found = match known(number) {
                None => self.frame(number, source).map(Some)?,
                Some(Known::Cached) => self.cached(number)?,
                Some(Known::Made { piece, part }) => self.made(piece, part.as_ref())?,
            };
            if found.is_none() {
                return Ok(Outcome::NoDonor);
            }
        }
        Ok(Outcome::Done)
    }

    /// Unpacks a frame that the cache has; `None` where it has it no more.
    fn cached(&mut self, number: usize) -> Result<Option<()>, Failed> {
        let frame = &self.job.index.frames()[number];
        let read = self.job.cache.and_then(|cache| cache.read(frame, &mut self.compressed));
        read.map(|()| Ok(self.unpacker.push(number, &self.compressed, &mut self.writer)?)).transpose()
    }

    /// Unpacks a run from its frames alone.
    fn again(&mut self, run: usize) -> Result<(), Failed> {
        let Job { index, plan, payload, linked, .. } = self.job;
        self.writer.abandon();
        self.taker.undo(&index.entries()[plan.runs[run].entries()], linked)?;
        self.unpacker.begin(&plan.runs[run]);
        let spans = [plan.whole(run, index)];
        let mut source = Source { payload, spans: &spans, open: None };
        plan.runs[run].frames().try_for_each(|number| self.frame(number, &mut source))
    }

    /// Unpacks a frame, from one copy after the other until it is right: nothing of a damaged one is ever written.
    fn frame(&mut self, number: usize, source: &mut Source<'_, '_>) -> Result<(), Failed> {
        loop {
            match self.frame_of_copy(number, source) {
                Err(Failed::Unpack(error)) if is_of_copy(&error) && source.give_up(&error) => {}
                done => return done,
            }
        }
    }

    fn frame_of_copy(&mut self, number: usize, source: &mut Source<'_, '_>) -> Result<(), Failed> {
        let Job { index, plan, .. } = self.job;
        let frame = &index.frames()[number];
        let reader = source.at(plan.offsets[number], frame.length).map_err(ContainerError::Read);
        let reader = reader.map_err(UnpackError::Container)?;
        read_frame(reader, frame, &mut self.compressed).map_err(UnpackError::Container)?;
        if number + 1 == plan.offsets.len() {
            read_end(index, reader).map_err(UnpackError::Container)?;
        }
        self.unpacker.push(number, &self.compressed, &mut self.writer)?;
        if let Some(cache) = self.job.cache {
            cache.keep(frame, &self.compressed);
        }
        Ok(())
    }

    /// Makes what a frame holds, without the frame, and writes it; `None` where the donor does not have it.
    fn made(&mut self, piece: &Piece, part: Option<&Part>) -> Result<Option<()>, Failed> {
        if self.fill(piece, part).is_none() {
            return Ok(None);
        }
        Ok(Some(self.unpacker.push_known(&self.raw, &mut self.writer)?))
    }

    fn fill(&mut self, piece: &Piece, part: Option<&Part>) -> Option<()> {
        self.raw.clear();
        self.raw.extend_from_slice(&piece.header);
        let start = self.raw.len();
        let content = usize::try_from(piece.content.end - piece.content.start).ok()?;
        self.raw.resize(start + content, 0);
        if let Some(part) = part {
            self.taker.part(part, &mut self.raw[start..])?;
        }
        self.raw.resize(start + content + usize::try_from(piece.zeros).ok()?, 0);
        Some(())
    }
}

/// Tells whether another copy could do better.
pub(super) fn is_of_copy(error: &UnpackError<TreeError>) -> bool {
    matches!(error, UnpackError::Container(_) | UnpackError::Frame { .. })
}

/// The parts of a payload that a batch needs, each opened when its first frame is.
struct Source<'s, 'p> {
    payload: &'s Payload<'p>,
    spans: &'s [Range<u64>],
    open: Option<Open<'s, 'p>>,
}

struct Open<'s, 'p> {
    /// Of which copy.
    copy: usize,
    reader: Watched<'s, Stream<'p>>,
    at: u64,
    end: u64,
}

impl<'s, 'p> Source<'s, 'p> {
    /// Returns a reader that stands at `offset`, from which `length` bytes are read next.
    fn at(&mut self, offset: u64, length: u64) -> io::Result<&mut Watched<'s, Stream<'p>>> {
        let open = match self.open.take() {
            Some(mut open) if (open.at..open.end).contains(&offset) => {
                // What lies between is less than another request would cost.
                io::copy(&mut open.reader.by_ref().take(offset - open.at), &mut io::sink())?;
                open
            }
            _ => {
                let end =
                    self.spans.iter().find(|span| span.contains(&offset)).map_or(u64::MAX, |span| span.end);
                let (copy, reader) = self.payload.open(offset..end)?;
                Open { copy, reader, at: offset, end }
            }
        };
        let open = self.open.insert(open);
        open.at = offset + length;
        Ok(&mut open.reader)
    }

    /// Gives up the copy that is read; tells whether there is another one.
    fn give_up(&mut self, why: &UnpackError<TreeError>) -> bool {
        let copy = self.open.take().map_or_else(|| self.payload.number(), |open| open.copy);
        self.payload.give_up(copy, why)
    }
}
