//! Opening a store and the repository in it, for every subcommand that writes to one.

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::keys::SecretKey;
use thiserror::Error;

use crate::repository::RepositoryError;
use crate::signer::{KeyFileError, Signer, read_key};
use crate::storage::{Sharing, Storage, StorageError, StoreUrl};

/// Where a repository is, and with which keys it goes on.
#[derive(Debug, Args)]
pub(super) struct StoreOptions {
    #[arg(help = "The store: a directory as file:///path, or a bucket as s3://name[/prefix]")]
    #[arg(long, value_name = "URL", env = "COPKG_STORE", hide_env_values = true)]
    pub(super) store: StoreUrl,
    /// A key of snapshot and timestamp; without it <directory>.keys/online.key, if it is there
    #[arg(
        long,
        value_name = "FILE",
        env = "COPKG_SIGNING_KEY",
        hide_env_values = true,
        value_delimiter = ':'
    )]
    pub(super) signing_key: Vec<Utf8PathBuf>,
    /// Nobody else writes to this bucket: needed where the store cannot tell who was first
    #[arg(long)]
    pub(super) single_writer: bool,
}

/// Says why a store cannot be opened to write to it.
#[derive(Debug, Error)]
pub(super) enum OpenError {
    /// It cannot be opened at all.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The test of the store's promises failed.
    #[error("cannot test the store {url}")]
    Test { url: StoreUrl, source: object_store::Error },
    /// The store cannot tell who was first.
    #[error("the store {url} ignores preconditions: of several servers each would believe that it was first")]
    Preconditions { url: StoreUrl },
    /// The repository in it cannot be opened.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl StoreOptions {
    /// Reads the online keys: those that are named, or the one that `init` made beside a directory.
    pub(super) fn signer(&self) -> Result<Signer, OpenError> {
        let keys: Vec<SecretKey> = match self.default_key() {
            Some(path) if self.signing_key.is_empty() => vec![read_key(&path)?],
            _ => self.signing_key.iter().map(|path| read_key(path)).collect::<Result<_, _>>()?,
        };
        Ok(Signer::new(keys))
    }

    fn default_key(&self) -> Option<Utf8PathBuf> {
        let StoreUrl::Directory(directory) = &self.store else { return None };
        Some(keys_beside(directory).join("online.key")).filter(|path| path.exists())
    }

    /// Opens the store to write to it, and knows what it promises.
    pub(super) async fn open_to_write(&self) -> Result<Storage, OpenError> {
        let storage = Storage::open_to_write(&self.store)?;
        if let StoreUrl::Directory(_) = self.store {
            return Ok(storage);
        }
        let failed = |source| OpenError::Test { url: self.store.clone(), source };
        let preconditions = storage.test_preconditions().await.map_err(failed)?;
        tracing::info!(?preconditions, "tested what the store promises");
        match (self.single_writer, preconditions.allow_several_writers()) {
            (true, _) => Ok(storage.promising(preconditions, Sharing::Alone)),
            (false, true) => Ok(storage.promising(preconditions, Sharing::Shared)),
            (false, false) => Err(OpenError::Preconditions { url: self.store.clone() }),
        }
    }
}

/// Returns the directory of the keys that `init` makes for a store.
pub(super) fn keys_beside(directory: &camino::Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{}.keys", directory.as_str().trim_end_matches('/')))
}

impl Explain for OpenError {
    fn exit(&self) -> Exit {
        match self {
            Self::Storage(error) => error.exit(),
            Self::Key(error) => error.exit(),
            Self::Test { .. } => Exit::TryAgain,
            Self::Preconditions { .. } => Exit::Failure,
            Self::Repository(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Storage(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Test { .. } => "store_test_failed",
            Self::Preconditions { .. } => "store_without_preconditions",
            Self::Repository(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Storage(error) => error.hint(),
            Self::Key(error) => error.hint(),
            Self::Test { .. } => Some(
                "is the bucket there, and are AWS_ENDPOINT_URL, AWS_REGION and the credentials right?".into(),
            ),
            Self::Preconditions { .. } => {
                Some("run exactly one server on it and start that one with --single-writer".into())
            }
            Self::Repository(error) => error.hint(),
        }
    }
}
