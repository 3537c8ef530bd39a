//! The log of commits: `log/<20 digits>`, each made once and never changed. To make the next one is to commit.
//!
//! Before it: [`crate::publish`] checked what is proposed; after it: [`crate::repository`] makes snapshot and timestamp
//! of it. Whoever finds an entry that is not part of the timestamp yet rolls it forward.

use bytes::Bytes;
use copkg_spec::canonical::CanonicalError;
use copkg_spec::repository::{CommitEntry, CommitNumber};
use thiserror::Error;

use crate::layout::StorePath;
use crate::storage::{Created, ReadError, Storage, WriteError};
use crate::transparency::ENTRY_BYTES;

/// Says why the log could not be read or written.
#[derive(Debug, Error)]
pub enum LogError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// An entry is not one.
    #[error("entry {number} of the log is not one")]
    Malformed {
        /// Its number.
        number: CommitNumber,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// An entry says that it is another one.
    #[error("entry {number} of the log says that it is {found}")]
    Misplaced {
        /// Its number.
        number: CommitNumber,
        /// What it says.
        found: CommitNumber,
    },
    /// The commit changes more roles than an entry holds.
    #[error("a commit of {roles} roles has an entry of {bytes} bytes, the limit is {ENTRY_BYTES}")]
    TooLong {
        /// How many.
        roles: usize,
        /// How long the entry is.
        bytes: usize,
    },
    /// The entry cannot be written down.
    #[error("the entry cannot be written")]
    Encode(#[from] CanonicalError),
}

/// Reads one entry; `None` when there is none.
///
/// # Errors
/// When the store fails or the entry is damaged.
pub async fn read(storage: &Storage, number: CommitNumber) -> Result<Option<CommitEntry>, LogError> {
    let Some(bytes) = storage.read(&StorePath::commit(number)).await? else { return Ok(None) };
    let entry = CommitEntry::parse(&bytes).map_err(|source| LogError::Malformed { number, source })?;
    if entry.commit == number {
        Ok(Some(entry))
    } else {
        Err(LogError::Misplaced { number, found: entry.commit })
    }
}

/// Commits an entry, unless another one has its number. Durable when it returns.
///
/// # Errors
/// When the store fails. Then the entry may be part of the log all the same: whoever reads on will know.
pub async fn create(storage: &Storage, entry: &CommitEntry) -> Result<Created, LogError> {
    let bytes = Bytes::from(entry.to_bytes()?);
    if bytes.len() > ENTRY_BYTES {
        return Err(LogError::TooLong { roles: entry.roles.len(), bytes: bytes.len() });
    }
    Ok(storage.create(&StorePath::commit(entry.commit), bytes).await?)
}
