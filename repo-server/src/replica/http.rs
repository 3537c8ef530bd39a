//! Fetching from another server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use reqwest::{Client, Response, StatusCode, Url};
use rustls::{ClientConfig, RootCertStore};

use super::ReplicaError;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may send nothing. A large file may take its time.
const SILENCE: Duration = Duration::from_secs(30);

/// A repository over HTTP.
#[derive(Debug)]
pub struct HttpSource {
    client: Client,
    base: Url,
    token: Option<Token>,
}

/// What is sent to a closed repository. Never shown.
struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
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
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|error| ReplicaError::Client { why: error.to_string() })
}

impl HttpSource {
    /// Takes the URL below which the repository's `metadata/`, `targets/` and `tlog/` are.
    ///
    /// # Errors
    /// When it is no HTTP URL.
    pub fn new(client: Client, url: &str, token: Option<String>) -> Result<Self, ReplicaError> {
        let bad = || ReplicaError::BadUrl { url: url.to_owned() };
        let base = Url::parse(&format!("{}/", url.trim_end_matches('/'))).map_err(|_| bad())?;
        let has_more = base.query().is_some() || base.fragment().is_some();
        let names_somebody = base.password().is_some() || !base.username().is_empty();
        let fits = matches!(base.scheme(), "http" | "https") && !has_more && !names_somebody;
        if fits { Ok(Self { client, base, token: token.map(Token) }) } else { Err(bad()) }
    }

    /// Returns where it is.
    pub(super) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Reads a small file: nothing when there is none, and nothing inside when it is longer than `limit`.
    pub(super) async fn small(&self, path: &str, limit: u64) -> Result<Option<Option<Bytes>>, ReplicaError> {
        let Some(mut answer) = self.get(path).await? else { return Ok(None) };
        let failed =
            |source: reqwest::Error| ReplicaError::Fetch { url: path.to_owned(), source: source.into() };
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
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
        let Some(answer) = self.get(path).await? else { return Ok(None) };
        let path = path.to_owned();
        let pieces = stream::try_unfold(answer, move |mut answer| {
            let path = path.clone();
            async move {
                let piece = answer
                    .chunk()
                    .await
                    .map_err(|source| ReplicaError::Fetch { url: path, source: source.into() })?;
                Ok(piece.map(|piece| (piece, answer)))
            }
        });
        Ok(Some(pieces.boxed()))
    }

    async fn get(&self, path: &str) -> Result<Option<Response>, ReplicaError> {
        let bad = |_| ReplicaError::BadUrl { url: path.to_owned() };
        let url = self.base.join(path).map_err(bad)?;
        let mut request = self.client.get(url.clone());
        if let Some(Token(token)) = &self.token {
            request = request.bearer_auth(token);
        }
        let failed =
            |source: reqwest::Error| ReplicaError::Fetch { url: url.to_string(), source: source.into() };
        let answer = request.send().await.map_err(failed)?;
        match answer.status() {
            StatusCode::OK => Ok(Some(answer)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(ReplicaError::Refused { url: url.to_string(), status }),
        }
    }
}
