//! Where tokens are kept: `private/tokens/<id>.json` in the store, one small file each, which no request can name.

use bytes::Bytes;
use copkg_spec::canonical::{self, CanonicalError};
use copkg_spec::command::{Exit, Explain};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use thiserror::Error;

use super::{Record, TokenId};
use crate::layout::StorePath;
use crate::storage::{ReadError, Storage, WriteError};

/// The directory of tokens in a store.
const DIRECTORY: &str = "private/tokens";
/// How many are read at once.
const PARALLEL: usize = 16;

/// Says why tokens cannot be read or kept.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It cannot be written down.
    #[error("the token cannot be written")]
    Encode(#[from] CanonicalError),
    /// A file is not one of a token.
    #[error("{path} is not a token")]
    Damaged {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// There is no such token.
    #[error("there is no token {id}")]
    Unknown {
        /// Its id.
        id: TokenId,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

fn path(id: &TokenId) -> StorePath {
    StorePath::private(format_args!("tokens/{id}.json"))
}

/// Reads all tokens, in the order in which they were made.
///
/// # Errors
/// When the store fails, or one is damaged.
pub async fn list(storage: &Storage) -> Result<Vec<Record>, TokenError> {
    let found = storage.list_all(DIRECTORY).await?;
    let read = |path: StorePath| async move {
        let Some(bytes) = storage.read(&path).await? else { return Ok(None) };
        let damaged = |source| TokenError::Damaged { path: path.to_string(), source };
        serde_json::from_slice::<Record>(&bytes).map(Some).map_err(damaged)
    };
    let paths = found.into_iter().map(|found| found.path);
    let read = stream::iter(paths).map(read).buffer_unordered(PARALLEL);
    let mut records: Vec<Record> = read.try_filter_map(|record| async { Ok(record) }).try_collect().await?;
    records.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    Ok(records)
}

/// Keeps a token. Durable when it returns.
///
/// # Errors
/// When the store fails.
pub async fn write(storage: &Storage, record: &Record) -> Result<(), TokenError> {
    Ok(storage.put(&path(&record.id), Bytes::from(canonical::to_vec(record)?)).await?)
}

/// Forgets a token.
///
/// # Errors
/// When there is none, or the store fails.
pub async fn remove(storage: &Storage, id: &TokenId) -> Result<(), TokenError> {
    if storage.object(&path(id)).await?.is_none() {
        return Err(TokenError::Unknown { id: id.clone() });
    }
    Ok(storage.remove(&path(id)).await?)
}

impl Explain for TokenError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read(_) | Self::Write(_) => Exit::TryAgain,
            Self::Unknown { .. } => Exit::NotFound,
            Self::Damaged { .. } => Exit::Trust,
            Self::Encode(_) | Self::Random => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read(_) | Self::Write(_) => "store_failed",
            Self::Unknown { .. } => "token_not_found",
            Self::Damaged { .. } => "token_damaged",
            Self::Encode(_) | Self::Random => "token_not_made",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { .. } => Some("`repo-server token list` shows the ids".into()),
            Self::Damaged { path, .. } => {
                Some(format!("remove {path} from the store; its token opens nothing"))
            }
            _ => None,
        }
    }
}
