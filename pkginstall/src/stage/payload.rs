//! The payload as it is fetched: any part of it at any time where the place it lies in allows that, else front to back; and
//! from the next copy where one turns out to be damaged.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fetch::{FetchError, Origin, Parts, Span, Stream};

/// Opens the next copy of a file, told what is wrong with the one before, as what follows its name; nothing when there is no further one.
pub type NextCopy<'p> = Box<dyn FnMut(&str) -> Option<Stream<'p>> + Send + 'p>;

/// The payload of one package, on its way.
#[allow(missing_debug_implementations, reason = "a closure has nothing to show")]
pub struct Payload<'p> {
    /// The stream that the head came out of, until it is read on or given up.
    stream: Option<Stream<'p>>,
    copies: Mutex<Copies<'p>>,
    start: u64,
    progress: &'p (dyn Fn(u64) + Sync),
}

/// The copy that is read now, and how to come to the next.
struct Copies<'p> {
    number: usize,
    present: Origin<'p>,
    next: NextCopy<'p>,
}

impl<'p> Payload<'p> {
    /// Takes the stream of a package whose head has been read, `start` bytes in all; `progress` is told how many bytes come.
    pub fn new(mut stream: Stream<'p>, start: u64, progress: &'p (dyn Fn(u64) + Sync)) -> Self {
        let present = stream.origin();
        stream.widen(u64::MAX);
        let copies = Copies { number: 0, present, next: Box::new(|_| None) };
        Self { stream: Some(stream), copies: Mutex::new(copies), start, progress }
    }

    /// Says how to come to other copies of the file.
    #[must_use]
    pub fn or_from(self, next: NextCopy<'p>) -> Self {
        self.copies().next = next;
        self
    }

    /// Returns whom to tell how many bytes come.
    pub(super) fn progress(&self) -> &'p (dyn Fn(u64) + Sync) {
        self.progress
    }

    /// Tells how parts of it can be had.
    pub(super) fn parts(&self) -> Parts {
        self.copies().present.parts()
    }

    /// Returns how many bytes follow the head, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.copies().present.length().map(|length| length.saturating_sub(self.start))
    }

    /// Opens a part, and says of which copy; it may end before the file does.
    pub(super) fn open(&self, part: Range<u64>) -> io::Result<(usize, Watched<'_, Stream<'p>>)> {
        let span = Span { start: self.start + part.start, end: Some(self.start.saturating_add(part.end)) };
        let (number, origin) = {
            let copies = self.copies();
            (copies.number, copies.present.clone())
        };
        Ok((number, Watched { inner: origin.open(span)?, progress: self.progress }))
    }

    /// Reads all of it from the front: once of each copy.
    pub(super) fn whole(&mut self) -> io::Result<Watched<'_, Stream<'p>>> {
        let inner = match self.stream.take() {
            Some(stream) => stream,
            None => self.copies().present.open(Span { start: self.start, end: None })?,
        };
        Ok(Watched { inner, progress: self.progress })
    }

    /// Gives up a copy that is damaged as `why` says; tells whether there is another one, which is read from now on.
    pub(super) fn give_up(&self, number: usize, why: &(dyn std::error::Error + 'static)) -> bool {
        let mut copies = self.copies();
        if copies.number != number {
            // Another thread came to the same end first.
            return true;
        }
        let Some(stream) = (copies.next)(&verdict(why)) else { return false };
        copies.present = stream.origin();
        copies.number += 1;
        true
    }

    /// Returns the number of the copy that is read now.
    pub(super) fn number(&self) -> usize {
        self.copies().number
    }

    fn copies(&self) -> MutexGuard<'_, Copies<'p>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says what is wrong with a copy and why, in one line.
fn verdict(error: &(dyn std::error::Error + 'static)) -> String {
    let verb = if FetchError::inside(error).is_some() { "is given up" } else { "is damaged" };
    let causes = std::iter::successors(Some(error), |error| error.source());
    format!("{verb}: {}", causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

impl<'p, R> Watched<'p, R> {
    pub(super) fn new(inner: R, progress: &'p (dyn Fn(u64) + Sync)) -> Self {
        Self { inner, progress }
    }
}

/// A reader that says how much it has read.
pub(super) struct Watched<'p, R> {
    inner: R,
    progress: &'p (dyn Fn(u64) + Sync),
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        (self.progress)(n as u64);
        Ok(n)
    }
}
