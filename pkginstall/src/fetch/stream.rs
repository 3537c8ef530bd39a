//! Streams: the bytes of one file, from a directory or over HTTP, as one reader.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use camino::Utf8Path;

use super::http::{HttpOrigin, HttpStream};
use super::{FetchError, Span};

/// The bytes of a file, in order. A failure to fetch comes out of it as an [`io::Error`] with a [`FetchError`] inside.
#[derive(Debug)]
pub enum Stream<'f> {
    /// From a directory.
    File(FileStream),
    /// From a server.
    Http(Box<HttpStream<'f>>),
}

impl<'f> Stream<'f> {
    /// Lets the connection go, if there is one. The next read makes another and goes on where this one stopped.
    pub fn rest(&mut self) {
        if let Self::Http(stream) = self {
            stream.rest();
        }
    }

    /// Returns the server's clock as it says it (`Date` of RFC 9110), to explain with and not to be believed.
    pub fn date(&self) -> Option<&str> {
        match self {
            Self::File(_) => None,
            Self::Http(stream) => stream.date(),
        }
    }

    /// Goes on to `end` where it would have ended before.
    pub fn widen(&mut self, end: u64) {
        match self {
            Self::File(stream) => stream.end = stream.end.max(end),
            Self::Http(stream) => stream.widen(end),
        }
    }

    /// Returns a reader that goes on where the part ends, a mebibyte at a time, to the end of the file.
    pub fn beyond(&mut self) -> Beyond<'_, 'f> {
        Beyond(self)
    }

    fn position(&self) -> u64 {
        match self {
            Self::File(stream) => stream.position,
            Self::Http(stream) => stream.position(),
        }
    }

    /// Returns the length of the whole file, where it is known.
    pub fn file_length(&self) -> Option<u64> {
        match self {
            Self::File(stream) => Some(stream.length),
            Self::Http(stream) => stream.file_length(),
        }
    }

    /// Returns the file, for other parts of it.
    pub fn origin(&self) -> Origin<'f> {
        match self {
            Self::File(stream) => Origin::File(Arc::clone(&stream.file), stream.length),
            Self::Http(stream) => Origin::Http(stream.origin()),
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(stream) => stream.read(buffer),
            Self::Http(stream) => stream.read(buffer),
        }
    }
}

/// How much is asked for at a time beyond the part that was opened.
const MORE: u64 = 1 << 20;

/// A reader that does not stop where the part of its stream does.
#[derive(Debug)]
pub struct Beyond<'s, 'f>(&'s mut Stream<'f>);

impl Read for Beyond<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !buffer.is_empty() => {
                self.0.widen(self.0.position().saturating_add(MORE));
                self.0.read(buffer)
            }
            n => Ok(n),
        }
    }
}

/// A file of which a part has been opened: the same file for every other part, or an error.
#[derive(Debug, Clone)]
pub enum Origin<'f> {
    /// Of this host, with its length.
    File(Arc<File>, u64),
    /// Of a server.
    Http(HttpOrigin<'f>),
}

/// Whether parts of a file can be had without the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// At no cost: it is here.
    Here,
    /// With a request for each.
    Ranges,
    /// Only from the beginning on: the server has no ranges.
    None,
}

impl<'f> Origin<'f> {
    /// Opens a part of the file.
    ///
    /// # Errors
    /// As [`super::Fetcher::open`], and when it is not the same file any more.
    pub fn open(&self, span: Span) -> Result<Stream<'f>, FetchError> {
        match self {
            Self::File(file, length) => Ok(Stream::File(FileStream::of(Arc::clone(file), *length, span))),
            Self::Http(origin) => Ok(Stream::Http(Box::new(origin.open(span)?))),
        }
    }

    /// Tells how parts of it can be had.
    pub fn parts(&self) -> Parts {
        match self {
            Self::File(..) => Parts::Here,
            Self::Http(origin) if origin.has_ranges() => Parts::Ranges,
            Self::Http(_) => Parts::None,
        }
    }

    /// Returns the length of the whole file, where it is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::File(_, length) => Some(*length),
            Self::Http(origin) => origin.file_length(),
        }
    }
}

/// The bytes of a file of this host.
#[derive(Debug)]
pub struct FileStream {
    file: Arc<File>,
    position: u64,
    end: u64,
    length: u64,
}

impl FileStream {
    pub(super) fn open(path: &Utf8Path, span: Span) -> Result<Self, FetchError> {
        let failed = |source| FetchError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self::of(Arc::new(file), metadata.len(), span))
    }

    fn of(file: Arc<File>, length: u64, span: Span) -> Self {
        Self { file, position: span.start, end: span.end.unwrap_or(u64::MAX), length }
    }
}

impl Read for FileStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let n = self.file.read_at(&mut buffer[..most], self.position)?;
        self.position += n as u64;
        Ok(n)
    }
}
