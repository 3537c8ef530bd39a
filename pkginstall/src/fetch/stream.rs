//! Streams: the bytes of one file, from a directory or over HTTP, as one reader.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};

use camino::Utf8Path;

use super::http::HttpStream;
use super::{FetchError, Span};

/// The bytes of a file, in order. A failure to fetch comes out of it as an [`io::Error`] with a [`FetchError`] inside.
#[derive(Debug)]
pub enum Stream<'f> {
    /// From a directory.
    File(FileStream),
    /// From a server.
    Http(Box<HttpStream<'f>>),
}

impl Stream<'_> {
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

    /// Returns the length of the whole file, where it is known.
    pub fn file_length(&self) -> Option<u64> {
        match self {
            Self::File(stream) => Some(stream.length),
            Self::Http(stream) => stream.file_length(),
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(stream) => stream.inner.read(buffer),
            Self::Http(stream) => stream.read(buffer),
        }
    }
}

/// The bytes of a file of this host.
#[derive(Debug)]
pub struct FileStream {
    inner: io::Take<File>,
    length: u64,
}

impl FileStream {
    pub(super) fn open(path: &Utf8Path, span: Span) -> Result<Self, FetchError> {
        let failed = |source| FetchError::File { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        file.seek(SeekFrom::Start(span.start)).map_err(failed)?;
        let limit = span.end.map_or(u64::MAX, |end| end.saturating_sub(span.start));
        Ok(Self { inner: file.take(limit), length: metadata.len() })
    }
}
