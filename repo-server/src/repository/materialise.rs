//! Making a commit visible: its metadata files, the snapshot, then `timestamp.json`, never backwards, then a new root.
//!
//! Everything but the timestamp is a file that is made once. So whoever finds the log ahead of the timestamp does all of
//! this again, whatever part of it was done before, and a reader of the files never sees a timestamp whose snapshot, or a
//! snapshot whose roles, are not there.
//!
//! A new root comes last: snapshot and timestamp are signed by the keys of both roots, so a client is served well whether
//! it has seen the new root or not.

use bytes::Bytes;
use copkg_spec::digest::Digest;
use copkg_spec::repository::{CommitEntry, CommittedRole};
use copkg_spec::tuf::{Document, Role, Timestamp};
use futures_util::future::try_join_all;

use super::advance::{Files, files_before_timestamp, role_of};
use super::error::RepositoryError;
use super::head::Head;
use crate::layout::StorePath;
use crate::signer::Signer;
use crate::storage::{Created, Replaced, Storage};
use crate::transparency::{self, TransparencyError};

type Result<T> = std::result::Result<T, RepositoryError>;

/// Writes all files of a commit, of which `head` is the state after it.
pub(super) async fn materialise(
    storage: &Storage,
    entry: &CommitEntry,
    files: &Files,
    head: &Head,
    signer: &Signer,
) -> Result<()> {
    let mut written = files_before_timestamp(entry, files, head);
    let snapshot = written.pop();
    try_join_all(written.into_iter().map(|(path, bytes)| write_once(storage, path, bytes))).await?;
    if let Some((path, bytes)) = snapshot {
        write_once(storage, path, bytes).await?;
    }
    advance_timestamp(storage, head).await?;
    advance_checkpoint(storage, head, signer).await?;
    write_root(storage, entry).await
}

/// Lets `tlog/checkpoint` say what the timestamp says. Without the keys, or in a repository whose timestamp has none of
/// them, there is none.
pub(super) async fn advance_checkpoint(storage: &Storage, head: &Head, signer: &Signer) -> Result<()> {
    let checkpoint = transparency::origin_of(&head.fingerprint)
        .and_then(|origin| transparency::sign_head(&origin, head.log.head(), &head.root, signer.keys()))
        .map_err(TransparencyError::from)?;
    if let Some(checkpoint) = checkpoint {
        transparency::advance_checkpoint(storage, &checkpoint).await?;
    }
    Ok(())
}

/// Reads the files that an entry names: where they waited for it, or where somebody else put them already.
pub(super) async fn files_of(storage: &Storage, entry: &CommitEntry) -> Result<Files> {
    let read = entry.roles.iter().map(|committed| async {
        Ok::<_, RepositoryError>((committed.role.clone(), file_of(storage, entry, committed).await?))
    });
    Ok(try_join_all(read).await?.into_iter().collect())
}

async fn file_of(storage: &Storage, entry: &CommitEntry, committed: &CommittedRole) -> Result<Bytes> {
    let staged = StorePath::staged(&committed.sha256);
    let path = StorePath::metadata(&role_of(&committed.role)?, committed.version);
    let bytes = match storage.read(&staged).await? {
        Some(bytes) => bytes,
        None => {
            storage.read(&path).await?.ok_or_else(|| RepositoryError::Missing { path: path.to_string() })?
        }
    };
    if Digest::of(&bytes) == committed.sha256 {
        return Ok(bytes);
    }
    Err(RepositoryError::Mismatch { path: path.to_string(), commit: entry.commit })
}

/// Writes the root of an entry that has one.
pub(super) async fn write_root(storage: &Storage, entry: &CommitEntry) -> Result<()> {
    let Some(committed) = entry.roles.iter().find(|committed| committed.role == "root") else {
        return Ok(());
    };
    let path = StorePath::metadata(&Role::Root, committed.version);
    if storage.object(&path).await?.is_some() {
        return Ok(());
    }
    let bytes = file_of(storage, entry, committed).await?;
    write_once(storage, path, bytes).await
}

/// Removes what waited for the commit. What stays behind after a crash is for `gc`.
pub(super) async fn unstage(storage: &Storage, entry: &CommitEntry) {
    for committed in &entry.roles {
        let path = StorePath::staged(&committed.sha256);
        if let Err(error) = storage.remove(&path).await {
            tracing::debug!(%path, %error, "a staged file stays behind");
        }
    }
}

async fn write_once(storage: &Storage, path: StorePath, bytes: Bytes) -> Result<()> {
    if storage.create(&path, bytes).await? == Created::Other {
        // Another server with other online keys made it too. Both are right.
        tracing::warn!(%path, "is there with other bytes, and stays as it is");
    }
    Ok(())
}

/// Lets the timestamp name the head, unless it names this or a later one.
async fn advance_timestamp(storage: &Storage, head: &Head) -> Result<()> {
    let path = StorePath::timestamp();
    loop {
        let there = storage.read_stamped(&path).await?;
        if let Some((bytes, _)) = &there {
            let document = Document::<Timestamp>::parse(bytes.to_vec())
                .map_err(|source| RepositoryError::Malformed { role: Role::Timestamp.to_string(), source })?;
            if document.unverified().version >= head.timestamp.version {
                return Ok(());
            }
        }
        let stamp = there.as_ref().map(|(_, stamp)| stamp);
        if storage.replace(&path, stamp, head.timestamp_bytes()).await? == Replaced::Yes {
            return Ok(());
        }
    }
}
