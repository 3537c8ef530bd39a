//! Proposals that wait for signatures or files, in the store, where every server finds them.
//!
//! `private/proposals/<id>.<digest>.json` is one copy of a proposal with the signatures that its sender had. Copies are
//! only added and read together, so nobody's signature is lost when two people sign at the same time on two servers.
//! What they name is no garbage: [`waiting_files`] tells [`crate::gc`].

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use copkg_spec::coordinate::Group;
use copkg_spec::digest::Digest;
use copkg_spec::repository::{Proposal, ProposalId};
use copkg_spec::tuf::{Document, Targets, Time};

use super::blob::Expected;
use super::proposed::Proposed;
use super::{Limits, PublishError};
use crate::inventory::blobs;
use crate::layout::StorePath;
use crate::storage::{ReadError, Storage, Stored};

/// Where they are, below the store.
const DIRECTORY: &str = "private/proposals";
/// How many files are remembered as expected.
const EXPECTED: usize = 100_000;

type Result<T> = std::result::Result<T, PublishError>;

/// The proposals that wait.
#[derive(Debug)]
pub(super) struct Waiting {
    storage: Storage,
    count: usize,
    bytes: u64,
    time: Duration,
    /// What is known of them. Only a hint: the proposals are in the store.
    hints: Mutex<Hints>,
    /// One looks through the proposals at a time.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Hints {
    /// Files that they need, by digest.
    expected: HashMap<Digest, Vec<Expected>>,
    /// Those whose files are all in `expected`, if they are needed.
    read: HashSet<ProposalId>,
    /// The groups that each is about.
    groups: HashMap<ProposalId, BTreeSet<Group>>,
}

impl Waiting {
    pub(super) fn new(storage: Storage, limits: &Limits) -> Self {
        let Limits { pending, pending_bytes, pending_time, .. } = *limits;
        let (hints, looking) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { storage, count: pending, bytes: pending_bytes, time: pending_time, hints, looking }
    }

    /// Returns the names of those that wait.
    pub(super) async fn ids(&self) -> Result<Vec<ProposalId>> {
        let mut ids: Vec<ProposalId> = self.copies().await?.iter().filter_map(id_of).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Reads one, with all signatures that anybody gave.
    pub(super) async fn get(&self, id: ProposalId) -> Result<Option<Proposed>> {
        let mut whole: Option<Proposed> = None;
        let mut copies = self.copies_of(id).await?;
        copies.sort_by(|a, b| a.path.as_str().cmp(b.path.as_str()));
        for copy in copies {
            let Some(proposal) = read_copy(&self.storage, &copy).await? else { continue };
            let Ok(read) = Proposed::read(proposal) else { continue };
            match &mut whole {
                Some(whole) if whole.id() == read.id() => whole.merge(&read)?,
                Some(_) => {}
                None => whole = Some(read),
            }
        }
        Ok(whole.filter(|whole| whole.id() == id))
    }

    /// Lets a proposal wait.
    pub(super) async fn add(&self, proposed: &Proposed) -> Result<()> {
        let bytes = Bytes::from(serde_json::to_vec(&proposed.to_wire()).unwrap_or_default());
        let id = proposed.id();
        let path = StorePath::private(format_args!("proposals/{id}.{}.json", Digest::of(&bytes)));
        if self.storage.object(&path).await?.is_some() {
            return Ok(());
        }
        self.make_room(id, bytes.len() as u64).await?;
        self.storage.create(&path, bytes).await?;
        Ok(())
    }

    async fn make_room(&self, id: ProposalId, length: u64) -> Result<()> {
        let copies = self.copies().await?;
        let bytes: u64 = copies.iter().map(|copy| copy.size).sum();
        if bytes + length > self.bytes {
            return Err(PublishError::Full("they have too many bytes together"));
        }
        let mut ids: Vec<ProposalId> = copies.iter().filter_map(id_of).filter(|other| *other != id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() >= self.count {
            return Err(PublishError::Full("there is a limit to their number"));
        }
        Ok(())
    }

    /// Forgets a proposal that was committed. What stays behind after a crash ends by its age.
    pub(super) async fn done(&self, id: ProposalId) {
        let Ok(copies) = self.copies_of(id).await else { return };
        for copy in copies {
            let _ = self.storage.remove(&copy.path).await;
        }
    }

    /// Removes what waited too long.
    pub(super) async fn expire(&self, now: Time) -> Result<()> {
        let oldest = before(now, self.time);
        for copy in self.copies().await?.iter().filter(|copy| copy.modified < oldest) {
            tracing::info!(path = %copy.path, "a proposal waited too long");
            self.storage.remove(&copy.path).await?;
        }
        Ok(())
    }

    fn hints(&self) -> MutexGuard<'_, Hints> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers which files are needed.
    pub(super) fn expect(&self, files: Vec<Expected>) {
        let mut hints = self.hints();
        if hints.expected.len() + files.len() > EXPECTED {
            hints.expected.clear();
            hints.read.clear();
        }
        for file in files {
            let there = hints.expected.entry(file.blob.sha256).or_default();
            there.retain(|other| other.blob.path != file.blob.path);
            there.push(file);
        }
    }

    /// Returns what is remembered of a file.
    pub(super) fn expected(&self, digest: &Digest) -> Vec<Expected> {
        self.hints().expected.get(digest).cloned().unwrap_or_default()
    }

    /// Waits until nobody else looks through the proposals.
    pub(super) async fn look(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.looking.lock().await
    }

    /// Returns the proposals that nobody has looked through for the files that they need.
    pub(super) async fn unread(&self) -> Result<Vec<ProposalId>> {
        let ids = self.ids().await?;
        let mut hints = self.hints();
        hints.read.retain(|id| ids.binary_search(id).is_ok());
        hints.groups.retain(|id, _| ids.binary_search(id).is_ok());
        Ok(ids.into_iter().filter(|id| !hints.read.contains(id)).collect())
    }

    /// Remembers that the files that a proposal needs are expected.
    pub(super) fn mark_read(&self, id: ProposalId) {
        self.hints().read.insert(id);
    }

    /// Returns the groups that a proposal is about, where they are known.
    pub(super) fn groups(&self, id: ProposalId) -> Option<BTreeSet<Group>> {
        self.hints().groups.get(&id).cloned()
    }

    /// Remembers the groups that a proposal is about.
    pub(super) fn remember(&self, id: ProposalId, groups: BTreeSet<Group>) {
        self.hints().groups.insert(id, groups);
    }

    /// Returns how many bytes the copies of a proposal have together.
    pub(super) async fn size(&self, id: ProposalId) -> Result<u64> {
        Ok(self.copies_of(id).await?.iter().map(|copy| copy.size).sum())
    }

    /// Returns since when a proposal waits; nothing when it does not.
    pub(super) async fn since(&self, id: ProposalId) -> Result<Option<SystemTime>> {
        Ok(self.copies_of(id).await?.iter().map(|copy| copy.modified).min())
    }

    async fn copies(&self) -> Result<Vec<Stored>> {
        Ok(self.storage.list_all(DIRECTORY).await?)
    }

    async fn copies_of(&self, id: ProposalId) -> Result<Vec<Stored>> {
        let mut copies = self.copies().await?;
        copies.retain(|copy| id_of(copy) == Some(id));
        Ok(copies)
    }
}

/// Returns the time that lies `span` before `now`.
pub(super) fn before(now: Time, span: Duration) -> SystemTime {
    let seconds = u64::try_from(now.unix_seconds()).unwrap_or_default();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    now.checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Returns where the files are, or will be, that proposals that wait name.
///
/// # Errors
/// When the store fails.
pub async fn waiting_files(storage: &Storage) -> std::result::Result<Vec<StorePath>, ReadError> {
    let mut files = Vec::new();
    for copy in storage.list_all(DIRECTORY).await? {
        let Some(proposal) = read_copy(storage, &copy).await? else { continue };
        for role in proposal.roles {
            // Root names no files, and what is no metadata will never be committed.
            let Ok(targets) = Document::<Targets>::parse(role.metadata.into_bytes()) else { continue };
            files.extend(blobs(targets.unverified()).map(|(path, ..)| path));
        }
    }
    Ok(files)
}

/// Reads one copy. One that was removed since, or that a crash left half written elsewhere, is not there.
async fn read_copy(storage: &Storage, copy: &Stored) -> std::result::Result<Option<Proposal>, ReadError> {
    let bytes = storage.read(&copy.path).await?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

fn id_of(copy: &Stored) -> Option<ProposalId> {
    copy.path.as_str().strip_prefix(DIRECTORY)?.strip_prefix('/')?.split('.').next()?.parse().ok()
}
