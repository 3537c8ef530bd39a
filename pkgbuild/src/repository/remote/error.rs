//! What a repository server says when it does not do what was asked.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use copkg_spec::command::{Exit, Explain, said};
use copkg_spec::http::ProxyError;
use serde::Deserialize;
use thiserror::Error;

use crate::http::lasting;

/// What a server says of a failure (RFC 9457).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The stable code.
    pub code: String,
    /// What it is in general.
    pub title: String,
    /// What it is here.
    pub detail: String,
}

impl Problem {
    fn text(&self) -> String {
        let text = if self.detail.is_empty() { &self.title } else { &self.detail };
        // What a server says stands in one line of ours, and turns no terminal around.
        let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect();
        if plain.is_empty() { String::new() } else { format!(": {plain}") }
    }
}

/// Says why a server did not do what was asked.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// It is no address of one.
    #[error("{url} cannot be a repository: {why}")]
    Address {
        /// What was given.
        url: String,
        /// Why.
        why: String,
    },
    /// The HTTP client cannot be set up.
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The proxy is of a kind that cannot be used.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// It cannot be reached, or broke off.
    #[error("cannot reach {url}")]
    Network {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        source: Unreached,
    },
    /// Its answer broke off.
    #[error("the answer of {url} broke off")]
    Interrupted {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot do it now.
    #[error("the server cannot answer {url} now: {status}{}", problem.text())]
    Busy {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// For how long it asks to wait.
        wait: Option<Duration>,
        /// What it says.
        problem: Problem,
    },
    /// It does not let us.
    #[error("the server refuses {url}: {status}{}", problem.text())]
    Unauthorized {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it says.
        problem: Problem,
    },
    /// Somebody changed the same role meanwhile.
    #[error("somebody else was faster{}", problem.text())]
    VersionConflict {
        /// What it says.
        problem: Problem,
    },
    /// What is published would change.
    #[error("what is published never changes{}", problem.text())]
    TargetChanged {
        /// What it says.
        problem: Problem,
    },
    /// It would be installed inside another package, or the other way round.
    #[error("the package cannot be installed beside another one{}", problem.text())]
    Nesting {
        /// What it says.
        problem: Problem,
    },
    /// The keys do not speak for the role.
    #[error("the repository does not accept it{}", problem.text())]
    NotTrusted {
        /// What it says.
        problem: Problem,
    },
    /// There is nothing of that name.
    #[error("the server has no {url}{}", problem.text())]
    NotFound {
        /// What was asked for.
        url: String,
        /// What it says.
        problem: Problem,
    },
    /// It says no for another reason.
    #[error("the server answers {url} with {status}{}", problem.text())]
    Refused {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it says.
        problem: Problem,
    },
    /// It answers something that a repository does not.
    #[error("the answer of {url} is not one of a repository")]
    Answer {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// What is uploaded cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What kept us from a server, in one line.
#[derive(Debug, Error)]
#[error("{said}")]
pub struct Unreached {
    said: String,
    /// Whether it stays so, however often it is tried.
    is_lasting: bool,
}

impl Unreached {
    /// Says what a failure of the client says: the innermost cause, without the URL, and the proxy in between.
    pub(super) fn of(error: &reqwest::Error, proxy: Option<&str>) -> Self {
        let through = proxy.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
        if let Some(why) = lasting(error) {
            return Self { said: format!("cannot connect{through}: {why}"), is_lasting: true };
        }
        let what = if error.is_timeout() {
            "it does not answer"
        } else if error.is_connect() {
            "cannot connect"
        } else {
            "the connection broke off"
        };
        // What the system says means something to people; what the client's own channels say does not.
        let causes = std::iter::successors(error.source(), |cause| (**cause).source());
        let cause = causes.filter(|cause| cause.is::<io::Error>()).last();
        let cause = cause.map_or_else(String::new, |cause| format!(": {}", said(cause)));
        Self { said: format!("{what}{through}{cause}"), is_lasting: false }
    }
}

impl RemoteError {
    pub(in crate::repository) fn refused(
        url: &str,
        status: u16,
        wait: Option<Duration>,
        problem: Problem,
    ) -> Self {
        let url = url.to_owned();
        match (status, problem.code.as_str()) {
            (409, "version_conflict") => Self::VersionConflict { problem },
            (409, "target_changed") => Self::TargetChanged { problem },
            (409, "nesting_conflict") => Self::Nesting { problem },
            (403, "not_delegated" | "bad_signature") => Self::NotTrusted { problem },
            (401 | 403, _) => Self::Unauthorized { url, status, problem },
            (404, _) => Self::NotFound { url, problem },
            (408 | 425 | 429 | 500..=599, _) if status != 501 => Self::Busy { url, status, wait, problem },
            _ => Self::Refused { url, status, problem },
        }
    }

    /// Returns for how long the server asks to wait.
    pub(super) fn asked_to_wait(&self) -> Option<Duration> {
        if let Self::Busy { wait, .. } = self { *wait } else { None }
    }
}

impl Explain for RemoteError {
    fn exit(&self) -> Exit {
        match self {
            Self::Address { .. } => Exit::Usage,
            Self::Network { source, .. } if source.is_lasting => Exit::Failure,
            Self::Network { .. } | Self::Interrupted { .. } | Self::Busy { .. } => Exit::TryAgain,
            Self::VersionConflict { .. } | Self::TargetChanged { .. } | Self::Nesting { .. } => {
                Exit::Conflict
            }
            Self::NotTrusted { .. } => Exit::Trust,
            Self::NotFound { .. } => Exit::NotFound,
            Self::Client(_)
            | Self::Proxy(_)
            | Self::Unauthorized { .. }
            | Self::Refused { .. }
            | Self::Answer { .. }
            | Self::Read { .. } => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "bad_repository",
            Self::Client(_) => "http_client",
            Self::Proxy(_) => "proxy_unsupported",
            Self::Network { .. } | Self::Interrupted { .. } => "network",
            Self::Busy { .. } => "server_busy",
            Self::Unauthorized { .. } => "unauthorized",
            Self::VersionConflict { .. } => "version_conflict",
            Self::TargetChanged { .. } => "target_changed",
            Self::Nesting { .. } => "nesting_coordinates",
            Self::NotTrusted { .. } => "not_accepted",
            Self::NotFound { .. } => "not_found",
            Self::Refused { .. } => "server_refused",
            Self::Answer { .. } => "server_answer",
            Self::Read { .. } => "package_unreadable",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Network { source, .. } if source.is_lasting => {
                "check the address, the proxies that the environment names, and the certificates of this host".into()
            }
            Self::Network { .. } => {
                "check the address, and that the server runs; then run the same command again: it goes on where it stopped".into()
            }
            Self::Interrupted { .. } | Self::Busy { .. } => {
                "run the same command again: it goes on where it stopped".into()
            }
            Self::Address { .. } => {
                "give the address that `repo-server serve` prints, such as https://packages.example.com".into()
            }
            Self::NotFound { url, .. } if url.contains("/proposals/") => {
                "`pkgbuild publish --co-sign --repo URL` lists what waits; it may be committed already, or out of date".into()
            }
            Self::Unauthorized { .. } => "set COPKG_TOKEN to a token of this repository".into(),
            Self::VersionConflict { .. } => "run the same command again".into(),
            Self::Nesting { .. } => "choose another group, id or version".into(),
            Self::TargetChanged { .. } => "raise the version".into(),
            Self::NotTrusted { .. } => "`pkgbuild repo status` shows whose keys speak for which role".into(),
            Self::Refused { problem, .. } if problem.code == "online_key_unknown" => {
                "start the server with that key too, then run the same command again: `repo-server serve --signing-key OLD \
                 --signing-key NEW`"
                    .into()
            }
            Self::Refused { status: 413, .. } => {
                "publish fewer files at once; the server's operator sets its limits (`repo-server serve --max-proposal`, `--max-blob`)"
                    .into()
            }
            Self::Answer { .. } => "check the address: it is that of a repo-server, without /api".into(),
            _ => return None,
        })
    }
}
