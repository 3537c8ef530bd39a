//! What can go wrong with pinned keys.

use std::io;

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::CoordinateError;
use copkg_spec::keys::KeyId;
use copkg_spec::trust::GroupPattern;
use thiserror::Error;

/// Says why pins could not be read or changed.
#[derive(Debug, Error)]
pub enum TrustStoreError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file or directory.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is no pin.
    #[error("{path} is not a list of trusted keys")]
    Pin {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A file cannot be written or removed.
    #[error("cannot change {path}")]
    Write {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An argument is no key.
    #[error("cannot trust that key")]
    Key(#[source] CoordinateError),
    /// A file holds no key.
    #[error("{path} does not hold a public key")]
    KeyFile {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: CoordinateError,
    },
    /// More keys must sign than there are.
    #[error("{threshold} of {keys} keys cannot be asked to sign")]
    Threshold {
        /// How many must sign.
        threshold: u32,
        /// How many there are.
        keys: usize,
    },
    /// Nothing is pinned for these groups.
    #[error("no key is pinned for {groups}")]
    NoPin {
        /// The groups.
        groups: GroupPattern,
    },
    /// The key is not one of the pin.
    #[error("key {key} is not pinned for {groups}")]
    NoKey {
        /// The groups.
        groups: GroupPattern,
        /// The key.
        key: KeyId,
    },
}

impl Explain for TrustStoreError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::Read { .. } | Self::Write { .. } => Exit::Failure,
            Self::Pin { .. } => Exit::Trust,
            Self::Key(_) | Self::KeyFile { .. } | Self::Threshold { .. } => Exit::Usage,
            Self::NoPin { .. } | Self::NoKey { .. } => Exit::NotFound,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "trust_unreadable",
            Self::Write { .. } => "trust_unwritable",
            Self::Pin { .. } => "trust_damaged",
            Self::Key(_) | Self::KeyFile { .. } => "not_a_key",
            Self::Threshold { .. } => "bad_threshold",
            Self::NoPin { .. } | Self::NoKey { .. } => "not_pinned",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Key(_) | Self::KeyFile { .. } => Some(
                "give `ed25519:<64 hexadecimal digits>`, or the .pub file that `pkgbuild keygen` wrote"
                    .into(),
            ),
            Self::NoPin { .. } | Self::NoKey { .. } => {
                Some("`pkginstall trust list` shows what is pinned".into())
            }
            Self::Threshold { .. } => {
                Some("give more keys, or a `--threshold` from 1 to their number".into())
            }
            _ => None,
        }
    }
}
