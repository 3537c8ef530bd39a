//! The payload as it is fetched: any part of it at any time where the place it lies in allows that, else front to back.

use std::io::{self, Read};
use std::ops::Range;

use crate::fetch::{Origin, Parts, Span, Stream};

/// The payload of one package, on its way.
#[allow(missing_debug_implementations, reason = "a closure has nothing to show")]
pub struct Payload<'p> {
    origin: Origin<'p>,
    stream: Stream<'p>,
    start: u64,
    progress: &'p (dyn Fn(u64) + Sync),
}

impl<'p> Payload<'p> {
    /// Takes the stream of a package whose head has been read, `start` bytes in all; `progress` is told how many bytes come.
    pub fn new(mut stream: Stream<'p>, start: u64, progress: &'p (dyn Fn(u64) + Sync)) -> Self {
        let origin = stream.origin();
        stream.widen(u64::MAX);
        Self { origin, stream, start, progress }
    }

    /// Returns whom to tell how many bytes come.
    pub(super) fn progress(&self) -> &'p (dyn Fn(u64) + Sync) {
        self.progress
    }

    /// Tells how parts of it can be had.
    pub(super) fn parts(&self) -> Parts {
        self.origin.parts()
    }

    /// Returns how many bytes follow the head, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.origin.length().map(|length| length.saturating_sub(self.start))
    }

    /// Opens a part; it may end before the file does.
    pub(super) fn open(&self, part: Range<u64>) -> io::Result<Watched<'_, Stream<'p>>> {
        let span = Span { start: self.start + part.start, end: Some(self.start.saturating_add(part.end)) };
        Ok(Watched { inner: self.origin.open(span)?, progress: self.progress })
    }

    /// Reads all of it from the front, once.
    pub(super) fn whole(&mut self) -> impl Read {
        Watched { inner: &mut self.stream, progress: self.progress }
    }
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
