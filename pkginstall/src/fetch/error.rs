//! What can go wrong while fetching. It travels through readers as an [`io::Error`], see [`FetchError::inside`].

use std::error::Error;
use std::io;
use std::time::Duration;

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::http::{ProxyError, RedirectError, is_unknown_host, proxy_refuses};
use reqwest::Url;
use thiserror::Error;

use super::Limits;

/// Says why bytes could not be had.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The server or the directory has no such file.
    #[error("there is no {place}")]
    NotFound {
        /// The URL or path.
        place: String,
    },
    /// The server wants credentials, or other ones.
    #[error("the server refuses {place}: {status}")]
    Unauthorized {
        /// The URL.
        place: String,
        /// The status line.
        status: String,
    },
    /// The server answers something that no retry will change.
    #[error("the server answers {place} with {status}")]
    Refused {
        /// The URL.
        place: String,
        /// The status line.
        status: String,
    },
    /// Every attempt failed.
    #[error("cannot fetch {place}: gave up after {attempts} attempts")]
    GaveUp {
        /// The URL.
        place: String,
        /// How many.
        attempts: u32,
        /// The last failure.
        #[source]
        source: Box<Attempt>,
    },
    /// The server asks for a longer pause than we make.
    #[error("the server of {place} asks to come back in {} seconds", wait.as_secs())]
    Later {
        /// The URL.
        place: String,
        /// How long.
        wait: Duration,
    },
    /// The server sends so little that there is no end to it.
    #[error("{place} comes too slowly: fewer than {least} bytes a second for {} seconds", window.as_secs_f32())]
    TooSlow {
        /// The URL.
        place: String,
        /// The fewest bytes a second that would have done.
        least: u32,
        /// For how long.
        window: Duration,
    },
    /// The server cannot prove that it is the one that the URL names.
    #[error("cannot make a secure connection to {place}")]
    Tls {
        /// The URL.
        place: String,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The server leads to where nothing is fetched from.
    #[error("cannot fetch {place}")]
    Redirect {
        /// The URL.
        place: String,
        /// Why.
        #[source]
        source: RedirectError,
    },
    /// The name of the server leads nowhere.
    #[error("cannot fetch {place}: there is no host {host}")]
    UnknownHost {
        /// The URL.
        place: String,
        /// The name of the server, or of the proxy.
        host: String,
    },
    /// The proxy does not let us through.
    #[error("the proxy {proxy} asks for a user and a password, or refuses those it was given, for {place}")]
    Proxy {
        /// The proxy, without credentials.
        proxy: String,
        /// The URL.
        place: String,
    },
    /// The proxy is of a kind that cannot be used.
    #[error(transparent)]
    OtherProxy(#[from] ProxyError),
    /// The file became another one between two requests.
    #[error("{place} changed while it was fetched")]
    Changed {
        /// The URL.
        place: String,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The HTTP client cannot be set up.
    #[error("cannot set up the HTTP client: {why}")]
    Client {
        /// Why.
        why: String,
    },
    /// Credentials cannot be read.
    #[error("cannot read the credentials of the repository from {from}")]
    Credentials {
        /// The file or the variable.
        from: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why one attempt failed, in a way that another may not.
#[derive(Debug, Error)]
pub enum Attempt {
    /// The connection failed, was cut or was silent for too long.
    #[error("{0}")]
    Network(String),
    /// The server says that it cannot just now.
    #[error("the server answers with {0}")]
    Status(String),
    /// The server ended before the file did.
    #[error("the connection ended after {got} of {expected} bytes")]
    Short {
        /// Bytes that came.
        got: u64,
        /// Bytes that were announced.
        expected: u64,
    },
}

impl Attempt {
    /// Says what a failure of the client says, with its causes and without the URL, which may be secret in parts.
    pub(super) fn network(error: &reqwest::Error, proxy: Option<&str>) -> Self {
        let mut text = if error.is_timeout() {
            "the server is silent for too long".to_owned()
        } else if error.is_connect() {
            "cannot connect".to_owned()
        } else {
            "the connection failed".to_owned()
        };
        if let Some(proxy) = proxy {
            text = format!("{text} through the proxy {proxy}");
        }
        if let Some(cause) = innermost(error) {
            text = format!("{text}: {cause}");
        }
        Self::Network(text)
    }
}

/// The innermost cause is the one that says something: "Connection refused", "no such host".
fn innermost(error: &reqwest::Error) -> Option<String> {
    std::iter::successors(error.source(), |cause| (**cause).source()).last().map(ToString::to_string)
}

/// Tells what no retry changes from what may pass.
pub(super) fn permanent(error: &reqwest::Error, url: &Url, proxy: Option<&str>) -> Option<FetchError> {
    let place = url.to_string();
    if let Some(source) = tls_error(error) {
        return Some(FetchError::Tls { place, source });
    }
    let mut causes = std::iter::successors(error.source(), |cause| (**cause).source());
    if let Some(source) = causes.find_map(|cause| cause.downcast_ref::<RedirectError>()) {
        return Some(FetchError::Redirect { place, source: *source });
    }
    let said = innermost(error).filter(|_| error.is_connect())?;
    if let Some(proxy) = proxy.filter(|_| proxy_refuses(&said)) {
        return Some(FetchError::Proxy { proxy: proxy.to_owned(), place });
    }
    let host = proxy.map_or_else(|| url.host_str().unwrap_or_default().to_owned(), str::to_owned);
    is_unknown_host(&said).then_some(FetchError::UnknownHost { place, host })
}

/// Finds what TLS says in a failure of the client. A certificate does not get better by trying again.
pub(super) fn tls_error(error: &reqwest::Error) -> Option<rustls::Error> {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found.clone());
        }
        // An I/O error hides what it holds from `source`.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map(|held| held as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

impl FetchError {
    pub(super) fn too_slow(place: String, limits: &Limits) -> Self {
        Self::TooSlow { place, least: limits.least_rate, window: limits.rate_window }
    }

    /// Finds the failure of a fetch in an error that came out of a reader.
    pub fn inside<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            let found = wrapped.and_then(|inner| inner.downcast_ref::<Self>());
            if found.is_some() {
                return found;
            }
            next = error.source();
        }
        None
    }
}

impl From<FetchError> for io::Error {
    fn from(error: FetchError) -> Self {
        Self::other(error)
    }
}

impl Explain for FetchError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotFound { .. } => Exit::NotFound,
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::Unauthorized { .. }
            | Self::Refused { .. }
            | Self::Tls { .. }
            | Self::Redirect { .. }
            | Self::UnknownHost { .. }
            | Self::Proxy { .. }
            | Self::OtherProxy(_)
            | Self::File { .. }
            | Self::Client { .. }
            | Self::Credentials { .. } => Exit::Failure,
            Self::GaveUp { .. } | Self::Later { .. } | Self::TooSlow { .. } | Self::Changed { .. } => {
                Exit::TryAgain
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => "not_found",
            Self::File { .. } => "unreadable",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Refused { .. } => "server_refused",
            Self::Tls { .. } => "tls",
            Self::Redirect { .. } => "redirect_refused",
            Self::UnknownHost { .. } => "host_unknown",
            Self::Proxy { .. } => "proxy_unauthorized",
            Self::OtherProxy(_) => "proxy_unsupported",
            Self::GaveUp { .. } => "network",
            Self::Later { .. } => "server_busy",
            Self::TooSlow { .. } => "too_slow",
            Self::Changed { .. } => "changed_meanwhile",
            Self::Client { .. } => "http_client",
            Self::Credentials { .. } => "no_credentials",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unauthorized { .. } => {
                "set `auth` of the repository in config.toml: a user and `password_file`, or `token_file`"
            }
            Self::Tls { .. } => {
                "add the certificate of its authority to those of this host, or name a file of them in SSL_CERT_FILE"
            }
            Self::Redirect { source: RedirectError::Downgrade { .. }, .. } => {
                "ask the server's operator to lead to https, or name the address it leads to if you trust the network"
            }
            Self::Redirect { .. } => "check the address; in a network with a login page, log in first",
            Self::UnknownHost { .. } => "check the name, and that this host can look up names",
            Self::Proxy { .. } => {
                "name them in http_proxy or https_proxy, as http://USER:PASSWORD@HOST:PORT, or the server in no_proxy"
            }
            Self::OtherProxy(_) => {
                "name an HTTP proxy in http_proxy, https_proxy or all_proxy, or the server in no_proxy"
            }
            Self::Refused { .. } => "check the address: it may be that of something else than a repository",
            Self::Credentials { .. } => {
                "a secret is the first line of a file that nobody else may read, or the value of a variable"
            }
            Self::Later { .. } => {
                "try again later; `fetch.longest_pause_seconds` in config.toml says how long a pause may be"
            }
            Self::GaveUp { .. } => {
                "try again later; `fetch.attempts` in config.toml says how often it is tried"
            }
            Self::TooSlow { .. } => {
                "`fetch.least_bytes_per_second` in config.toml says how slow a copy may be while there is another one to ask"
            }
            Self::Changed { .. } => "try again; if it repeats, the repository is not what it should be",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
