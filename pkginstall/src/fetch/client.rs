//! The fetcher: opens streams. Its HTTP client is made when the first one needs it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use copkg_spec::digest::Digest;
use copkg_spec::http::check_redirect;
use reqwest::Url;
use reqwest::blocking::{Client, RequestBuilder};
use reqwest::redirect::{Attempt, Policy};
use rustls::{ClientConfig, RootCertStore};

use super::http::HttpStream;
use super::pace::Arrived;
use super::small::{Newer, Small};
use super::stream::{FileStream, Stream};
use super::{FetchError, Limits, Location, Proxies, Span};

/// What proves to a server who we are. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// HTTP Basic.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A bearer token.
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Credentials {
    pub(super) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Basic { user, password } => request.basic_auth(user, Some(password)),
            Self::Bearer(token) => request.bearer_auth(token),
        }
    }
}

/// Opens files of repositories.
#[derive(Debug)]
pub struct Fetcher {
    pub(super) limits: Limits,
    pub(super) pause: fn(Duration),
    pub(super) arrived: Arrived,
    proxies: Proxies,
    client: OnceLock<Client>,
}

impl Fetcher {
    /// Sets the limits. No connection is made and no certificate is read yet. `pause` waits between attempts.
    pub fn new(limits: Limits, proxies: Proxies, pause: fn(Duration)) -> Self {
        Self { limits, pause, arrived: Arrived::default(), proxies, client: OnceLock::new() }
    }

    /// Opens a part of the file at `location`.
    ///
    /// # Errors
    /// When it is not there, or cannot be had within the limits.
    pub fn open(
        &self,
        location: &Location,
        credentials: Option<&Credentials>,
        span: Span,
    ) -> Result<Stream<'_>, FetchError> {
        match location {
            Location::File(path) => FileStream::open(path, span).map(Stream::File),
            Location::Http(url) => {
                let stream = HttpStream::open(self, url.clone(), credentials.cloned(), span)?;
                Ok(Stream::Http(Box::new(stream)))
            }
        }
    }

    /// Opens the whole of a small file at `location`, compressed on its way where a server does that, unless a server says
    /// that it is the one with the digest `held`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_small(
        &self,
        location: &Location,
        credentials: Option<&Credentials>,
        held: Option<Digest>,
    ) -> Result<Newer<'_>, FetchError> {
        match location {
            Location::File(path) => {
                let stream = FileStream::open(path, Span::WHOLE)?;
                Ok(Newer::Changed(Small::Plain(Stream::File(stream))))
            }
            Location::Http(url) => HttpStream::open_small(self, url.clone(), credentials.cloned(), held),
        }
    }

    pub(super) fn client(&self) -> Result<&Client, FetchError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.build()?;
        Ok(self.client.get_or_init(|| client))
    }

    fn build(&self) -> Result<Client, FetchError> {
        let failed = |error: reqwest::Error| FetchError::Client { why: error.to_string() };
        let builder = Client::builder()
            .user_agent(concat!("copkg-pkginstall/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.limits.connect_timeout)
            // For each answer and each read of it, not for the whole: a large file may take its time.
            .timeout(self.limits.silence_timeout)
            .redirect(Policy::custom(follow))
            .tls_backend_preconfigured(tls()?);
        self.proxies.apply(builder)?.build().map_err(failed)
    }

    /// Returns the proxy between this host and `url`, for messages.
    pub(super) fn proxy_for(&self, url: &Url) -> Option<String> {
        self.proxies.between(url)
    }
}

/// The host's own certificates. A host without any can still use `http` and files.
fn tls() -> Result<ClientConfig, FetchError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| FetchError::Client { why: error.to_string() })?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let from = attempt.previous().last().map_or("", Url::scheme);
    match check_redirect(from, attempt.url().scheme(), attempt.previous().len()) {
        Ok(()) => attempt.follow(),
        Err(error) => attempt.error(error),
    }
}
