//! Verified copies: `export` from a store, `mirror` from another server. One engine: a TUF client that keeps everything.
//!
//! Reads what the source says now, from the root that is pinned down to every group and bin; copies what the copy lacks; then
//! makes it visible. Nothing is believed because of where it came from: each role is verified as a host does, each blob by
//! its hash while it comes in, and the transparency log by hashing every new entry onto the log that the copy has.
//!
//! # What readers of the copy see
//! Blobs, roles and tiles come first; they have names of their own and nobody asks for them yet. Then the snapshot, the
//! roots but the last, `timestamp.json`, the last root, `tlog/checkpoint`. So the copy is as the source was before, or as it
//! is now. After a crash at any point the next run finds what is there and goes on; nothing is fetched twice.
//!
//! Memory: the roles of 16 groups at a time, one piece of each of 4 blobs, 16 MiB of the log.

mod client;
mod content;
mod error;
mod history;
mod http;
mod source;

use copkg_spec::repository::Fingerprint;
use copkg_spec::tuf::{Time, Version};
use serde::Serialize;

pub use error::{ReplicaError, Unreached};
pub use http::{Credentials, HttpSource, client as http_client};
pub use source::Source;

use crate::storage::Storage;

/// What a copy is made of and where it goes.
#[derive(Debug)]
pub struct Job<'j> {
    /// Where it comes from.
    pub source: &'j Source,
    /// Where it goes.
    pub copy: &'j Storage,
    /// The identity of the repository; nothing where the copy has its first root already.
    pub pinned: Option<Fingerprint>,
    /// The time, by which what has expired is told.
    pub now: Time,
    /// Whether the copy keeps the commits too: a mirror does, so that a server and `check` can use it.
    pub commits: Commits,
    /// Whether anything is written.
    pub effect: Effect,
}

/// Whether a copy keeps the commits as files of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    /// It does.
    Kept,
    /// It has them in the bundles of the transparency log alone.
    Bundled,
}

/// Whether a copy is made or only planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is made.
    Write,
    /// It is planned: metadata is fetched and verified, nothing is written.
    Plan,
}

/// What was copied, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// The identity of the repository.
    pub fingerprint: Fingerprint,
    /// The commit that the copy shows now.
    pub commit: Version,
    /// Whether it is another one than before.
    pub changed: bool,
    /// How many files of roles came.
    pub roles: u64,
    /// How many blobs came.
    pub blobs: u64,
    /// How many bytes these have.
    pub blob_bytes: u64,
    /// How many entries of the log came.
    pub entries: u64,
    /// The roles that the source serves and no host would believe, and why. The copy does not have them.
    pub left_out: Vec<String>,
}

/// Makes the copy what the source is now.
///
/// # Errors
/// When the source breaks a rule of TUF or of its log, fetching fails, or the copy cannot be written. What readers see of the
/// copy is then what they saw before.
pub async fn copy(job: &Job<'_>) -> Result<Copied, ReplicaError> {
    let mut client = client::Client::open(job).await?;
    let mut trusted = client.refresh().await?;
    let before = client.before()?;
    let mut copied = Copied {
        fingerprint: client.fingerprint(),
        commit: trusted.timestamp().version,
        changed: before.commit != Some(trusted.timestamp().version),
        roles: 0,
        blobs: 0,
        blob_bytes: 0,
        entries: 0,
        left_out: Vec::new(),
    };
    // Also when the commit is the same: a role that was left out may be as it should be now.
    content::copy(&mut client, &mut trusted, &before, &mut copied).await?;
    if copied.changed {
        history::copy(job, &trusted, &before, &mut copied).await?;
        client.publish(&trusted, &before).await?;
    } else {
        client.publish_roots().await?;
    }
    copied.roles = client.written();
    copied.changed |= copied.roles > 0;
    history::copy_checkpoint(job, &trusted, &copied.fingerprint).await?;
    Ok(copied)
}
