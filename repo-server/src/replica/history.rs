//! The transparency log of a copy: every new entry is hashed onto the log that the copy has, and must give the head that the
//! timestamp signs. That is more than a proof of consistency: the copy has seen every entry.

use bytes::Bytes;
use copkg_spec::repository::{CommitEntry, Fingerprint};
use copkg_spec::tlog::{Bundle, Head, Resource, SignedCheckpoint, TlogError};
use copkg_spec::tuf::Trusted;
use futures_util::future::try_join_all;

use super::client::Before;
use super::source::Place;
use super::{Commits, Copied, Effect, Job, ReplicaError};
use crate::layout::StorePath;
use crate::transparency::{self, Log, add_signatures, advance_checkpoint, path_of};

/// The longest checkpoint that is read, in bytes.
const CHECKPOINT_BYTES: u64 = 64 << 10;

/// Copies the entries that are new, and makes their tiles.
pub(super) async fn copy(
    job: &Job<'_>,
    trusted: &Trusted,
    before: &Before,
    copied: &mut Copied,
) -> Result<(), ReplicaError> {
    let Some(head) = Head::of_timestamp(trusted.timestamp())? else { return Ok(()) };
    let mut log = taken_up(job, before).await?;
    if log.head().size > head.size {
        return Err(TlogError::Shrunk { seen: log.head().size, found: head.size }.into());
    }
    let from = log.head().size;
    while log.head().size < head.size {
        let bundle = Bundle::with(log.head().size, head.size);
        let bundle = bundle.ok_or(TlogError::NoProof { from, to: head.size })?;
        log = append(job, log, bundle, before.head).await?;
    }
    if log.head() != head {
        return Err(TlogError::Inconsistent { from, to: head.size }.into());
    }
    copied.entries = head.size - from;
    Ok(())
}

/// The log of the copy as it was, or from the beginning where the copy has lost it.
async fn taken_up(job: &Job<'_>, before: &Before) -> Result<Log, ReplicaError> {
    let Some(head) = before.head else { return Ok(Log::new()) };
    match Log::load(job.copy, head.size, Some(head)).await {
        Ok(log) => Ok(log),
        Err(error) => {
            // It must still begin as it did: `append` sees to that.
            tracing::warn!(%error, "the copy's log cannot be taken up; it is fetched from its beginning");
            Ok(Log::new())
        }
    }
}

async fn append(
    job: &Job<'_>,
    mut log: Log,
    bundle: Bundle,
    seen: Option<Head>,
) -> Result<Log, ReplicaError> {
    let bytes = fetch(job, bundle).await?;
    let entries = bundle.decode(&bytes)?;
    let skip = usize::try_from(log.head().size - bundle.first()).unwrap_or(usize::MAX);
    let last = entries.len();
    for (at, entry) in entries.into_iter().enumerate().skip(skip) {
        let entry = bytes.slice_ref(entry);
        let number = bundle.first() + at as u64 + 1;
        let mut files = Vec::new();
        if job.commits == Commits::Kept {
            files.push((commit_path(&entry, number)?, entry.clone()));
        }
        log = log.append(entry)?;
        if let Some(seen) = seen.filter(|seen| seen.size == number && *seen != log.head()) {
            return Err(TlogError::Inconsistent { from: seen.size, to: bundle.first() + last as u64 }.into());
        }
        // Partial tiles of sizes that the copy never shows are of no use.
        let shown = at + 1 == last;
        files.extend(log.files().iter().filter(|(path, _)| shown || !path.as_str().contains(".p/")).cloned());
        if job.effect == Effect::Write {
            try_join_all(files.iter().map(|(path, bytes)| job.copy.put(path, bytes.clone()))).await?;
        }
    }
    Ok(log)
}

async fn fetch(job: &Job<'_>, bundle: Bundle) -> Result<Bytes, ReplicaError> {
    let limit = Bundle::MAX_BYTES as u64;
    for wanted in [bundle, bundle.full()] {
        let path = path_of(Resource::Bundle(wanted));
        if let Some(bytes) = job.source.small(&Place::same(path), limit).await? {
            return Ok(bytes);
        }
    }
    Err(ReplicaError::Missing { path: path_of(Resource::Bundle(bundle)).to_string() })
}

fn commit_path(entry: &[u8], number: u64) -> Result<StorePath, ReplicaError> {
    let refused =
        || TlogError::Malformed { what: "entry of the log", why: "it is not the commit of its place" };
    let commit = CommitEntry::parse(entry).map_err(|_| refused())?.commit;
    if commit.number() == number { Ok(StorePath::commit(commit)) } else { Err(refused().into()) }
}

/// Takes the checkpoint of the source with the cosignatures that it has by now, when it is that of the copy's timestamp.
pub(super) async fn copy_checkpoint(
    job: &Job<'_>,
    trusted: &Trusted,
    fingerprint: &Fingerprint,
) -> Result<(), ReplicaError> {
    let place = Place::same(path_of(Resource::Checkpoint));
    let Some(bytes) = job.source.small(&place, CHECKPOINT_BYTES).await? else { return Ok(()) };
    let origin = transparency::origin_of(fingerprint).map_err(transparency::TransparencyError::from)?;
    let keys =
        transparency::log_keys(&origin, trusted.root()).map_err(transparency::TransparencyError::from)?;
    let checkpoint = SignedCheckpoint::parse(&bytes)?.verify(&origin, &keys)?;
    let is_shown = Head::of_timestamp(trusted.timestamp())? == Some(checkpoint.head());
    if is_shown && job.effect == Effect::Write {
        let signed = checkpoint.signed();
        advance_checkpoint(job.copy, signed).await?;
        add_signatures(job.copy, signed.unverified(), signed.note().signatures()).await?;
    }
    Ok(())
}
