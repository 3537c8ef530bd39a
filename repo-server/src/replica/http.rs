//! Fetching from another server, by the rules of [`copkg_spec::http`]: what breaks off is resumed, what fails is tried again, and
//! any web server with the files of a repository will do.

mod download;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use copkg_spec::http::{
    self, Answer, Asked, Backoff, FailedAt, Manner, Refusal, check_redirect, revalidates,
};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use reqwest::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_RANGE, HeaderName, RANGE, RETRY_AFTER};
use reqwest::redirect::{self, Policy};
use reqwest::{Client, RequestBuilder, Response, Url};
use rustls::{ClientConfig, RootCertStore};

use super::{ReplicaError, Unreached};
use download::Download;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may send nothing. A large file may take its time.
const SILENCE: Duration = Duration::from_secs(30);
/// The pauses between attempts.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(60) };

/// A repository over HTTP.
#[derive(Debug, Clone)]
pub struct HttpSource {
    client: Client,
    base: Url,
    credentials: Option<Credentials>,
    /// How often a file is tried in a row without progress: at least once.
    attempts: u32,
}

/// What is sent to a closed repository. Never shown.
#[derive(Clone)]
pub enum Credentials {
    /// A bearer token.
    Token(String),
    /// HTTP Basic.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// How one request ended without bytes.
enum Failed {
    /// There is no such file.
    Absent,
    /// The server is asked in another way, at once.
    OtherWay(Manner),
    /// Another attempt may succeed, after the pause that the server asks for.
    Now(ReplicaError, Option<Duration>),
    /// None will.
    ForGood(ReplicaError),
}

/// Makes a client with the certificates of this host. One without any can still use plain HTTP.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> Result<Client, ReplicaError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ReplicaError::Client { why: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .user_agent(concat!("copkg-repo-server/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .redirect(Policy::custom(follow))
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|error| ReplicaError::Client { why: error.to_string() })
}

fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let from = attempt.previous().last().map_or("", Url::scheme);
    match check_redirect(from, attempt.url().scheme(), attempt.previous().len()) {
        Ok(()) => attempt.follow(),
        Err(error) => attempt.error(error),
    }
}

impl HttpSource {
    /// Takes the URL below which the repository's `metadata/`, `targets/` and `tlog/` are. A file is tried `attempts` times in a row.
    ///
    /// # Errors
    /// When it is no HTTP URL.
    pub fn new(
        client: Client,
        url: &str,
        credentials: Option<Credentials>,
        attempts: u32,
    ) -> Result<Self, ReplicaError> {
        let bad = || ReplicaError::BadUrl { url: copkg_spec::address::redacted(url) };
        let base = Url::parse(&format!("{}/", url.trim_end_matches('/'))).map_err(|_| bad())?;
        let has_more = base.query().is_some() || base.fragment().is_some();
        let names_somebody = base.password().is_some() || !base.username().is_empty();
        let fits = matches!(base.scheme(), "http" | "https") && !has_more && !names_somebody;
        if fits { Ok(Self { client, base, credentials, attempts }) } else { Err(bad()) }
    }

    /// Returns where it is.
    pub(super) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Reads a small file: nothing when there is none, and nothing inside when it is longer than `limit`.
    pub(super) async fn small(&self, path: &str, limit: u64) -> Result<Option<Option<Bytes>>, ReplicaError> {
        let Some(mut download) = self.download(path).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        while let Some(piece) = download.next().await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > limit {
                return Ok(Some(None));
            }
        }
        Ok(Some(Some(bytes.into())))
    }

    pub(super) async fn open(
        &self,
        path: &str,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, ReplicaError>>>, ReplicaError> {
        let Some(download) = self.download(path).await? else { return Ok(None) };
        let pieces = stream::try_unfold(download, |mut download| async move {
            let piece = download.next().await?;
            Ok(piece.map(|piece| (piece, download)))
        });
        Ok(Some(pieces.boxed()))
    }

    async fn download(&self, path: &str) -> Result<Option<Download>, ReplicaError> {
        let bad = |_| ReplicaError::BadUrl { url: path.to_owned() };
        let url = self.base.join(path).map_err(bad)?;
        Download::open(self.clone(), url).await
    }

    /// Makes one request, and judges its answer: the response, how much of it to skip, and the length of the whole file.
    async fn request(&self, url: &Url, asked: &Asked) -> Result<(Response, u64, Option<u64>), Failed> {
        let request = self.conditions(self.client.get(url.clone()), url, asked);
        let response = request.send().await.map_err(|error| not_sent(error, url))?;
        let text = |name: HeaderName| response.headers().get(name)?.to_str().ok();
        let (status, length) = (response.status(), response.content_length());
        let refused = || ReplicaError::Refused { url: url.to_string(), status };
        match asked.judge(status.as_u16(), text(CONTENT_RANGE), length, text(RETRY_AFTER)) {
            Answer::Body { skip, length, .. } => Ok((response, skip, length)),
            Answer::Again(manner) => Err(Failed::OtherWay(manner)),
            Answer::Later(wait) => Err(Failed::Now(refused(), wait)),
            Answer::Refused(Refusal::NotFound) => Err(Failed::Absent),
            Answer::Refused(Refusal::Shorter) => {
                Err(Failed::ForGood(ReplicaError::Mismatch { path: url.to_string() }))
            }
            Answer::Unchanged | Answer::Refused(_) => Err(Failed::ForGood(refused())),
        }
    }

    fn conditions(&self, request: RequestBuilder, url: &Url, asked: &Asked) -> RequestBuilder {
        let mut request = match &self.credentials {
            Some(Credentials::Token(token)) => request.bearer_auth(token),
            Some(Credentials::Basic { user, password }) => request.basic_auth(user, Some(password)),
            None => request,
        };
        // Positions are of the file itself.
        request = request.header(ACCEPT_ENCODING, "identity");
        if revalidates(url.path()) {
            request = request.header(CACHE_CONTROL, "no-cache");
        }
        match asked.range() {
            Some(range) => request.header(RANGE, range),
            None => request,
        }
    }
}

/// Tells what no retry changes from what may pass.
fn not_sent(error: reqwest::Error, url: &Url) -> Failed {
    let lasting = lasting(&error);
    let is_lasting = lasting.is_some();
    let source = lasting.map_or_else(|| error.into(), Unreached::lasting);
    let failed = ReplicaError::Fetch { url: url.to_string(), source };
    if is_lasting { Failed::ForGood(failed) } else { Failed::Now(failed, None) }
}

fn lasting(error: &reqwest::Error) -> Option<String> {
    let at = if error.is_connect() { FailedAt::Connecting } else { FailedAt::Later };
    http::lasting(error, at, <dyn std::error::Error>::is::<rustls::Error>)
}
