//! Sends a change to a repository server: proposes it, uploads what the server lacks, waits until everybody can see it.
//!
//! To propose again is how it goes on: a command that died at any point is simply repeated, and uploads only what is missing.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::digest::Digest;
use copkg_spec::repository::{Committed, MissingBlob, Pending, Proposal};
use copkg_spec::tuf::{Document, Role, Root, TargetPath, Targets, Version};
use thiserror::Error;

use super::online::Reading;
use super::remote::{Answer, Remote, RemoteError, Wait};
use super::view::ViewError;
use crate::surroundings::Ambient;

/// How many files are uploaded at once.
const UPLOADS: usize = 4;

/// The files that a change may need, by their digests.
pub type Blobs = BTreeMap<Digest, PathBuf>;

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It is part of the repository.
    Committed {
        /// Which commit.
        committed: Committed,
        /// Whether it became so just now.
        now: bool,
    },
    /// It waits for signatures.
    Pending(Pending),
}

/// Sends a proposal with the files that it needs, as far as it goes.
///
/// # Errors
/// When the server cannot be reached or refuses, or a file is missing here too.
pub fn send(proposal: &Proposal, blobs: &Blobs, remote: &Remote) -> Result<Sent, SendError> {
    // The server may ask for a file again that broke on its way, but not for ever.
    for _ in 0..=remote.patience().attempts {
        match remote.propose(proposal)? {
            Answer::Pending(pending) if !pending.missing_blobs.is_empty() => {
                upload(&pending.missing_blobs, blobs, remote)?;
            }
            answer => return Ok(Sent::of(answer)),
        }
    }
    Err(SendError::Unfinished)
}

impl Sent {
    /// Reads the answer of a server that misses no file.
    pub fn of(answer: Answer) -> Self {
        match answer {
            Answer::Committed(committed) => Self::Committed { committed, now: true },
            Answer::Already(committed) => Self::Committed { committed, now: false },
            Answer::Pending(pending) => Self::Pending(pending),
        }
    }
}

/// Uploads files, several at once. The first failure ends it; what is there by then stays.
fn upload(missing: &[MissingBlob], blobs: &Blobs, remote: &Remote) -> Result<(), SendError> {
    let find = |blob: &MissingBlob| match blobs.get(&blob.sha256) {
        Some(path) => Ok((blob.sha256, blob.length, path.as_path())),
        None => Err(SendError::NoFile { path: blob.path.clone() }),
    };
    let mut found = missing.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    found.sort_unstable();
    // Two packages may be the same file.
    found.dedup();
    let queue = Mutex::new(VecDeque::from(found));
    let work = || -> Result<(), SendError> {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((sha256, length, path)) = next else { return Ok(()) };
            match remote.upload(sha256, length, path) {
                // Somebody else brought it meanwhile; what is still missing the server says when it is asked again.
                Ok(()) | Err(RemoteError::NotFound { .. }) => {}
                Err(error) => {
                    queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    return Err(error.into());
                }
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..UPLOADS.min(missing.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or(Err(SendError::Unfinished)))
    })
}

/// Waits until a client sees every role of a committed proposal.
///
/// # Errors
/// When that takes too long, or the repository cannot be read.
pub fn wait_until_visible(
    proposal: &Proposal,
    reading: &Reading<'_>,
    ambient: &Ambient,
) -> Result<(), SendError> {
    let wanted = versions(proposal);
    let mut wait = Wait::for_at_most(reading.remote.patience().visible_within);
    loop {
        let view = reading.view(ambient)?;
        if wanted.iter().all(|(role, version)| view.version_of(role).is_some_and(|seen| seen >= *version)) {
            return Ok(());
        }
        drop(view);
        wait.a_little().ok_or(SendError::NotVisible)?;
    }
}

/// Returns the roles of a proposal with their versions.
fn versions(proposal: &Proposal) -> Vec<(Role, Version)> {
    let version = |role: &Role, bytes: Vec<u8>| match role {
        Role::Root => Document::<Root>::parse(bytes).ok().map(|document| document.unverified().version),
        _ => Document::<Targets>::parse(bytes).ok().map(|document| document.unverified().version),
    };
    let role = |name: &str| match name {
        "root" => Some(Role::Root),
        "targets" => Some(Role::Targets),
        name => name.parse().ok().map(Role::Delegated),
    };
    let files = proposal.roles.iter();
    files
        .filter_map(|proposed| {
            let role = role(&proposed.role)?;
            let version = version(&role, proposed.metadata.clone().into_bytes())?;
            Some((role, version))
        })
        .collect()
}

/// Says why a change could not be sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// The server is in the way.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The repository cannot be read again.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A file is neither there nor here.
    #[error("the repository lacks {path}, and it is not among the files of this command")]
    NoFile {
        /// The file.
        path: TargetPath,
    },
    /// The server goes on asking.
    #[error("the server asks for the same files again and again")]
    Unfinished,
    /// It is committed, and cannot be seen.
    #[error("it is committed, and the repository does not show it yet")]
    NotVisible,
}

impl SendError {
    /// Tells whether somebody else was faster.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Remote(RemoteError::VersionConflict { .. }))
    }
}

impl Explain for SendError {
    fn exit(&self) -> Exit {
        match self {
            Self::Remote(error) => error.exit(),
            Self::View(error) => error.exit(),
            Self::NoFile { .. } => Exit::NotFound,
            Self::Unfinished | Self::NotVisible => Exit::TryAgain,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Remote(error) => error.code(),
            Self::View(error) => error.code(),
            Self::NoFile { .. } => "blob_missing",
            Self::Unfinished => "upload_unfinished",
            Self::NotVisible => "not_visible",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Remote(error) => error.hint(),
            Self::View(error) => error.hint(),
            Self::NoFile { .. } => Some("publish the package file itself again".into()),
            Self::Unfinished => {
                Some("something between here and the server changes files on their way".into())
            }
            Self::NotVisible => Some("run the same command again: it says when it can be seen".into()),
        }
    }
}
