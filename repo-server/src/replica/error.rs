//! Why a copy cannot be made.

use std::error::Error as _;
use std::io;

use copkg_spec::command::{Exit, Explain, said};
use copkg_spec::http::is_for_now;
use copkg_spec::repository::Fingerprint;
use copkg_spec::tlog::TlogError;
use copkg_spec::tuf::{MalformedError, TufError};
use reqwest::StatusCode;
use thiserror::Error;

use crate::storage::{ReadError, WriteError};
use crate::transparency::TransparencyError;

/// Says why a copy cannot be made.
#[derive(Debug, Error)]
pub enum ReplicaError {
    /// A store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The copy cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The source breaks a rule.
    #[error(transparent)]
    Rule(#[from] TufError),
    /// The log of the source is refused.
    #[error(transparent)]
    Log(#[from] TlogError),
    /// The log of the copy cannot be read or written.
    #[error(transparent)]
    Transparency(#[from] TransparencyError),
    /// What the copy has is damaged.
    #[error("{path} of the copy is damaged")]
    Copy {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: MalformedError,
    },
    /// There is no HTTP client.
    #[error("cannot set up the HTTP client: {why}")]
    Client {
        /// Why.
        why: String,
    },
    /// A URL is none.
    #[error("{url} cannot be a repository: it is http(s)://host/path, without query, user and password")]
    BadUrl {
        /// What was given.
        url: String,
    },
    /// A file does not come.
    #[error("cannot fetch {url}")]
    Fetch {
        /// Which one.
        url: String,
        /// Why.
        #[source]
        source: Unreached,
    },
    /// The server refuses.
    #[error("cannot fetch {url}: the server answers {status}")]
    Refused {
        /// Which file.
        url: String,
        /// What it answers.
        status: StatusCode,
    },
    /// A file is longer than it may be.
    #[error("{path} is longer than {limit} bytes")]
    TooLong {
        /// Which one.
        path: String,
        /// The limit.
        limit: u64,
    },
    /// There is no first root.
    #[error("there is no repository with metadata at {place}")]
    NoRepository {
        /// Where it was looked for.
        place: String,
    },
    /// A file is missing from the source.
    #[error("the source has no {path}")]
    Missing {
        /// Which one.
        path: String,
    },
    /// A file is another one than was signed.
    #[error("{path} of the source is not the file that was signed")]
    Mismatch {
        /// Which one.
        path: String,
    },
    /// Nothing says which repository it should be.
    #[error("nothing says which repository this should be a copy of")]
    NotPinned,
    /// It is another repository.
    #[error("there is the repository {found}, and not {expected}")]
    Fingerprint {
        /// What was pinned.
        expected: Fingerprint,
        /// What came.
        found: Fingerprint,
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
    /// Takes what stays so.
    pub(super) fn lasting(why: String) -> Self {
        Self { said: why, is_lasting: true }
    }

    /// Says that a server ended before its file did.
    pub(super) fn too_short() -> Self {
        Self { said: "the connection ended before the file did".to_owned(), is_lasting: false }
    }

    /// Takes what would be said.
    #[cfg(test)]
    pub(crate) fn new(text: &str) -> Self {
        Self { said: text.to_owned(), is_lasting: false }
    }
}

impl From<reqwest::Error> for Unreached {
    fn from(error: reqwest::Error) -> Self {
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
        Self { said: format!("{what}{cause}"), is_lasting: false }
    }
}

impl Explain for ReplicaError {
    fn exit(&self) -> Exit {
        match self {
            Self::Fetch { source, .. } if source.is_lasting => Exit::Failure,
            Self::Refused { status, .. } if is_for_now(status.as_u16()) => Exit::TryAgain,
            Self::Read(_) | Self::Write(_) | Self::Fetch { .. } => Exit::TryAgain,
            Self::Rule(error) => error.exit(),
            Self::Log(error) => error.exit(),
            Self::Transparency(error) => error.exit(),
            Self::Copy { .. } | Self::TooLong { .. } | Self::Mismatch { .. } | Self::Fingerprint { .. } => {
                Exit::Trust
            }
            Self::Client { .. } => Exit::Failure,
            Self::NotPinned => Exit::Trust,
            Self::BadUrl { .. } => Exit::Usage,
            Self::Missing { .. } | Self::Refused { .. } | Self::NoRepository { .. } => Exit::NotFound,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read(_) | Self::Write(_) => "store_failed",
            Self::Fetch { .. } => "fetch_failed",
            Self::Refused { .. } => "fetch_refused",
            Self::Rule(error) => error.code(),
            Self::Log(error) => error.code(),
            Self::Transparency(error) => error.code(),
            Self::Copy { .. } => "repository_damaged",
            Self::TooLong { .. } | Self::Mismatch { .. } => "source_mismatch",
            Self::Missing { .. } => "source_incomplete",
            Self::Fingerprint { .. } => "other_repository",
            Self::Client { .. } => "http_client",
            Self::BadUrl { .. } => "bad_repository",
            Self::NotPinned => "root_not_pinned",
            Self::NoRepository { .. } => "no_repository",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Rule(error) => return error.hint(),
            Self::Log(error) => return error.hint(),
            Self::Transparency(error) => return error.hint(),
            Self::Missing { .. } | Self::Mismatch { .. } | Self::TooLong { .. } => {
                "run it again; if it repeats, the source is damaged: tell its owner".into()
            }
            Self::Fetch { source, .. } if source.is_lasting => {
                "check the address, the proxies that the environment names, and the certificates of this host".into()
            }
            Self::Fetch { .. } => {
                "check the address, and that the server runs; what came is kept, and the next run goes on".into()
            }
            Self::BadUrl { .. } => {
                "give the address that `repo-server serve` prints there, such as https://packages.example.com".into()
            }
            Self::NoRepository { .. } => {
                "give the address below which its metadata/, targets/ and tlog/ are; a plain directory of packages has none".into()
            }
            Self::NotPinned => {
                "the first time name it with --root FINGERPRINT; its owner prints it with `pkgbuild repo status`".into()
            }
            Self::Fingerprint { .. } => "correct the address or --root; a copy is of one repository for ever".into(),
            Self::Refused { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. } => {
                "the repository is closed: name a file with a token for all groups with --token-file, or --user and --password-file"
                    .into()
            }
            Self::Copy { path, .. } => format!("remove {path} from the copy and run it again"),
            _ => return None,
        })
    }
}
