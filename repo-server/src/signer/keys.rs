//! The file of an online key: PKCS#8 in PEM, as `pkgbuild keygen` writes it, readable by its owner alone.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::keys::{KeyError, SecretKey};
use thiserror::Error;
use zeroize::Zeroizing;

/// Says why a key cannot be used.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("cannot read the key {path}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// Others may read the file.
    #[error("the key {path} can be read by other users (mode {mode:04o})")]
    Exposed {
        /// The file.
        path: Utf8PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is no key.
    #[error("{path} is no key that this server can use")]
    Malformed {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
}

/// Reads a key without a passphrase: the server signs by itself.
///
/// # Errors
/// When the file is not there, others may read it, or it is no key.
pub fn read_key(path: &Utf8Path) -> Result<SecretKey, KeyFileError> {
    let read = |source| KeyFileError::Read { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(read)?.permissions().mode() & 0o7777;
    let text = Zeroizing::new(fs::read_to_string(path).map_err(read)?);
    // What is no secret may be read by everybody, and is refused as what it is.
    if mode & 0o077 != 0 && text.contains("PRIVATE KEY") {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
    }
    SecretKey::from_pem(&text, None)
        .map_err(|source| KeyFileError::Malformed { path: path.to_owned(), source })
}

impl Explain for KeyFileError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::Read { .. } => Exit::Failure,
            Self::Exposed { .. } | Self::Malformed { .. } => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => "online_key_not_found",
            Self::Read { .. } => "online_key_not_readable",
            Self::Exposed { .. } => "online_key_exposed",
            Self::Malformed { .. } => "online_key_malformed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("name the file of a secret key without passphrase; `pkgbuild keygen` makes one".into())
            }
            Self::Exposed { path, .. } => Some(format!("chmod 600 '{path}'")),
            Self::Malformed { source: KeyError::PassphraseNeeded, .. } => {
                Some("the server signs by itself: its key has no passphrase".into())
            }
            Self::Malformed { .. } => Some(
                "`pkgbuild keygen NAME` makes NAME.key, the secret half: that is wanted, without passphrase"
                    .into(),
            ),
            Self::Read { .. } => None,
        }
    }
}
