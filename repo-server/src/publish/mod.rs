//! Publishing: from a proposal over HTTP to a commit. Before it: [`crate::api`] reads the request; after it:
//! [`crate::repository`] appends to the log.
//!
//! The signature is the credential. What comes in has a place and room before it is understood (`intake`). A proposal is held against what its delegators say today (`check`); while
//! signatures or files are missing it waits (`pending`), files are taken only where a waiting proposal names them and
//! only when they are what it says (`blob`); those that the store has already are not asked for (`stored`). Then it is
//! committed together with others that are ready (`committer`).

mod blob;
mod check;
mod committer;
mod error;
mod found;
mod intake;
mod nesting;
mod pending;
mod proposed;
mod rate;
mod rules;
mod stored;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use camino::Utf8PathBuf;
use copkg_spec::coordinate::Group;
use copkg_spec::digest::Digest;
use copkg_spec::repository::{Committed, Pending, Proposal, ProposalId, ProposedRole};
use copkg_spec::tuf::{KeyId, Signature, Time};
use futures_util::Stream;
use tokio::sync::Semaphore;

pub use blob::{BlobError, Received};
pub use error::PublishError;
pub use found::found;
pub use intake::{Body, IntakeError, Room};
pub use pending::waiting_files;

use crate::repository::Repository;
use crate::storage::Sharing;
use blob::Expected;
use check::{Checked, Wanted};
use committer::Committer;
use intake::{Intake, Places};
use pending::{Waiting, before};
use proposed::Proposed;
use stored::{FRESH, lacking};

/// How many proposals are checked at once.
const CHECKS: usize = 8;
/// How many whole files are checked at once.
const INSPECTIONS: usize = 2;

/// Tells the time. Only `main` has a clock.
pub type Clock = fn() -> Time;

/// How much a publisher may send, and how fast.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest proposal, in bytes.
    pub proposal_bytes: u64,
    /// The largest file, in bytes.
    pub blob_bytes: u64,
    /// How many proposals may wait for signatures or files at once.
    pub pending: usize,
    /// How many bytes the proposals that wait may have together.
    pub pending_bytes: u64,
    /// How long a proposal may wait.
    pub pending_time: Duration,
    /// How many files are taken at once. Each needs room in the spool directory.
    pub uploads: usize,
    /// How many proposals of one role are checked in a minute.
    pub proposals_a_minute: u32,
    /// How long a publisher may send nothing.
    pub idle: Duration,
    /// Where files are written down before they are known to be right.
    pub spool: Utf8PathBuf,
}

/// Takes proposals and files for one repository. Clones are one.
#[derive(Debug, Clone)]
pub struct Publishing {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    repository: Repository,
    limits: Limits,
    clock: Clock,
    waiting: Waiting,
    committer: Committer,
    rates: rate::Rates,
    intake: Intake,
    checks: Semaphore,
    uploads: Places,
    /// Whole files that are checked at once: each has its index in memory.
    inspections: Semaphore,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is committed now.
    New(Committed),
    /// It was committed before.
    Before(Committed),
    /// Something is missing.
    Pending(Pending),
}

/// A proposal that waits, to be looked at by those who may sign it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What is missing, by today's keys.
    pub pending: Pending,
    /// The metadata, as text.
    pub roles: Vec<ProposedRole>,
}

/// One signature that somebody adds to a proposal.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct CoSignature {
    /// The role whose metadata it signs.
    pub role: String,
    /// The signature.
    #[serde(flatten)]
    pub signature: Signature,
}

type Result<T> = std::result::Result<T, PublishError>;

impl Publishing {
    /// Starts to take proposals. Needs a runtime: commits are made by a task of their own.
    pub fn start(repository: Repository, limits: Limits, clock: Clock) -> Self {
        let waiting = Waiting::new(repository.storage().clone(), &limits);
        let committer = Committer::start(repository.clone(), clock);
        let rates = rate::Rates::new(limits.proposals_a_minute);
        let inner = Inner {
            intake: Intake::new(limits.clone()),
            checks: Semaphore::new(CHECKS),
            uploads: Places::new(limits.uploads),
            inspections: Semaphore::new(INSPECTIONS),
            repository,
            limits,
            clock,
            waiting,
            committer,
            rates,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the limits.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Takes the body of a request that is read whole: of at most `limit` bytes, which `length` says how long it is, if the client
    /// said so.
    ///
    /// # Errors
    /// When it is too long, comes too slowly, or too many come in.
    pub async fn take_body(
        &self,
        length: Option<u64>,
        limit: u64,
        body: impl Stream<Item = std::result::Result<Bytes, axum::Error>> + Send + Unpin,
    ) -> Result<Body> {
        Ok(self.inner.intake.take(length, limit, body).await?)
    }

    /// Reads a body as JSON. The caller has room for it.
    ///
    /// # Errors
    /// When the server is about to stop; inside, when it is none of this kind.
    pub async fn parse<T>(&self, body: Body) -> Result<std::result::Result<T, serde_json::Error>>
    where
        T: serde::de::DeserializeOwned + Send + 'static,
    {
        Ok(self.inner.intake.parse(body).await?)
    }

    /// Waits for room to read documents of `bytes` bytes together, and to use what was read until the room is dropped.
    ///
    /// # Errors
    /// When there is none for too long.
    pub async fn room(&self, bytes: u64) -> Result<Room> {
        Ok(self.inner.intake.room(bytes).await?)
    }

    /// Takes a proposal, for the first time or again. The caller has room for it.
    ///
    /// # Errors
    /// When it breaks a rule, somebody else was faster, or there is no room for it.
    pub async fn propose(&self, proposal: Proposal) -> Result<Outcome> {
        let _checking = self.inner.checks.acquire().await;
        let bytes = proposal.roles.iter().map(|role| role.metadata.len() as u64).sum();
        let read = self.inner.intake.read(bytes, move || Proposed::read(proposal)).await?;
        self.go_on(read?).await
    }

    /// Adds signatures to a proposal that waits. Whoever adds none that is right learns nothing of it.
    ///
    /// # Errors
    /// As [`Self::propose`], and when no such proposal waits.
    pub async fn co_sign(&self, id: ProposalId, signatures: Vec<CoSignature>) -> Result<Outcome> {
        let (_room, waiting) = self.read_waiting(id).await?;
        let mut proposed = waiting.ok_or(PublishError::NotWaiting(id))?;
        let _checking = self.inner.checks.acquire().await;
        let added: Vec<_> =
            signatures.iter().map(|one| (one.role.clone(), one.signature.keyid.clone())).collect();
        for CoSignature { role, signature } in signatures {
            proposed.add_signature(&role, signature)?;
        }
        if let Checked::Next(wanted) = self.check(&proposed).await? {
            let is_right = |(role, key): &(String, KeyId)| {
                wanted.signers.iter().any(|(signed, keys)| signed.as_str() == role && keys.contains(key))
            };
            if !added.iter().any(is_right) {
                return Err(PublishError::NoSignature);
            }
        }
        self.go_on(proposed).await
    }

    /// Reads a proposal that waits, in room of its own.
    async fn read_waiting(&self, id: ProposalId) -> Result<(Room, Option<Proposed>)> {
        let room = self.room(self.inner.waiting.size(id).await?).await?;
        Ok((room, self.inner.waiting.get(id).await?))
    }

    /// Returns the proposals that wait and of which `may_read` tells that their groups may be read.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pending(&self, may_read: impl Fn(&Group) -> bool) -> Result<Vec<ProposalId>> {
        let ids = self.inner.waiting.ids().await?;
        let mut shown = Vec::new();
        for id in ids {
            let groups = match self.inner.waiting.groups(id) {
                Some(groups) => groups,
                None => self.learn(id).await?,
            };
            if groups.iter().all(&may_read) {
                shown.push(id);
            }
        }
        Ok(shown)
    }

    /// Reads which groups a proposal that waits is about.
    async fn learn(&self, id: ProposalId) -> Result<BTreeSet<Group>> {
        let (_room, waiting) = self.read_waiting(id).await?;
        let groups = waiting.map(|proposed| groups_of(&proposed)).unwrap_or_default();
        self.inner.waiting.remember(id, groups.clone());
        Ok(groups)
    }

    /// Returns one that waits, with room for it while it is shown; `None` when there is none of this name, or `may_read` tells that one
    /// of its groups may not be read.
    ///
    /// # Errors
    /// When the store fails, or it can no longer become a commit.
    pub async fn shown(
        &self,
        id: ProposalId,
        may_read: impl Fn(&Group) -> bool,
    ) -> Result<Option<(Shown, Room)>> {
        let (room, waiting) = self.read_waiting(id).await?;
        let Some(proposed) = waiting.filter(|proposed| groups_of(proposed).iter().all(may_read)) else {
            return Ok(None);
        };
        let wanted = match self.check(&proposed).await {
            Ok(Checked::Next(wanted)) => wanted,
            Ok(Checked::Before(_)) => return Ok(None),
            // Something else was published that it does not build upon: nobody can complete it any more.
            Err(PublishError::Version { next, found, .. }) if next.is_none_or(|next| found < next) => {
                self.inner.waiting.done(id).await;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let pending = self.missing(&proposed, &wanted).await?;
        Ok(Some((Shown { pending, roles: proposed.to_wire().roles }, room)))
    }

    /// Removes what waited too long.
    pub async fn expire(&self) {
        if let Err(error) = self.inner.waiting.expire((self.inner.clock)()).await {
            tracing::warn!(%error, "cannot look for proposals that waited too long");
        }
    }

    async fn go_on(&self, mut proposed: Proposed) -> Result<Outcome> {
        let mut checked = self.check(&proposed).await?;
        let id = proposed.id();
        if let Checked::Next(wanted) = &checked
            && !wanted.missing_signatures.is_empty()
            && let Some(earlier) = self.inner.waiting.get(id).await?
        {
            proposed.merge(&earlier)?;
            checked = self.check(&proposed).await?;
        }
        let wanted = match checked {
            Checked::Before(commit) => return Ok(Outcome::Before(Committed { id, commit })),
            Checked::Next(wanted) => wanted,
        };
        self.inner.rates.take(proposed.first_role())?;
        let pending = self.missing(&proposed, &wanted).await?;
        if !pending.missing_signatures.is_empty() || !pending.missing_blobs.is_empty() {
            proposed.retain(&wanted.signers)?;
            self.inner.waiting.add(&proposed).await?;
            self.inner.waiting.remember(id, groups_of(&proposed));
            self.inner.waiting.expect(expected(&pending, &wanted));
            return Ok(Outcome::Pending(pending));
        }
        let outcome = self.inner.committer.commit(proposed, wanted).await?;
        self.inner.waiting.done(id).await;
        Ok(outcome)
    }

    async fn check(&self, proposed: &Proposed) -> Result<Checked> {
        let repository = &self.inner.repository;
        let head = repository.head();
        let checked = check::check(repository, &head, proposed, (self.inner.clock)()).await;
        if checked.is_ok() || repository.storage().sharing() == Sharing::Alone {
            return checked;
        }
        // Another server may have committed what this proposal builds upon.
        let newest = repository.catch_up().await?;
        if newest.commit() == head.commit() {
            return checked;
        }
        check::check(repository, &newest, proposed, (self.inner.clock)()).await
    }

    /// Looks which of the new files are not in the store.
    async fn missing(&self, proposed: &Proposed, wanted: &Wanted) -> Result<Pending> {
        let (storage, id) = (self.inner.repository.storage(), proposed.id());
        let oldest = before((self.inner.clock)(), FRESH);
        let mut missing = lacking(storage, &wanted.blobs, oldest).await?;
        if missing.because_of_age
            && let Some(since) = self.inner.waiting.since(id).await?
        {
            // What was young when the proposal came is kept for it.
            let oldest = since.checked_sub(FRESH).unwrap_or(oldest);
            missing = lacking(storage, &wanted.blobs, oldest).await?;
        }
        let missing_signatures = wanted.missing_signatures.clone();
        Ok(Pending { id, missing_signatures, missing_blobs: missing.files })
    }

    /// Finds what waiting proposals say of a file.
    async fn expected(&self, digest: Digest) -> Result<Vec<Expected>> {
        let found = self.inner.waiting.expected(&digest);
        if !found.is_empty() {
            return Ok(found);
        }
        // Another server may have taken the proposal, or this one before it was started again. Each is looked through once, so that
        // whoever asks for what nobody expects costs little.
        let _looking = self.inner.waiting.look().await;
        for id in self.inner.waiting.unread().await? {
            let (_room, waiting) = self.read_waiting(id).await?;
            if let Some(proposed) = waiting
                // One that can no longer become a commit names nothing.
                && let Ok(Checked::Next(wanted)) = self.check(&proposed).await
            {
                self.inner.waiting.expect(wanted.blobs);
            }
            self.inner.waiting.mark_read(id);
        }
        Ok(self.inner.waiting.expected(&digest))
    }
}

/// Returns the groups that a proposal is about.
fn groups_of(proposed: &Proposed) -> BTreeSet<Group> {
    proposed.all_targets().keys().filter_map(check::group_of).collect()
}

fn expected(pending: &Pending, wanted: &Wanted) -> Vec<Expected> {
    let missing = |expected: &&Expected| pending.missing_blobs.contains(&expected.blob);
    wanted.blobs.iter().filter(missing).cloned().collect()
}
