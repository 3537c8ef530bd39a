//! Adds signatures to a package file, in one step: the old file or the new one is there, never a part.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use copkg_spec::archive::{ResignError, add_signatures};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use copkg_spec::keys::{KeyId, SecretKey};
use thiserror::Error;

use super::{OpenPackage, PackageError};

/// A package that has been signed.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The digest of the package, which signatures do not change.
    pub digest: Digest,
    /// Everybody who signed it.
    pub signers: Vec<KeyId>,
    /// Whether a signature was added.
    pub changed: bool,
}

/// Checks the package at `path` and adds the signatures of `keys` to it.
///
/// # Errors
/// When no key is given, the file is no whole package, or it cannot be written. It is then as it was.
pub fn sign(path: &Path, keys: &[SecretKey]) -> Result<Signed, SignError> {
    let signed = rehearse(path, keys)?;
    if signed.changed {
        write(path, keys)?;
    }
    Ok(signed)
}

/// Does all that [`sign`] does but write.
///
/// # Errors
/// As [`sign`].
pub fn rehearse(path: &Path, keys: &[SecretKey]) -> Result<Signed, SignError> {
    if keys.is_empty() {
        return Err(SignError::NoKey);
    }
    let package = OpenPackage::without_trust(path)?;
    let digest = package.contents().digest();
    let mut signers = package.signers().to_vec();
    // Whoever signs vouches for every byte.
    package.check()?;
    let before = signers.len();
    signers.extend(keys.iter().map(|key| key.public().id()));
    signers.sort_unstable();
    signers.dedup();
    Ok(Signed { digest, changed: signers.len() > before, signers })
}

fn write(path: &Path, keys: &[SecretKey]) -> Result<(), SignError> {
    let failed = |source| SignError::Write { path: path.to_owned(), source };
    let old = File::open(path).map_err(failed)?;
    let mode = old.metadata().map_err(failed)?.permissions().mode();
    durable::write_with(path, mode, Existing::Replace, failed, |file| {
        let mut out = BufWriter::with_capacity(256 << 10, file);
        add_signatures(&mut BufReader::with_capacity(256 << 10, &old), keys, &mut out)
            .map_err(|source| SignError::Resign { path: path.to_owned(), source })?;
        out.flush().map_err(failed)
    })
}

/// Says why a package was not signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// No key is given.
    #[error("no key is given to sign with")]
    NoKey,
    /// The file is no whole package.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The signatures cannot be added.
    #[error("cannot sign {path}", path = path.display())]
    Resign {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ResignError,
    },
    /// The file cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Explain for SignError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoKey => Exit::Usage,
            Self::Package(error) => error.exit(),
            Self::Resign { .. } | Self::Write { .. } => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::Package(error) => error.code(),
            Self::Resign { .. } => "sign_failed",
            Self::Write { .. } => "package_unwritable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoKey => Some("name one with --key NAME.key; `pkgbuild keygen NAME` makes one".into()),
            Self::Package(error) => error.hint(),
            _ => None,
        }
    }
}
