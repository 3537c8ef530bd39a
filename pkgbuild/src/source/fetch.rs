//! A source that is fetched by URL: kept in the cache under its digest, and believed only when it has it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::digest::{Digest, Hashed};
use reqwest::blocking::Client;
use tempfile::NamedTempFile;
use thiserror::Error;

use super::Workplace;
use super::copy::digest_file;
use crate::http::client;

const ATTEMPTS: u32 = 3;

/// Returns a file with the content of `url`, which has the digest `sha256`.
pub(super) fn fetch(url: &str, sha256: &Digest, place: Workplace<'_>) -> Result<PathBuf, FetchError> {
    let directory = directory_of(place);
    let kept = directory.join(sha256.to_string());
    if digest_file(&kept).is_ok_and(|found| found == *sha256) {
        return Ok(kept);
    }
    let fetched = get(url, &directory, place)?;
    if fetched.digest != *sha256 {
        return Err(FetchError::Digest { url: url.to_owned(), expected: *sha256, found: fetched.digest });
    }
    let keep = |source| FetchError::Keep { path: kept.clone(), source };
    fetched.file.persist(&kept).map_err(|error| keep(error.error))?;
    Ok(kept)
}

/// Returns the user's cache, or the scratch directory for a user without one.
fn directory_of(place: Workplace<'_>) -> PathBuf {
    match place.ambient.cache() {
        Some(cache) if fs::create_dir_all(cache.join("sources")).is_ok() => cache.join("sources"),
        _ => place.scratch.to_owned(),
    }
}

struct Fetched {
    file: NamedTempFile,
    digest: Digest,
}

fn get(url: &str, directory: &Path, place: Workplace<'_>) -> Result<Fetched, FetchError> {
    if let Some(path) = url.strip_prefix("file://") {
        let open = |source| FetchError::Open { path: path.into(), source };
        return write(File::open(path).map_err(open)?, url, directory);
    }
    let client = client(place.ambient).map_err(|source| FetchError::Http { url: url.to_owned(), source })?;
    let mut attempt = 1;
    loop {
        match get_once(&client, url, directory) {
            Err(error) if attempt < ATTEMPTS && error.exit() == Exit::TryAgain => {
                thread::sleep(Duration::from_secs(u64::from(attempt)));
                attempt += 1;
            }
            result => return result,
        }
    }
}

fn get_once(client: &Client, url: &str, directory: &Path) -> Result<Fetched, FetchError> {
    let http = |source| FetchError::Http { url: url.to_owned(), source };
    let response = client.get(url).send().map_err(http)?;
    let status = response.status();
    if !status.is_success() {
        return Err(FetchError::Status { url: url.to_owned(), status: status.as_u16() });
    }
    write(response, url, directory)
}

fn write(mut input: impl io::Read, url: &str, directory: &Path) -> Result<Fetched, FetchError> {
    let keep = |source| FetchError::Keep { path: directory.to_owned(), source };
    let mut output = Hashed::new(NamedTempFile::new_in(directory).map_err(keep)?);
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = input.read(&mut buffer);
        let n = read.map_err(|source| FetchError::Interrupted { url: url.to_owned(), source })?;
        if n == 0 {
            break;
        }
        output.write_all(&buffer[..n]).map_err(keep)?;
    }
    let (file, _, digest) = output.finish();
    Ok(Fetched { file, digest })
}

/// Says why a source cannot be fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    /// A file URL leads nowhere.
    #[error("cannot read {path}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The server cannot be reached or does not speak HTTP.
    #[error("cannot fetch {url}")]
    Http {
        /// From where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server says no.
    #[error("cannot fetch {url}: the server answers {status}")]
    Status {
        /// From where.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The connection broke.
    #[error("the download of {url} broke off")]
    Interrupted {
        /// From where.
        url: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is something else than the recipe says.
    #[error("{url} is not what the recipe says: expected sha256 {expected}, found {found}")]
    Digest {
        /// From where.
        url: String,
        /// What the recipe says.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// It cannot be kept.
    #[error("cannot keep what was fetched in {path}", path = path.display())]
    Keep {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Explain for FetchError {
    fn exit(&self) -> Exit {
        match self {
            Self::Http { .. } | Self::Interrupted { .. } => Exit::TryAgain,
            Self::Status { status, .. } if *status >= 500 || *status == 429 => Exit::TryAgain,
            Self::Status { status: 404 | 410, .. } => Exit::NotFound,
            Self::Status { .. } | Self::Open { .. } | Self::Keep { .. } => Exit::Failure,
            Self::Digest { .. } => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } => "source_unreadable",
            Self::Http { .. } => "fetch_failed",
            Self::Status { .. } => "fetch_refused",
            Self::Interrupted { .. } => "fetch_interrupted",
            Self::Digest { .. } => "source_digest",
            Self::Keep { .. } => "cache_unwritable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Digest { .. } => Some(
                "find out why it changed before you change the recipe: a release is not supposed to".into(),
            ),
            _ => None,
        }
    }
}
