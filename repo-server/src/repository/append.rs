//! Making the next commit, and moving the head to it.
//!
//! Files wait in `staged/`, the entry is made in the log (this commits), then everything is made visible and the head moves.
//! A crash before the entry leaves staged files that nobody names; one after it leaves a commit that the next to come
//! rolls forward.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use copkg_spec::repository::{CommitEntry, CommitNumber, CommittedRole};
use copkg_spec::tuf::Time;
use futures_util::future::try_join_all;
use tokio::sync::MutexGuard;

use super::advance::{Files, advance};
use super::error::RepositoryError;
use super::head::Head;
use super::{Repository, materialise};
use crate::layout::StorePath;
use crate::log;
use crate::signer::{RESIGN_SECONDS, Signer};
use crate::storage::{Created, Sharing, Storage};

type Result<T> = std::result::Result<T, RepositoryError>;

/// The right to move the head. One task of the process has it at a time.
#[derive(Debug)]
pub(crate) struct Moving<'r>(#[allow(dead_code, reason = "it is held, not read")] MutexGuard<'r, ()>);

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It was made, and is visible.
    New(CommitNumber),
    /// The very same commit was there, made by another server or an earlier try.
    Same(CommitNumber),
    /// Another server made another commit of this number. Nothing was committed.
    Behind,
}

/// Whether the log may be ahead of the head, because making a commit visible failed.
#[derive(Debug, Default)]
pub(super) struct Unfinished(AtomicBool);

impl Repository {
    /// Makes the first commit of a repository and opens it.
    ///
    /// # Errors
    /// When the files do not make a head, somebody else was faster, or the store fails.
    pub(crate) async fn found(
        storage: Storage,
        signer: Signer,
        roles: Vec<CommittedRole>,
        files: &Files,
        now: Time,
    ) -> Result<Self> {
        let entry = CommitEntry { commit: CommitNumber::FIRST, roles, time: now };
        advance(None, &entry, files, &signer)?;
        stage(&storage, &entry, files).await?;
        if log::create(&storage, &entry).await? == Created::Other {
            return Err(RepositoryError::Founded);
        }
        Self::open(storage, signer).await?.ok_or(RepositoryError::Founded)
    }

    /// Waits for the right to move the head.
    pub(crate) async fn moving(&self) -> Moving<'_> {
        Moving(self.inner.moving.lock().await)
    }

    /// Returns the head at the end of the log, which others may have moved.
    pub(crate) async fn at_the_end(&self, _: &Moving<'_>) -> Result<Arc<Head>> {
        let unfinished = self.inner.unfinished.0.load(Ordering::Relaxed);
        if unfinished || self.storage().sharing() == Sharing::Shared {
            self.catch_up_alone().await?;
            self.inner.unfinished.0.store(false, Ordering::Relaxed);
        }
        Ok(self.head())
    }

    /// Appends a commit to the head; returns when its timestamp is durable.
    ///
    /// `roles` are checked against the head; `files` has the bytes of each.
    pub(crate) async fn append(
        &self,
        _: &Moving<'_>,
        roles: Vec<CommittedRole>,
        files: &Files,
        now: Time,
    ) -> Result<Appended> {
        let before = self.head();
        let commit = before.commit().next().ok_or(RepositoryError::Last)?;
        // A clock that was set back must not shorten what is signed.
        let entry = CommitEntry { commit, roles, time: now.max(before.time()) };
        // What could not be made visible must not be committed.
        let head = advance(Some(&before), &entry, files, self.signer())?;
        stage(self.storage(), &entry, files).await?;
        let created = match log::create(self.storage(), &entry).await {
            Ok(created) => created,
            Err(error) => {
                self.inner.unfinished.0.store(true, Ordering::Relaxed);
                return Err(error.into());
            }
        };
        if created == Created::Other {
            self.inner.unfinished.0.store(true, Ordering::Relaxed);
            return Ok(Appended::Behind);
        }
        if let Err(error) =
            materialise::materialise(self.storage(), &entry, files, &head, self.signer()).await
        {
            self.inner.unfinished.0.store(true, Ordering::Relaxed);
            return Err(error);
        }
        materialise::unstage(self.storage(), &entry).await;
        self.inner.head.send_replace(Arc::new(head));
        Ok(if created == Created::New { Appended::New(commit) } else { Appended::Same(commit) })
    }

    /// Signs snapshot and timestamp again when they are old enough, and goes on where others are ahead or an earlier
    /// commit was not made visible. Called once a second.
    ///
    /// # Errors
    /// When the store fails; the next call tries again.
    pub async fn tick(&self, now: Time) -> Result<()> {
        if self.inner.signer.keys().is_empty() {
            return self.catch_up().await.map(|_| ());
        }
        let moving = self.moving().await;
        let head = self.at_the_end(&moving).await?;
        if now.unix_seconds() - head.time().unix_seconds() < RESIGN_SECONDS {
            return Ok(());
        }
        let appended = self.append(&moving, Vec::new(), &Files::new(), now).await?;
        tracing::info!(?appended, "signed again");
        Ok(())
    }
}

async fn stage(storage: &Storage, entry: &CommitEntry, files: &Files) -> Result<()> {
    let stage = entry.roles.iter().filter_map(|committed| {
        let bytes = files.get(&committed.role)?.clone();
        Some(async move { storage.put(&StorePath::staged(&committed.sha256), bytes).await })
    });
    try_join_all(stage).await?;
    Ok(())
}
