//! The transparency log of a copy: every new entry is hashed onto the log that the copy has, and must give the head that the
//! timestamp signs. That is more than a proof of consistency: the copy has seen every entry.

use bytes::Bytes;
use copkg_spec::digest::Digest;
use copkg_spec::repository::{CommitEntry, Fingerprint};
use copkg_spec::tlog::{Bundle, Head, Resource, SignedCheckpoint, TlogError};
use copkg_spec::tuf::Trusted;
use futures_util::future::try_join_all;

use super::client::Before;
use super::source::Place;
use super::{Commits, Copied, Effect, Job, ReplicaError};
use crate::layout::StorePath;
use crate::transparency::{self, Log, add_signatures, advance_checkpoint, path_of};

/// How many bytes of bundles are in memory until they are written; what is more is fetched again.
const KEPT_BYTES: usize = 16 << 20;
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
    for part in verified(job, &log, head, before.head).await? {
        log = write(job, log, part).await?;
    }
    copied.entries = head.size - from;
    Ok(())
}

/// A bundle of entries that are those of the log.
struct Part {
    bundle: Bundle,
    digest: Digest,
    /// Its bytes, while there are few of them.
    bytes: Option<Bytes>,
}

/// Fetches the entries that are new, and checks that with them the log has the head that the timestamp signs, and the one that the
/// copy has shown: before anything of them is written.
async fn verified(
    job: &Job<'_>,
    before: &Log,
    head: Head,
    seen: Option<Head>,
) -> Result<Vec<Part>, ReplicaError> {
    let (mut log, mut parts, mut kept) = (before.clone(), Vec::new(), 0);
    let from = log.head().size;
    while log.head().size < head.size {
        let bundle = Bundle::with(log.head().size, head.size);
        let bundle = bundle.ok_or(TlogError::NoProof { from, to: head.size })?;
        let bytes = fetch(job, bundle).await?;
        for entry in new_entries(&log, bundle, &bytes)? {
            log = log.append(entry)?;
            if let Some(seen) = seen.filter(|seen| seen.size == log.head().size && *seen != log.head()) {
                return Err(TlogError::Inconsistent { from: seen.size, to: head.size }.into());
            }
        }
        kept += bytes.len();
        let digest = Digest::of(&bytes);
        parts.push(Part { bundle, digest, bytes: (kept <= KEPT_BYTES).then_some(bytes) });
    }
    if log.head() != head {
        return Err(TlogError::Inconsistent { from, to: head.size }.into());
    }
    Ok(parts)
}

/// Returns the entries of a bundle that the log has not.
fn new_entries(log: &Log, bundle: Bundle, bytes: &Bytes) -> Result<Vec<Bytes>, ReplicaError> {
    let skip = usize::try_from(log.head().size - bundle.first()).unwrap_or(usize::MAX);
    Ok(bundle.decode(bytes)?.into_iter().skip(skip).map(|entry| bytes.slice_ref(entry)).collect())
}

/// The log of the copy as it was, or from the beginning where the copy has lost it.
async fn taken_up(job: &Job<'_>, before: &Before) -> Result<Log, ReplicaError> {
    let Some(head) = before.head else { return Ok(Log::new()) };
    match Log::load(job.copy, head.size, Some(head)).await {
        Ok(log) => Ok(log),
        Err(error) => {
            // It must still begin as it did: `verified` sees to that.
            tracing::warn!(%error, "the copy's log cannot be taken up; it is fetched from its beginning");
            Ok(Log::new())
        }
    }
}

/// Writes the entries of a part, if they are kept as files, and the tiles that they make.
async fn write(job: &Job<'_>, mut log: Log, part: Part) -> Result<Log, ReplicaError> {
    let bytes = match part.bytes {
        Some(bytes) => bytes,
        None => fetch(job, part.bundle).await?,
    };
    if Digest::of(&bytes) != part.digest {
        return Err(ReplicaError::Mismatch { path: path_of(Resource::Bundle(part.bundle)).to_string() });
    }
    let entries = new_entries(&log, part.bundle, &bytes)?;
    let last = entries.len();
    for (at, entry) in entries.into_iter().enumerate() {
        let mut files = Vec::new();
        if job.commits == Commits::Kept {
            files.push((commit_path(&entry, log.head().size + 1)?, entry.clone()));
        }
        log = log.append(entry)?;
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
    let checkpoint = SignedCheckpoint::parse(&bytes)?;
    // The source may have gone on meanwhile, and other keys may sign its log now: that is for the next time.
    if Head::of_timestamp(trusted.timestamp())? != Some(checkpoint.unverified().head) {
        return Ok(());
    }
    let checkpoint = checkpoint.verify(&origin, &keys)?;
    if job.effect == Effect::Write {
        let signed = checkpoint.signed();
        advance_checkpoint(job.copy, signed).await?;
        add_signatures(job.copy, signed.unverified(), signed.note().signatures()).await?;
    }
    Ok(())
}
