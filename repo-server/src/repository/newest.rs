//! The newest timestamp, so that nobody who polls ever sees it go back, whichever of several servers answers.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Mutex;

use super::{Repository, RepositoryError};
use crate::layout::StorePath;
use crate::storage::Sharing;

/// Looks at the timestamp of a store that others write too. Requests that come while one look is on its way share the
/// next: what a request gets was read after it came.
#[derive(Debug, Default)]
pub(super) struct Looks {
    started: AtomicU64,
    last: Mutex<Look>,
}

#[derive(Debug, Default)]
struct Look {
    number: u64,
    bytes: Option<Bytes>,
}

impl Repository {
    /// Returns the bytes of `timestamp.json` where nobody else writes: those of the head, the same ones until the head moves.
    pub(crate) fn timestamp_in_memory(&self) -> Option<Bytes> {
        let alone = self.storage().sharing() == Sharing::Alone && self.can_sign();
        alone.then(|| self.head().timestamp_bytes())
    }

    /// Returns the bytes of the newest `timestamp.json`. Where nobody else writes that is the head's; otherwise the store
    /// is asked.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn newest_timestamp(&self) -> Result<Bytes, RepositoryError> {
        if let Some(bytes) = self.timestamp_in_memory() {
            return Ok(bytes);
        }
        let looks = &self.inner.looks;
        let before = looks.started.load(Ordering::SeqCst);
        let mut last = looks.last.lock().await;
        if last.number > before
            && let Some(bytes) = &last.bytes
        {
            return Ok(bytes.clone());
        }
        let number = looks.started.fetch_add(1, Ordering::SeqCst) + 1;
        let path = StorePath::timestamp();
        let missing = || RepositoryError::Missing { path: path.to_string() };
        let bytes = self.storage().read(&path).await?.ok_or_else(missing)?;
        *last = Look { number, bytes: Some(bytes.clone()) };
        Ok(bytes)
    }
}
