//! A source that is fetched by URL: kept in the cache under its digest, and believed only when it has it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::digest::{Digest, Hashed};
use copkg_spec::recipe::SourceAuth;
use reqwest::blocking::Client;
use tempfile::NamedTempFile;
use thiserror::Error;

use super::Workplace;
use super::auth::{AuthError, Credentials};
use super::copy::digest_file;
use crate::http::{client, lasting};

const ATTEMPTS: u32 = 3;

/// Returns a file with the content of `url`, which has the digest `sha256`.
pub(super) fn fetch(
    url: &str,
    sha256: &Digest,
    auth: Option<&SourceAuth>,
    place: Workplace<'_>,
) -> Result<PathBuf, FetchError> {
    let directory = directory_of(place);
    let kept = directory.join(sha256.to_string());
    if digest_file(&kept).is_ok_and(|found| found == *sha256) {
        return Ok(kept);
    }
    let credentials = auth.map(|auth| Credentials::read(auth, place.ambient)).transpose()?;
    let fetched = get(url, credentials.as_ref(), &directory, place)?;
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

fn get(
    url: &str,
    credentials: Option<&Credentials>,
    directory: &Path,
    place: Workplace<'_>,
) -> Result<Fetched, FetchError> {
    if let Some(path) = url.strip_prefix("file://") {
        let open = |source| FetchError::Open { path: path.into(), source };
        return write(File::open(path).map_err(open)?, url, directory);
    }
    let client = client(place.ambient).map_err(|source| FetchError::http(url, source))?;
    let mut attempt = 1;
    loop {
        match get_once(&client, url, credentials, directory) {
            Err(error) if attempt < ATTEMPTS && error.exit() == Exit::TryAgain => {
                thread::sleep(Duration::from_secs(u64::from(attempt)));
                attempt += 1;
            }
            result => return result,
        }
    }
}

fn get_once(
    client: &Client,
    url: &str,
    credentials: Option<&Credentials>,
    directory: &Path,
) -> Result<Fetched, FetchError> {
    let request = client.get(url);
    let request = match credentials {
        Some(credentials) => credentials.add_to(request),
        None => request,
    };
    let response = request.send().map_err(|source| FetchError::http(url, source))?;
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
    /// The secret cannot be read.
    #[error(transparent)]
    Auth(#[from] AuthError),
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

impl FetchError {
    /// A request that failed. Its own address stays unsaid: a redirect may have led to one with a signature.
    fn http(url: &str, source: reqwest::Error) -> Self {
        Self::Http { url: url.to_owned(), source: source.without_url() }
    }
}

impl Explain for FetchError {
    fn exit(&self) -> Exit {
        match self {
            Self::Auth(error) => error.exit(),
            // A proxy that is no address, or redirects that lead in a circle, will be the same next time.
            Self::Http { source, .. } if source.is_builder() || lasting(source).is_some() => Exit::Failure,
            Self::Http { .. } | Self::Interrupted { .. } => Exit::TryAgain,
            Self::Status { status, .. } if *status >= 500 || *status == 429 => Exit::TryAgain,
            Self::Status { status: 404 | 410, .. } => Exit::NotFound,
            Self::Status { .. } | Self::Open { .. } | Self::Keep { .. } => Exit::Failure,
            Self::Digest { .. } => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Auth(error) => error.code(),
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
            Self::Auth(error) => error.hint(),
            Self::Status { status: 401 | 403, .. } => {
                Some("`auth` of [[source]] says who asks for it".into())
            }
            Self::Digest { .. } => Some(
                "find out why it changed before you change the recipe: a release is not supposed to".into(),
            ),
            _ => None,
        }
    }
}
