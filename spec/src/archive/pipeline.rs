//! The pipeline of packing: reads, hashes, cuts and compresses on every thread at once, and writes in order.
//!
//! Each thread takes the next unit of the tree (`cut`), fills a frame (`fill`), compresses it (`press`) and hands it to the
//! output, which writes the frames in the order of the payload whoever finishes first; so the number of threads changes
//! nothing in the bytes. A large file is read by one thread at a time and compressed by all. Memory: for each thread the
//! frame that it works on, compressed and not, and a few compressed ones that wait for their turn.

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::cut::{Cutter, FrameSize, Unit};
use super::earlier::EarlierFrames;
use super::fill::{Filed, LargeFile, fill};
use super::output::{Next, Output};
use super::pack::PackError;
use super::press::Press;
use super::tar_header::END_MARKER;
use crate::digest::Digest;
use crate::index::{Entry, EntryPath, Frame};

/// How frames are made.
#[derive(Clone, Copy)]
pub(super) struct Making<'a> {
    pub(super) level: i32,
    pub(super) threads: NonZeroUsize,
    pub(super) size: FrameSize,
    pub(super) earlier: Option<&'a EarlierFrames>,
}

/// Writes the payload of `entries` to `out`, and sets the digests of the files.
pub(super) fn write_payload<R: Read + Send>(
    entries: &mut [Entry],
    open: impl Fn(&EntryPath) -> io::Result<R> + Sync,
    making: Making<'_>,
    out: impl Write + Send,
) -> Result<Vec<Frame>, PackError> {
    let line = Line { entries, open: &open, making, output: Output::new(out, making.threads) };
    let input = Mutex::new(Input { cutter: Cutter::new(entries, making.size), large: None, next: 0 });
    thread::scope(|scope| {
        let others: Vec<_> = (1..making.threads.get()).map(|_| scope.spawn(|| line.work(&input))).collect();
        line.work(&input);
        for other in others {
            other.join().unwrap_or_else(|bug| panic::resume_unwind(bug));
        }
    });
    drop(input);
    let (frames, digests) = line.output.finish()?;
    let unread = Digest::of(b"");
    for (number, digest) in digests {
        if let Some(Entry::File { path, size, sha256, .. }) = entries.get_mut(number) {
            // One that was read before, to find equal files, must be what it was then.
            if *sha256 != unread && *sha256 != digest {
                return Err(PackError::Changed { path: path.clone(), announced: *size });
            }
            *sha256 = digest;
        }
    }
    Ok(frames)
}

/// What the threads share.
struct Line<'l, O, W> {
    entries: &'l [Entry],
    open: &'l O,
    making: Making<'l>,
    output: Output<W>,
}

/// What is still to be read.
struct Input<'l, R: Read> {
    cutter: Cutter<'l>,
    large: Option<(usize, LargeFile<'l, R>)>,
    /// The number of the next frame.
    next: u64,
}

/// What becomes a frame.
enum Task {
    Entries(Range<usize>),
    Last(Range<usize>),
    Chunk(Vec<u8>, Option<Filed>),
}

impl<'l, R: Read, O: Fn(&EntryPath) -> io::Result<R> + Sync, W: Write> Line<'l, O, W> {
    /// Makes frames until there are no more, or somebody failed.
    fn work(&self, input: &Mutex<Input<'l, R>>) {
        let mut press = Press::new(self.making);
        let mut raw = Vec::new();
        while let Some((number, task)) = self.take(input) {
            let sealed = task.and_then(|task| {
                let digests = self.fill(task, &mut raw)?;
                press.seal(&raw, digests).map_err(PackError::Write)
            });
            if self.output.put(number, sealed) == Next::Stop {
                return;
            }
        }
    }

    /// Takes the next frame with its number. A chunk of a large file is read at once: only one thread can.
    fn take(&self, input: &Mutex<Input<'l, R>>) -> Option<(u64, Result<Task, PackError>)> {
        let mut input = input.lock().unwrap_or_else(PoisonError::into_inner);
        if input.large.is_none() {
            match input.cutter.next()? {
                Unit::Entries(range) => return Some((input.number(), Ok(Task::Entries(range)))),
                Unit::Last(range) => return Some((input.number(), Ok(Task::Last(range)))),
                Unit::Large(place) => {
                    match LargeFile::open(&self.entries[place], self.open, self.making.size) {
                        Ok(file) => input.large = Some((place, file)),
                        Err(error) => return Some((input.number(), Err(error))),
                    }
                }
            }
        }
        let chunk = input.chunk()?;
        Some((input.number(), chunk))
    }

    fn fill(&self, task: Task, raw: &mut Vec<u8>) -> Result<Vec<Filed>, PackError> {
        raw.clear();
        match task {
            Task::Entries(range) => fill(&self.entries[range.clone()], range.start, self.open, raw),
            Task::Last(range) => {
                let digests = fill(&self.entries[range.clone()], range.start, self.open, raw)?;
                raw.extend_from_slice(&END_MARKER);
                Ok(digests)
            }
            Task::Chunk(bytes, digest) => {
                *raw = bytes;
                Ok(digest.into_iter().collect())
            }
        }
    }
}

impl<R: Read> Input<'_, R> {
    fn chunk(&mut self) -> Option<Result<Task, PackError>> {
        let (place, file) = self.large.as_mut()?;
        let place = *place;
        let chunk = file.next();
        if !matches!(&chunk, Ok(chunk) if chunk.digest.is_none()) {
            self.large = None;
        }
        Some(chunk.map(|chunk| Task::Chunk(chunk.bytes, chunk.digest.map(|digest| (place, digest)))))
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}
