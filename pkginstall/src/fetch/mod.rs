//! Fetching: bytes from a place in a repository, from any offset on, until they are all there.
//!
//! Comes after the repository has said where a package lies and before it is verified. A [`Stream`] is a reader that
//! takes care of the network itself: it resumes after a cut, waits between attempts and gives up in the end. Nothing
//! is believed because it was fetched: verification wraps the stream. A part of a file is fetched by opening a
//! [`Span`], so that a few frames can be had without the rest.

mod backoff;
mod client;
mod error;
mod http;
mod pace;
mod part;
mod proxy;
mod small;
mod stream;
#[cfg(test)]
mod tests;

pub use backoff::Limits;
pub use client::{Credentials, Fetcher};
pub use error::{Attempt, FetchError};
pub use proxy::Proxies;
pub use small::{Newer, Small};
pub use stream::{Beyond, Origin, Parts, Stream};

use camino::Utf8PathBuf;
use reqwest::Url;

/// Where a file lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a directory of this host.
    File(Utf8PathBuf),
    /// On an HTTP server. The URL holds no credentials.
    Http(Url),
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.write_str(path.as_str()),
            Self::Http(url) => f.write_str(url.as_str()),
        }
    }
}

/// Which bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: u64,
    /// The byte after the last; `None` means the end of the file.
    pub end: Option<u64>,
}

impl Span {
    /// The whole file.
    pub const WHOLE: Self = Self { start: 0, end: None };

    /// The beginning of a package file: enough for the manifest, the signatures and most indices. The end is moved by
    /// [`Stream::widen`] once the manifest has been read.
    pub const HEAD: Self = Self { start: 0, end: Some(64 << 10) };
}
