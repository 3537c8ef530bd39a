//! A verdict for another host: signed where the rehearsal was, checked where the change is made.
//!
//! The file is JSON: `rehearsal`, the verdict, and `signatures`, as a package has them, over the canonical form of the verdict with a
//! type of its own: no signature of a package serves for it.

use std::io;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::canonical;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::durable::{self, Existing};
use copkg_spec::keys::{KeyError, Payload, SecretKey, Signatures};
use copkg_spec::trust::TrustError;
use serde_json::{Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use super::UpgradeError;
use super::verdict::{Rehearsable, Rehearsed};
use crate::FileError;
use crate::host::Prefix;
use crate::trust::{self, Purpose, TrustStoreError};

/// The largest file that is read.
const LIMIT: u64 = 1 << 20;

/// Says why a verdict was not signed, or is not believed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AttestError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A secret key may be read by others.
    #[error("{path} can be read by others: its mode is {mode:o}")]
    KeyTooOpen {
        /// The key file.
        path: Utf8PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file holds no secret key, or its passphrase is missing or wrong.
    #[error("cannot sign with {path}")]
    Key {
        /// The key file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A file holds no verdict.
    #[error("{path} is not the verdict of a rehearsal: {why}")]
    Malformed {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The signatures are not enough.
    #[error("the verdict in {path} is not believed")]
    Untrusted {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// The pinned keys cannot be read.
    #[error(transparent)]
    Store(#[from] TrustStoreError),
}

impl Explain for AttestError {
    fn exit(&self) -> Exit {
        match self {
            Self::File(error) if error.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::File(_) => Exit::Failure,
            Self::KeyTooOpen { .. } | Self::Key { .. } => Exit::Usage,
            Self::Malformed { .. } | Self::Untrusted { .. } => Exit::Trust,
            Self::Store(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "verdict_file",
            Self::KeyTooOpen { .. } | Self::Key { .. } => "signing_key",
            Self::Malformed { .. } => "not_a_verdict",
            Self::Untrusted { .. } => "verdict_untrusted",
            Self::Store(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::KeyTooOpen { path, .. } => Some(format!("`chmod 600 {path}`")),
            Self::Key { source: KeyError::PassphraseNeeded, .. } => {
                Some("give the file with its passphrase: `--passphrase-file FILE`".into())
            }
            Self::Untrusted { source: TrustError::WrongSignature { .. }, .. } => {
                Some("the file was changed after it was signed: have the rehearsal attested again".into())
            }
            Self::Untrusted {
                source: TrustError::NoKeys { group } | TrustError::TooFew { group, .. },
                ..
            } => Some(format!(
                "if you trust whoever rehearsed it: `pkginstall trust add {group} KEY --rehearsals`"
            )),
            Self::Store(error) => error.hint(),
            _ => None,
        }
    }
}

/// A key file to sign with.
#[derive(Debug, Clone, Copy)]
pub struct SigningKey<'a> {
    /// The secret key.
    pub file: &'a Utf8Path,
    /// The file whose first line is its passphrase.
    pub passphrase: Option<&'a Utf8Path>,
}

/// Reads a secret key, before anything that would be for nothing without it.
///
/// # Errors
/// When it is not there, is readable by others, is no key, or the passphrase is missing or wrong.
pub fn read_signing_key(key: SigningKey<'_>) -> Result<SecretKey, AttestError> {
    let text = Zeroizing::new(read(key.file)?);
    let metadata = std::fs::metadata(key.file).map_err(file("read", key.file))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 && text.contains("PRIVATE KEY") {
        return Err(AttestError::KeyTooOpen { path: key.file.to_owned(), mode });
    }
    let passphrase = key.passphrase.map(read).transpose()?.map(Zeroizing::new);
    let first =
        passphrase.as_ref().map(|text| Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()));
    SecretKey::from_pem(&text, first.as_ref())
        .map_err(|source| AttestError::Key { path: key.file.to_owned(), source })
}

/// Writes `rehearsed` to the file `path`, signed, in one step.
///
/// # Errors
/// When the file cannot be written.
pub fn write_attested(rehearsed: &Rehearsed, key: &SecretKey, path: &Utf8Path) -> Result<(), AttestError> {
    // Every number in it is whole.
    let bytes = canonical::to_vec(rehearsed).unwrap_or_default();
    let signatures = Signatures::sign(&Payload::rehearsal(&bytes), [key]);
    let signatures: Value = serde_json::from_slice(&signatures.to_bytes()).unwrap_or_default();
    let document = json!({ "rehearsal": rehearsed, "signatures": signatures["signatures"] });
    let text = format!("{document:#}\n");
    durable::write(path.as_std_path(), 0o644, Existing::Replace, text.as_bytes()).map_err(file("write", path))
}

/// Tells whether the file `path` says that the change was rehearsed, and enough trusted keys say so.
///
/// Keys that are pinned for rehearsals of the package's group decide; where there are none, those that are pinned for its packages: they
/// could sign anything else that runs here.
///
/// # Errors
/// When it does not, is not signed so, or what counted is another here.
pub fn check_attested(prefix: &Prefix, path: &Utf8Path, change: Rehearsable<'_>) -> Result<(), UpgradeError> {
    let (verdict, bytes, signatures) = parse(path)?;
    let group = change.package.group();
    let own = trust::read_for(prefix, Purpose::Rehearsals).map_err(AttestError::from)?;
    let keyring = match own.pin_of(group) {
        Some(_) => own,
        None => trust::read(prefix).map_err(AttestError::from)?,
    };
    let untrusted = |source| AttestError::Untrusted { path: path.to_owned(), source };
    keyring.check(group, &Payload::rehearsal(&bytes), &signatures).map_err(untrusted)?;
    verdict.check(prefix, change)
}

fn parse(path: &Utf8Path) -> Result<(Rehearsed, Vec<u8>, Signatures), AttestError> {
    let malformed = |why: String| AttestError::Malformed { path: path.to_owned(), why };
    let text = read(path)?;
    let document: Value = serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
    let verdict = &document["rehearsal"];
    let bytes = canonical::to_vec(verdict).map_err(|error| malformed(error.to_string()))?;
    let signatures = canonical::to_vec(&json!({ "signatures": document["signatures"] }))
        .map_err(|error| malformed(error.to_string()))?;
    let signatures = Signatures::parse(&signatures).map_err(|error| malformed(error.to_string()))?;
    let verdict = serde_json::from_value(verdict.clone()).map_err(|error| malformed(error.to_string()))?;
    Ok((verdict, bytes, signatures))
}

fn read(path: &Utf8Path) -> Result<String, AttestError> {
    let length = std::fs::metadata(path).map_err(file("read", path))?.len();
    if length > LIMIT {
        return Err(AttestError::Malformed {
            path: path.to_owned(),
            why: format!("it has more than {LIMIT} bytes"),
        });
    }
    std::fs::read_to_string(path).map_err(file("read", path))
}

fn file(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> AttestError + use<> {
    let failed = FileError::at(action, path);
    move |source| AttestError::File(failed(source))
}
