//! The committer: one task that makes commits, each of all proposals that are ready when the one before is done.
//!
//! Of proposals for the same role the first wins. The others are held against the new head and answered by that: the same
//! bytes are committed already, other bytes come too late.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use copkg_spec::repository::{Committed, CommittedRole, Pending, ProposalId};
use copkg_spec::tuf::Role;
use tokio::sync::{mpsc, oneshot};

use super::check::{self, Checked, Wanted};
use super::proposed::{Proposed, ROLES};
use super::stored::lacking;
use super::{Clock, Outcome, PublishError};
use crate::repository::advance::Files;
use crate::repository::{Appended, Head, Moving, Repository};

/// The most proposals of one commit.
const BATCH: usize = 256;
/// The most bytes of metadata in one commit, but for a single larger proposal.
const BATCH_BYTES: u64 = 32 << 20;

type Result<T> = std::result::Result<T, PublishError>;

/// Hands proposals to the task.
#[derive(Debug)]
pub(super) struct Committer {
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug)]
struct Job {
    proposed: Proposed,
    wanted: Wanted,
    answer: oneshot::Sender<Result<Outcome>>,
}

impl Job {
    fn answer(self, answer: Result<Outcome>) {
        // Whoever asked may have gone.
        let _ = self.answer.send(answer);
    }
}

impl Committer {
    pub(super) fn start(repository: Repository, clock: Clock) -> Self {
        let (jobs, mut queue) = mpsc::channel::<Job>(BATCH);
        tokio::spawn(async move {
            while let Some(first) = queue.recv().await {
                let mut batch = vec![first];
                while batch.len() < BATCH
                    && let Ok(job) = queue.try_recv()
                {
                    batch.push(job);
                }
                commit_all(&repository, clock, batch).await;
            }
        });
        Self { jobs }
    }

    /// Commits a proposal that nothing is missing of, and returns when the timestamp names it.
    pub(super) async fn commit(&self, proposed: Proposed, wanted: Wanted) -> Result<Outcome> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { proposed, wanted, answer }).await.map_err(|_| PublishError::Stopping)?;
        answered.await.map_err(|_| PublishError::Stopping)?
    }
}

/// Commits all that can be, in as few commits as possible, and answers each.
async fn commit_all(repository: &Repository, clock: Clock, mut jobs: Vec<Job>) {
    let moving = repository.moving().await;
    while !jobs.is_empty() {
        let head = match repository.at_the_end(&moving).await {
            Ok(head) => head,
            Err(error) => return fail(jobs, &error),
        };
        let mut batch = Batch::default();
        let mut later = Vec::new();
        for job in jobs {
            if let Some(job) = checked_again(repository, &head, job, clock).await {
                batch.take(job, &mut later);
            }
        }
        jobs = later;
        jobs.extend(batch.commit(repository, &moving, clock).await);
    }
}

/// Holds a proposal against the head, unless it was already, and looks a last time for its files; answers it when it cannot be
/// committed there.
async fn checked_again(repository: &Repository, head: &Head, mut job: Job, clock: Clock) -> Option<Job> {
    let id = job.proposed.id();
    if job.wanted.at != head.commit() {
        match check::check(repository, head, &job.proposed, clock()).await {
            Ok(Checked::Next(wanted)) => job.wanted = wanted,
            Ok(Checked::Before(commit)) => {
                job.answer(Ok(Outcome::Before(Committed { id, commit })));
                return None;
            }
            Err(error) => {
                job.answer(Err(error));
                return None;
            }
        }
    }
    // However old they are: their age was looked at when the proposal came.
    match lacking(repository.storage(), &job.wanted.blobs, SystemTime::UNIX_EPOCH).await {
        Ok(missing) if missing.files.is_empty() && job.wanted.missing_signatures.is_empty() => Some(job),
        // Other keys speak for it since, or somebody took a file away.
        Ok(missing) => {
            let missing_blobs = missing.files;
            let missing_signatures = std::mem::take(&mut job.wanted.missing_signatures);
            job.answer(Ok(Outcome::Pending(Pending { id, missing_signatures, missing_blobs })));
            None
        }
        Err(error) => {
            job.answer(Err(error));
            None
        }
    }
}

/// Proposals that go into one commit.
#[derive(Default)]
struct Batch {
    jobs: BTreeMap<ProposalId, Job>,
    roles: BTreeSet<Role>,
    bytes: u64,
    committed: Vec<CommittedRole>,
    files: Files,
}

impl Batch {
    /// Takes a proposal, or puts it into `later`: of the same role comes one, and what others are judged by comes alone.
    fn take(&mut self, job: Job, later: &mut Vec<Job>) {
        let roles: BTreeSet<Role> = job.proposed.roles().map(|(role, ..)| role).collect();
        let comes_alone = |roles: &BTreeSet<Role>| roles.iter().any(|role| !is_of_group(role));
        let (committed, files) = job.proposed.files();
        let bytes: u64 = committed.iter().map(|role| role.length).sum();
        let has_room = self.jobs.is_empty()
            || (!comes_alone(&roles)
                && !comes_alone(&self.roles)
                && self.roles.is_disjoint(&roles)
                && self.roles.len() + roles.len() <= ROLES
                && self.bytes + bytes <= BATCH_BYTES);
        if !has_room {
            return later.push(job);
        }
        self.roles.extend(roles);
        self.bytes += bytes;
        self.committed.extend(committed);
        self.files.extend(files);
        self.jobs.insert(job.proposed.id(), job);
    }

    /// Commits, and answers; returns what must be tried again because somebody else was faster.
    async fn commit(mut self, repository: &Repository, moving: &Moving<'_>, clock: Clock) -> Vec<Job> {
        if self.jobs.is_empty() {
            return Vec::new();
        }
        self.committed.sort_by(|a, b| a.role.cmp(&b.role));
        let appended = repository.append(moving, self.committed, &self.files, clock()).await;
        let jobs: Vec<Job> = self.jobs.into_values().collect();
        let (commit, outcome): (_, fn(Committed) -> Outcome) = match appended {
            Ok(Appended::New(commit)) => (commit, Outcome::New),
            Ok(Appended::Same(commit)) => (commit, Outcome::Before),
            Ok(Appended::Behind) => return jobs,
            Err(error) => {
                fail(jobs, &error);
                return Vec::new();
            }
        };
        for job in jobs {
            let id = job.proposed.id();
            job.answer(Ok(outcome(Committed { id, commit })));
        }
        Vec::new()
    }
}

fn is_of_group(role: &Role) -> bool {
    let Role::Delegated(name) = role else { return false };
    copkg_spec::repository::group_of_role(name).is_some()
        || copkg_spec::repository::group_of_bin(name).is_some()
}

/// Tells everybody that the repository failed. Whether something was committed shows when the proposal is repeated.
fn fail(jobs: Vec<Job>, error: &crate::repository::RepositoryError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(%error, cause, "cannot commit");
    for job in jobs {
        job.answer(Err(PublishError::Store));
    }
}
