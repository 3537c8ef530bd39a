//! Small files, fetched as a whole: metadata. Most of it is digests in hexadecimal, so a server that can compresses it on
//! the way. What comes out of here is believed no more than any other bytes: whoever reads limits the length, and
//! checks signature or digest.

use std::io::{self, BufReader, Read};

use copkg_spec::limits::WINDOW_BYTES;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_ENCODING, HeaderValue};
use zstd::stream::read::Decoder;

use super::http::HttpStream;
use super::{FetchError, Stream};

/// How the bytes of a file are written on the way (RFC 9110, 8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// As they are.
    Identity,
    /// As a zstd frame (RFC 8878). What is read, and every position, is of that frame.
    Zstd,
}

impl Coding {
    pub(super) fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Identity => "identity",
            Self::Zstd => "zstd",
        })
    }

    pub(super) fn of(response: &Response) -> Self {
        let is_zstd = response.headers().get(CONTENT_ENCODING) == Some(&Self::Zstd.name());
        if is_zstd { Self::Zstd } else { Self::Identity }
    }
}

/// A small file that may be here already.
#[derive(Debug)]
pub enum Newer<'f> {
    /// It is, as the server says, whose clock said this.
    Same {
        /// `Date` of RFC 9110.
        date: Option<String>,
    },
    /// It is another one, or nobody can tell.
    Changed(Small<'f>),
}

/// The bytes of a small file. A failure to fetch comes out as with [`Stream`].
pub enum Small<'f> {
    /// As they lie there.
    Plain(Stream<'f>),
    /// Compressed on the way.
    Compressed(Box<Decoder<'static, BufReader<HttpStream<'f>>>>),
}

impl std::fmt::Debug for Small<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(stream) => f.debug_tuple("Plain").field(stream).finish(),
            Self::Compressed(decoder) => f.debug_tuple("Compressed").field(decoder.get_ref()).finish(),
        }
    }
}

impl<'f> Small<'f> {
    pub(super) fn of_http(stream: HttpStream<'f>, coding: Coding) -> Result<Self, FetchError> {
        if coding == Coding::Identity {
            return Ok(Self::Plain(Stream::Http(Box::new(stream))));
        }
        let decoder = Decoder::new(stream).and_then(|mut decoder| {
            // A server says how much memory its frame takes, up to what RFC 9659 lets it.
            decoder.window_log_max(WINDOW_BYTES.ilog2())?;
            Ok(decoder)
        });
        decoder
            .map(|decoder| Self::Compressed(Box::new(decoder)))
            .map_err(|error| FetchError::Client { why: error.to_string() })
    }

    /// Returns the server's clock as it says it (`Date` of RFC 9110), to explain with and not to be believed.
    pub fn date(&self) -> Option<&str> {
        match self {
            Self::Plain(stream) => stream.date(),
            Self::Compressed(decoder) => decoder.get_ref().get_ref().date(),
        }
    }
}

impl Read for Small<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Compressed(decoder) => {
                let read = decoder.read(buffer);
                read.map_err(|error| broken(error, decoder.get_ref().get_ref().place()))
            }
        }
    }
}

/// Tells what the network did from what the bytes are: those are the server's fault.
fn broken(error: io::Error, place: String) -> io::Error {
    if FetchError::inside(&error).is_some() || error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    let status = format!("a broken zstd frame ({error})");
    io::Error::other(FetchError::Refused { place, status })
}
