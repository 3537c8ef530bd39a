//! Opens a package file, reads its head, and checks the rest of it against that.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use copkg_spec::archive::{Contents, Discard, Head, HeadError, Sink, UnpackError, VerifyError};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::digest::{Digest, Hashed};
use copkg_spec::keys::KeyId;
use copkg_spec::trust::{Keyring, TrustError};
use thiserror::Error;

use super::unpack::{SinkError, UnpackTo};

/// A package file whose head has been read.
#[derive(Debug)]
pub struct OpenPackage {
    path: PathBuf,
    reader: Hashed<BufReader<File>>,
    contents: Contents,
    signers: Vec<KeyId>,
}

/// How large a package file is and what digest it has as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    /// Bytes.
    pub length: u64,
    /// The digest.
    pub sha256: Digest,
}

impl OpenPackage {
    /// Opens a package without asking who signed it: to look at it.
    ///
    /// # Errors
    /// When it cannot be read or is no package.
    pub fn without_trust(path: &Path) -> Result<Self, PackageError> {
        let (head, mut reader) = read_head(path)?;
        let signers = head.signatures().iter().map(|signature| *signature.key()).collect();
        let contents = head.without_trust().read_contents(&mut reader);
        let contents = contents.map_err(|source| PackageError::Contents { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), reader, contents, signers })
    }

    /// Opens a package that keys of `keyring` must have signed.
    ///
    /// # Errors
    /// When it cannot be read, is no package, or is not signed by enough of the keys.
    pub fn trusted(path: &Path, keyring: impl FnOnce(&Head) -> Keyring) -> Result<Self, PackageError> {
        let (head, mut reader) = read_head(path)?;
        let keyring = keyring(&head);
        let verified = head.verify(&keyring);
        let verified = verified.map_err(|source| PackageError::Trust { path: path.to_owned(), source })?;
        let index = verified.read_index(&mut reader);
        let index = index.map_err(|source| PackageError::Contents { path: path.to_owned(), source })?;
        let signers = index.signers().to_vec();
        Ok(Self { path: path.to_owned(), reader, contents: index.into_contents(), signers })
    }

    /// Returns where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the manifest, the index and the attachments.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Returns the keys that signed: those that were asked for, or all that the package names.
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }

    /// Reads the payload to its end and checks every byte of it.
    ///
    /// # Errors
    /// At the first byte that is not what the manifest says.
    pub fn check(self) -> Result<FileIdentity, PackageError> {
        self.read_payload(&mut Discard::default())
    }

    /// Unpacks the payload into a directory that nobody else can reach.
    ///
    /// # Errors
    /// At the first byte that is not what the manifest says, or when something cannot be written.
    pub fn unpack(self, into: &Path) -> Result<FileIdentity, PackageError> {
        let source_date = self.contents.manifest().source_date();
        self.read_payload(&mut UnpackTo::new(into, source_date))
    }

    fn read_payload(mut self, sink: &mut impl Sink<Error = SinkError>) -> Result<FileIdentity, PackageError> {
        let Self { path, reader, contents, .. } = &mut self;
        let read = |source| PackageError::Read { path: path.clone(), source };
        let unpacker = contents.unpacker().map_err(read)?;
        unpacker
            .unpack(reader, sink)
            .map_err(|source| PackageError::Payload { path: path.clone(), source: Box::new(source) })?;
        let (_, length, sha256) = self.reader.finish();
        Ok(FileIdentity { length, sha256 })
    }
}

fn read_head(path: &Path) -> Result<(Head, Hashed<BufReader<File>>), PackageError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => PackageError::Missing { path: path.to_owned() },
        _ => PackageError::Read { path: path.to_owned(), source },
    })?;
    let mut reader = Hashed::new(BufReader::with_capacity(256 << 10, file));
    let head =
        Head::read(&mut reader).map_err(|source| PackageError::Head { path: path.to_owned(), source })?;
    Ok((head, reader))
}

/// Says why a package file cannot be used.
#[derive(Debug, Error)]
pub enum PackageError {
    /// It is not there.
    #[error("there is no file {path}", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no package.
    #[error("{path} is not a package", path = path.display())]
    Head {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: HeadError,
    },
    /// The keys did not sign it.
    #[error("{path} is not trusted", path = path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// Its head is not what the manifest says.
    #[error("{path} is not what its manifest says", path = path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: VerifyError,
    },
    /// Its payload is not what the manifest says, or cannot be unpacked.
    #[error("{path} is not what its manifest says", path = path.display())]
    Payload {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<UnpackError<SinkError>>,
    },
}

impl PackageError {
    fn inner(&self) -> Option<&dyn Explain> {
        match self {
            Self::Missing { .. } | Self::Read { .. } => None,
            Self::Head { source, .. } => Some(source),
            Self::Trust { source, .. } => Some(source),
            Self::Contents { source, .. } => Some(source),
            Self::Payload { source, .. } => Some(source.as_ref()),
        }
    }
}

impl Explain for PackageError {
    fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } => Exit::NotFound,
            _ => self.inner().map_or(Exit::Failure, Explain::exit),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "package_missing",
            _ => self.inner().map_or("package_unreadable", Explain::code),
        }
    }

    fn hint(&self) -> Option<String> {
        self.inner().and_then(Explain::hint)
    }
}
