//! The TUF client of a copy: what it keeps are the files that the copy serves, each in its time.

use std::collections::BTreeMap;

use bytes::Bytes;
use copkg_spec::repository::Fingerprint;
use copkg_spec::tlog;
use copkg_spec::tuf::{
    Ask, Content, Document, Limits, Machine, ReadRole, Refresh, Role, RoleIs, RoleName, Root, Snapshot, Step,
    Timestamp, Trusted, TufError, Version,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::StatusCode;

use super::source::Place;
use super::{Effect, Job, ReplicaError};
use crate::layout::StorePath;
use crate::storage::Storage;

/// How many files of roles are fetched at once.
pub(super) const PARALLEL: usize = 16;

/// What the copy showed before.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Its commit.
    pub(super) commit: Option<Version>,
    /// The head of its log.
    pub(super) head: Option<tlog::Head>,
    /// The version of each role that it has with all that the role names.
    pub(super) snapshot: Option<Snapshot>,
}

/// A client that fetches from the source and keeps in the copy.
#[derive(Debug)]
pub(super) struct Client<'j> {
    job: &'j Job<'j>,
    root: Bytes,
    fingerprint: Fingerprint,
    timestamp: Option<Bytes>,
    snapshot: Option<Bytes>,
    /// Roots that came, to be shown at the end.
    new_roots: BTreeMap<Version, Vec<u8>>,
    /// Files of roles that were fetched ahead.
    ahead: BTreeMap<Role, Bytes>,
    written: u64,
}

impl<'j> Client<'j> {
    /// Reads what the copy has, or the first root of the source when it has nothing.
    pub(super) async fn open(job: &'j Job<'j>) -> Result<Self, ReplicaError> {
        let first = StorePath::metadata(&Role::Root, Version::FIRST);
        let there = job.copy.read(&first).await?;
        let limit = Limits::default().root_bytes;
        let bytes = match &there {
            Some(bytes) => bytes.clone(),
            None if job.pinned.is_none() => return Err(ReplicaError::NotPinned),
            None => {
                let none = || ReplicaError::NoRepository { place: job.source.to_string() };
                job.source.small(&Place::same(first.clone()), limit).await?.ok_or_else(none)?
            }
        };
        let found = Fingerprint::of_first_root(&bytes);
        if let Some(expected) = job.pinned.filter(|pinned| *pinned != found) {
            return Err(ReplicaError::Fingerprint { expected, found });
        }
        let mut new_roots = BTreeMap::new();
        if there.is_none() {
            new_roots.insert(Version::FIRST, bytes.to_vec());
        }
        let timestamp = job.copy.read(&StorePath::timestamp()).await?;
        let snapshot = match &timestamp {
            Some(bytes) => {
                let version =
                    parse::<Timestamp>(&StorePath::timestamp(), bytes)?.unverified().meta.snapshot.version;
                job.copy.read(&StorePath::metadata(&Role::Snapshot, version)).await?
            }
            None => None,
        };
        let root = newest_root(job.copy, bytes).await?;
        let ahead = BTreeMap::new();
        Ok(Self { job, root, fingerprint: found, timestamp, snapshot, new_roots, ahead, written: 0 })
    }

    pub(super) fn job(&self) -> &'j Job<'j> {
        self.job
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Returns how many files of roles were written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Returns what the copy showed before. Its own files: they were verified when they were written.
    pub(super) fn before(&self) -> Result<Before, ReplicaError> {
        let (Some(timestamp), Some(snapshot)) = (&self.timestamp, &self.snapshot) else {
            return Ok(Before::default());
        };
        let timestamp = parse::<Timestamp>(&StorePath::timestamp(), timestamp)?;
        let version = timestamp.unverified().meta.snapshot.version;
        let snapshot = parse::<Snapshot>(&StorePath::metadata(&Role::Snapshot, version), snapshot)?;
        Ok(Before {
            commit: Some(timestamp.unverified().version),
            head: tlog::Head::of_timestamp(timestamp.unverified())?,
            snapshot: Some(snapshot.unverified().clone()),
        })
    }

    /// Follows the source from the newest root that the copy has.
    pub(super) async fn refresh(&mut self) -> Result<Trusted, ReplicaError> {
        let limits = Limits { delegations: usize::MAX, ..Limits::default() };
        let step = Refresh::begin(self.root.to_vec(), self.job.now, limits)?;
        self.drive(step, None).await
    }

    /// Reads a role that `delegator` delegates to.
    pub(super) async fn read_role(
        &mut self,
        trusted: &mut Trusted,
        delegator: &Role,
        name: RoleName,
    ) -> Result<RoleIs, ReplicaError> {
        let role = Role::Delegated(name.clone());
        let version = trusted.snapshot().file(&role).map(|file| file.version);
        let step = ReadRole::begin(trusted, delegator, name);
        self.drive(step, version).await
    }

    /// Fetches files of roles that will be read next, several at once.
    pub(super) async fn fetch_ahead(
        &mut self,
        trusted: &Trusted,
        names: &[RoleName],
    ) -> Result<(), ReplicaError> {
        let wanted = names.iter().filter_map(|name| {
            let role = Role::Delegated(name.clone());
            let version = trusted.snapshot().file(&role)?.version;
            Some((role.clone(), StorePath::metadata(&role, version)))
        });
        let (source, copy) = (self.job.source, self.job.copy);
        let fetch = |(role, path): (Role, StorePath)| async move {
            if copy.object(&path).await?.is_some() {
                return Ok(None);
            }
            let bytes = source.small(&Place::same(path), Limits::default().targets_bytes).await?;
            Ok::<_, ReplicaError>(bytes.map(|bytes| (role, bytes)))
        };
        let fetched = stream::iter(wanted.collect::<Vec<_>>()).map(fetch).buffer_unordered(PARALLEL);
        let fetched: Vec<_> = fetched.try_filter_map(|found| async { Ok(found) }).try_collect().await?;
        self.ahead = fetched.into_iter().collect();
        Ok(())
    }

    /// Lets readers of the copy see the state that was copied.
    pub(super) async fn publish(&mut self, trusted: &Trusted, before: &Before) -> Result<(), ReplicaError> {
        let snapshot = Bytes::copy_from_slice(trusted.snapshot().bytes());
        self.write(&StorePath::metadata(&Role::Snapshot, trusted.snapshot().version), snapshot).await?;
        // A reader of an empty copy needs the roots first. Of another the last one comes after the timestamp, which the keys of
        // both roots signed.
        let last = if before.commit.is_some() { self.new_roots.pop_last() } else { None };
        self.publish_roots().await?;
        self.write(&StorePath::timestamp(), Bytes::copy_from_slice(trusted.timestamp().bytes())).await?;
        self.new_roots.extend(last);
        self.publish_roots().await
    }

    /// Lets readers of the copy see the roots that came: also those that a crash behind the timestamp kept from them.
    pub(super) async fn publish_roots(&mut self) -> Result<(), ReplicaError> {
        while let Some((version, bytes)) = self.new_roots.pop_first() {
            self.write(&StorePath::metadata(&Role::Root, version), bytes.into()).await?;
        }
        Ok(())
    }

    async fn drive<M: Machine>(
        &mut self,
        mut step: Step<M, M::Done>,
        version: Option<Version>,
    ) -> Result<M::Done, ReplicaError> {
        loop {
            let (machine, ask) = match step {
                Step::Done(done) => return Ok(done),
                Step::Ask(machine, ask) => (machine, ask),
            };
            let answer = self.answer(ask, version).await?;
            step = machine.answer(answer.map(|bytes| bytes.to_vec()))?;
        }
    }

    async fn answer(&mut self, ask: Ask, version: Option<Version>) -> Result<Option<Bytes>, ReplicaError> {
        match ask {
            Ask::Load(Role::Timestamp) => Ok(self.timestamp.clone()),
            Ask::Load(Role::Snapshot) => Ok(self.snapshot.clone()),
            Ask::Load(role @ Role::Delegated(_)) => match version {
                Some(version) => Ok(self.job.copy.read(&StorePath::metadata(&role, version)).await?),
                None => Ok(None),
            },
            Ask::Load(_) => Ok(None),
            Ask::Fetch(fetch) => {
                if let Some(bytes) = self.ahead.remove(&fetch.role) {
                    return Ok(Some(bytes));
                }
                let path = StorePath::metadata_file(&fetch.file);
                match self.job.source.small(&Place::same(path), fetch.limit).await {
                    // Object stores say 403 where there is nothing and nobody may list. If credentials are wrong, the timestamp,
                    // which is asked for next, says so.
                    Err(ReplicaError::Refused { status, .. }) if is_no_next_root(&fetch.role, status) => {
                        Ok(None)
                    }
                    got => got,
                }
            }
            Ask::Keep(kept) => {
                match kept.role {
                    Role::Root => drop(self.new_roots.insert(kept.version, kept.bytes)),
                    // Shown at the end.
                    Role::Timestamp | Role::Snapshot => {}
                    role => {
                        let path = StorePath::metadata(&role, kept.version);
                        if self.job.copy.read(&path).await?.is_none_or(|there| there != kept.bytes) {
                            self.write(&path, kept.bytes.into()).await?;
                        }
                    }
                }
                Ok(None)
            }
            Ask::Forget(Role::Timestamp) => {
                self.timestamp = None;
                Ok(None)
            }
            Ask::Forget(_) => {
                self.snapshot = None;
                Ok(None)
            }
        }
    }

    async fn write(&mut self, path: &StorePath, bytes: Bytes) -> Result<(), ReplicaError> {
        self.written += 1;
        if self.job.effect == Effect::Write {
            self.job.copy.put(path, bytes).await?;
        }
        Ok(())
    }
}

/// Tells whether an error is one of the source's own publishers, which stops nobody else.
pub(super) fn is_of_a_role(error: &ReplicaError) -> Option<&TufError> {
    match error {
        ReplicaError::Rule(error) if matches!(error.role, Role::Delegated(_)) => Some(error),
        _ => None,
    }
}

fn is_no_next_root(role: &Role, status: StatusCode) -> bool {
    *role == Role::Root && matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

async fn newest_root(copy: &Storage, first: Bytes) -> Result<Bytes, ReplicaError> {
    let mut newest = first;
    let mut version =
        parse::<Root>(&StorePath::metadata(&Role::Root, Version::FIRST), &newest)?.unverified().version;
    while let Some(next) = version.next() {
        let Some(bytes) = copy.read(&StorePath::metadata(&Role::Root, next)).await? else { break };
        (newest, version) = (bytes, next);
    }
    Ok(newest)
}

fn parse<T: Content>(path: &StorePath, bytes: &Bytes) -> Result<Document<T>, ReplicaError> {
    Document::parse(bytes.to_vec()).map_err(|source| ReplicaError::Copy { path: path.to_string(), source })
}
