//! The refresh: from the root that a client trusts to the newest metadata of the top-level roles (TUF 5.1 to 5.6.6).
//!
//! A state machine: it says what to load, fetch and keep, and in which order; the rules are in [`super::trusted`]. The
//! search for a target comes after.

use std::collections::BTreeMap;

use super::ask::{Ask, Fetch, Machine, Step, kept, received};
use super::content::{Root, Snapshot, Timestamp};
use super::document::{Document, Verified};
use super::error::{Rule, TufError};
use super::file::MetaFile;
use super::limits::Limits;
use super::name::Role;
use super::targets::Targets;
use super::time::Time;
use super::trusted::{self, NewTimestamp, Trusted, check_expiry};

/// A refresh on its way. Give each answer to [`Machine::answer`] until it is done.
#[derive(Debug)]
pub struct Refresh {
    update: Update,
    state: State,
}

/// What a refresh knows all the way.
#[derive(Debug)]
struct Update {
    root: Verified<Root>,
    now: Time,
    limits: Limits,
    rotations: u64,
    /// Whether a key of timestamp or snapshot was retired on the way.
    retired_keys: bool,
}

/// What was asked last, with what is trusted by then.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
enum State {
    FetchRoot,
    KeepRoot,
    ForgetTimestamp,
    ForgetSnapshot,
    LoadTimestamp,
    FetchTimestamp(Option<Verified<Timestamp>>),
    KeepTimestamp(Verified<Timestamp>),
    LoadSnapshot(Verified<Timestamp>),
    FetchSnapshot(Verified<Timestamp>, Option<Verified<Snapshot>>),
    KeepSnapshot(Below),
    LoadTargets(Below),
    FetchTargets(Below),
    KeepTargets(Below, Verified<Targets>),
}

/// Everything above targets.
#[derive(Debug)]
struct Below {
    timestamp: Verified<Timestamp>,
    snapshot: Verified<Snapshot>,
}

/// What follows an answer.
enum Next {
    Ask(State, Ask),
    Done(Below, Verified<Targets>),
}

type Result<T> = std::result::Result<T, TufError>;

impl Refresh {
    /// Begins with the root that the client trusts.
    ///
    /// `now` is when the update began. 5.1: "Time is fixed at the beginning of the update workflow to allow an application
    /// using TUF to effectively pause time".
    ///
    /// # Errors
    /// When `root` is no root that its own keys signed.
    pub fn begin(root: Vec<u8>, now: Time, limits: Limits) -> Result<Step<Self, Trusted>> {
        let root = trusted::load_root(root)?;
        let update = Update { root, now, limits, rotations: 0, retired_keys: false };
        let next = update.next_root()?;
        Ok(update.step(next))
    }
}

impl Machine for Refresh {
    type Done = Trusted;

    fn answer(self, answer: Option<Vec<u8>>) -> Result<Step<Self, Trusted>> {
        let Self { mut update, state } = self;
        let next = match state {
            State::FetchRoot => update.fetched_root(answer)?,
            State::KeepRoot => update.next_root()?,
            State::ForgetTimestamp => Next::Ask(State::ForgetSnapshot, Ask::Forget(Role::Snapshot)),
            State::ForgetSnapshot => load_timestamp(),
            State::LoadTimestamp => update.loaded_timestamp(answer),
            State::FetchTimestamp(old) => update.fetched_timestamp(old, answer)?,
            State::KeepTimestamp(timestamp) => load_snapshot(timestamp),
            State::LoadSnapshot(timestamp) => update.loaded_snapshot(timestamp, answer),
            State::FetchSnapshot(timestamp, old) => {
                update.fetched_snapshot(timestamp, old.as_ref(), answer)?
            }
            State::KeepSnapshot(below) => load_targets(below),
            State::LoadTargets(below) => update.loaded_targets(below, answer)?,
            State::FetchTargets(below) => update.fetched_targets(below, answer)?,
            State::KeepTargets(below, targets) => Next::Done(below, targets),
        };
        Ok(update.step(next))
    }
}

fn load_timestamp() -> Next {
    Next::Ask(State::LoadTimestamp, Ask::Load(Role::Timestamp))
}

fn load_snapshot(timestamp: Verified<Timestamp>) -> Next {
    Next::Ask(State::LoadSnapshot(timestamp), Ask::Load(Role::Snapshot))
}

fn load_targets(below: Below) -> Next {
    Next::Ask(State::LoadTargets(below), Ask::Load(Role::Targets))
}

impl Update {
    fn step(self, next: Next) -> Step<Refresh, Trusted> {
        match next {
            Next::Ask(state, ask) => Step::Ask(Refresh { update: self, state }, ask),
            Next::Done(Below { timestamp, snapshot }, targets) => {
                let (root, limits, now) = (self.root, self.limits, self.now);
                let delegated = BTreeMap::new();
                Step::Done(Trusted { root, timestamp, snapshot, targets, delegated, limits, now })
            }
        }
    }

    /// 5.3.3: "Try downloading version N+1 of the root metadata file […]. If this file is not available, or we have downloaded
    /// more than Y number of root metadata files […], then go to step 5.3.10."
    fn next_root(&self) -> Result<Next> {
        let next = self.root.version.next().filter(|_| self.rotations < self.limits.root_rotations);
        let Some(version) = next else { return self.last_root() };
        let file = Role::Root.versioned_file_name(version);
        let fetch = Fetch { role: Role::Root, file, limit: self.limits.root_bytes };
        Ok(Next::Ask(State::FetchRoot, Ask::Fetch(fetch)))
    }

    fn fetched_root(&mut self, answer: Option<Vec<u8>>) -> Result<Next> {
        let Some(bytes) = answer else { return self.last_root() };
        let refused = |rule| TufError { role: Role::Root, rule };
        let bytes = received(Some(bytes), self.limits.root_bytes, "").map_err(refused)?;
        let root = trusted::next_root(&self.root, bytes)?;
        self.rotations += 1;
        self.retired_keys |= self.root.retires_online_keys(&root);
        // 5.3.7 and 5.3.8: "Set the trusted root metadata file to the new root metadata file", and persist it.
        self.root = root;
        Ok(Next::Ask(State::KeepRoot, kept(&Role::Root, &self.root)))
    }

    fn last_root(&self) -> Result<Next> {
        // 5.3.10: "The expiration timestamp in the trusted root metadata file MUST be higher than the fixed update start time."
        check_expiry(&*self.root, self.now).map_err(|rule| TufError { role: Role::Root, rule })?;
        // 5.3.11: "If the timestamp and / or snapshot keys have been rotated, then delete the trusted timestamp and snapshot
        // metadata files. This is done in order to recover from fast-forward attacks". A crash before this loses nothing:
        // what is loaded below must be signed by the keys of today.
        if self.retired_keys {
            return Ok(Next::Ask(State::ForgetTimestamp, Ask::Forget(Role::Timestamp)));
        }
        Ok(load_timestamp())
    }

    /// What was kept may have expired, and serves against rollback all the same. What the keys of today did not sign counts
    /// for nothing.
    fn loaded_timestamp(&self, answer: Option<Vec<u8>>) -> Next {
        let old = answer.and_then(|bytes| {
            Document::<Timestamp>::parse(bytes).ok()?.verify(self.root.timestamp_authority()).ok()
        });
        // 5.4.1: "The filename used to download the timestamp metadata file is of the fixed form FILENAME.EXT".
        let (role, limit) = (Role::Timestamp, self.limits.timestamp_bytes);
        let fetch = Fetch { file: role.file_name(), role, limit };
        Next::Ask(State::FetchTimestamp(old), Ask::Fetch(fetch))
    }

    fn fetched_timestamp(&self, old: Option<Verified<Timestamp>>, answer: Option<Vec<u8>>) -> Result<Next> {
        let refused = |rule| TufError { role: Role::Timestamp, rule };
        let file = Role::Timestamp.file_name();
        let bytes = received(answer, self.limits.timestamp_bytes, &file).map_err(refused)?;
        let new = trusted::next_timestamp(&self.root, old.as_deref(), bytes, self.now).map_err(refused)?;
        // 5.4.4: "The expiration timestamp in the new timestamp metadata file MUST be higher than the fixed update start time."
        // Of two that say the same, the one that is trusted already counts, and must not have expired either.
        match (new, old) {
            (NewTimestamp::Newer(timestamp), _) => {
                check_expiry(&*timestamp, self.now).map_err(refused)?;
                // 5.4.5: persist it.
                let ask = kept(&Role::Timestamp, &timestamp);
                Ok(Next::Ask(State::KeepTimestamp(timestamp), ask))
            }
            (NewTimestamp::Same, Some(timestamp)) => {
                check_expiry(&*timestamp, self.now).map_err(refused)?;
                Ok(load_snapshot(timestamp))
            }
            (NewTimestamp::Same, None) => Err(refused(Rule::Absent { file })),
        }
    }

    /// What was kept serves at once when it is the snapshot that the timestamp names, and against rollback when it is an
    /// older one.
    fn loaded_snapshot(&self, timestamp: Verified<Timestamp>, answer: Option<Vec<u8>>) -> Next {
        let named = &timestamp.meta.snapshot;
        let current = answer
            .as_ref()
            .and_then(|bytes| trusted::next_snapshot(&self.root, named, None, bytes.clone(), self.now).ok());
        if let Some(snapshot) = current {
            return load_targets(Below { timestamp, snapshot });
        }
        let old = answer.and_then(|bytes| {
            Document::<Snapshot>::parse(bytes).ok()?.verify(self.root.snapshot_authority()).ok()
        });
        // 5.5.1: "up to either the number of bytes specified in the timestamp metadata file, or some Y number of bytes".
        let fetch = self.fetch(&Role::Snapshot, named, self.limits.snapshot_bytes);
        Next::Ask(State::FetchSnapshot(timestamp, old), Ask::Fetch(fetch))
    }

    fn fetched_snapshot(
        &self,
        timestamp: Verified<Timestamp>,
        old: Option<&Verified<Snapshot>>,
        answer: Option<Vec<u8>>,
    ) -> Result<Next> {
        let refused = |rule| TufError { role: Role::Snapshot, rule };
        let named = &timestamp.meta.snapshot;
        let fetch = self.fetch(&Role::Snapshot, named, self.limits.snapshot_bytes);
        let bytes = received(answer, fetch.limit, &fetch.file).map_err(refused)?;
        let snapshot = trusted::next_snapshot(&self.root, named, old.map(|old| &**old), bytes, self.now)
            .map_err(refused)?;
        // 5.5.7: persist it.
        let ask = kept(&Role::Snapshot, &snapshot);
        Ok(Next::Ask(State::KeepSnapshot(Below { timestamp, snapshot }), ask))
    }

    fn loaded_targets(&self, below: Below, answer: Option<Vec<u8>>) -> Result<Next> {
        let named = below.named()?;
        let authority = self.root.targets_authority();
        let current = answer.and_then(|bytes| trusted::next_targets(authority, named, bytes, self.now).ok());
        if let Some(targets) = current {
            return Ok(Next::Done(below, targets));
        }
        // 5.6.1: "up to either the number of bytes specified in the snapshot metadata file, or some Z number of bytes".
        let fetch = self.fetch(&Role::Targets, named, self.limits.targets_bytes);
        Ok(Next::Ask(State::FetchTargets(below), Ask::Fetch(fetch)))
    }

    fn fetched_targets(&self, below: Below, answer: Option<Vec<u8>>) -> Result<Next> {
        let refused = |rule| TufError { role: Role::Targets, rule };
        let named = below.named()?;
        let fetch = self.fetch(&Role::Targets, named, self.limits.targets_bytes);
        let bytes = received(answer, fetch.limit, &fetch.file).map_err(refused)?;
        let targets =
            trusted::next_targets(self.root.targets_authority(), named, bytes, self.now).map_err(refused)?;
        // 5.6.6: persist it.
        let ask = kept(&Role::Targets, &targets);
        Ok(Next::Ask(State::KeepTargets(below, targets), ask))
    }

    fn fetch(&self, role: &Role, named: &MetaFile, limit: u64) -> Fetch {
        Fetch::named(role, named, self.root.consistent_snapshot, limit)
    }
}

impl Below {
    fn named(&self) -> Result<&MetaFile> {
        let refused = || TufError { role: Role::Targets, rule: Rule::NotInSnapshot };
        self.snapshot.file(&Role::Targets).ok_or_else(refused)
    }
}
