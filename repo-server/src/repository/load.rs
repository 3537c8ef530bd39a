//! Reading the head from the store: root by root, timestamp, snapshot, targets, registrar. All verified, none judged by
//! its age: a server that was off for a week signs again.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use copkg_spec::repository::{CommitNumber, Fingerprint};
use copkg_spec::tlog;
use copkg_spec::tuf::{
    Authority, Content, Delegated, Document, Role, RoleName, Root, Snapshot, Targets, Timestamp, TufError,
    Verified, Version, load_root, next_root,
};

use super::error::RepositoryError;
use super::head::Head;
use crate::layout::StorePath;
use crate::log;
use crate::signer::Signer;
use crate::storage::Storage;
use crate::transparency::{Log, TransparencyError};

type Result<T> = std::result::Result<T, RepositoryError>;

/// What becomes of a newest root that a crash behind the timestamp has kept from readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastRoot {
    /// It is written, as whoever goes on with the repository must.
    Written,
    /// It is not there yet. The root before it will do: its keys signed snapshot and timestamp too.
    Awaited,
}

impl LastRoot {
    /// Tells what whoever holds the keys of `signer` does about it.
    pub(super) fn by(signer: &Signer) -> Self {
        if signer.keys().is_empty() { Self::Awaited } else { Self::Written }
    }
}

/// Reads the state that the timestamp names; `None` when there is no timestamp.
pub(super) async fn load(storage: &Storage, last_root: LastRoot) -> Result<Option<Head>> {
    let Some(timestamp_bytes) = storage.read(&StorePath::timestamp()).await? else { return Ok(None) };
    let document = parse::<Timestamp>(&Role::Timestamp, &timestamp_bytes)?;
    let commit = CommitNumber::new(document.unverified().version.number()).ok_or(RepositoryError::Last)?;
    let entry = log::read(storage, commit).await?.ok_or_else(|| missing(&StorePath::commit(commit)))?;
    if last_root == LastRoot::Written {
        super::materialise::write_root(storage, &entry).await?;
    }
    let roots = roots(storage).await?;
    let root = Arc::clone(&roots.current);
    let timestamp = verify(&Role::Timestamp, document, root.timestamp_authority())?;
    let named = timestamp.meta.snapshot.version;
    let snapshot: Verified<Snapshot> =
        role(storage, &Role::Snapshot, named, root.snapshot_authority()).await?;
    let (targets, registrar) = upper_targets(storage, &root, &snapshot).await?;
    let said = tlog::Head::of_timestamp(&timestamp).map_err(TransparencyError::from)?;
    let log = Log::load(storage, commit.number(), said).await?;
    Ok(Some(Head {
        fingerprint: roots.fingerprint,
        root,
        previous_root: roots.previous,
        targets: Arc::new(targets),
        registrar,
        snapshot: Arc::new(snapshot),
        timestamp: Arc::new(timestamp),
        timestamp_bytes,
        log: Arc::new(log),
        commit,
        time: entry.time,
    }))
}

/// The roots of a repository, each verified by the one before it.
struct RootChain {
    fingerprint: Fingerprint,
    current: Arc<Verified<Root>>,
    previous: Option<Arc<Verified<Root>>>,
}

async fn roots(storage: &Storage) -> Result<RootChain> {
    let first = StorePath::metadata(&Role::Root, Version::FIRST);
    let bytes = storage.read(&first).await?.ok_or_else(|| missing(&first))?;
    let fingerprint = Fingerprint::of_first_root(&bytes);
    let (mut current, mut previous) = (Arc::new(load_root(bytes.to_vec())?), None);
    while let Some(version) = current.version.next() {
        let path = StorePath::metadata(&Role::Root, version);
        let Some(bytes) = storage.read(&path).await? else { break };
        let next = Arc::new(next_root(&current, bytes.to_vec())?);
        previous = Some(std::mem::replace(&mut current, next));
    }
    Ok(RootChain { fingerprint, current, previous })
}

type Registrar = BTreeMap<RoleName, Arc<Verified<Targets>>>;

async fn upper_targets(
    storage: &Storage,
    root: &Root,
    snapshot: &Snapshot,
) -> Result<(Verified<Targets>, Registrar)> {
    let version = named(snapshot, &Role::Targets)?;
    let targets: Verified<Targets> = role(storage, &Role::Targets, version, root.targets_authority()).await?;
    let mut registrar = BTreeMap::new();
    for name in delegated_names(&targets) {
        let delegated = Role::Delegated(name.clone());
        let version = named(snapshot, &delegated)?;
        let Some(authority) = targets.delegations.as_ref().and_then(|all| all.authority(&name)) else {
            continue;
        };
        registrar.insert(name, Arc::new(role(storage, &delegated, version, authority).await?));
    }
    Ok((targets, registrar))
}

/// Returns the names of the roles that a role delegates to by name.
pub(crate) fn delegated_names(targets: &Targets) -> Vec<RoleName> {
    match targets.delegations.as_ref().map(|delegations| &delegations.roles) {
        Some(Delegated::Roles(roles)) => roles.iter().map(|role| role.name.clone()).collect(),
        Some(Delegated::Bins(_)) | None => Vec::new(),
    }
}

fn named(snapshot: &Snapshot, role: &Role) -> Result<Version> {
    let refused = || TufError { role: role.clone(), rule: copkg_spec::tuf::Rule::NotInSnapshot };
    Ok(snapshot.file(role).ok_or_else(refused)?.version)
}

/// Reads one version of a role that the repository has.
pub(super) async fn role<T: Content>(
    storage: &Storage,
    role: &Role,
    version: Version,
    authority: Authority<'_>,
) -> Result<Verified<T>> {
    let path = StorePath::metadata(role, version);
    let bytes = storage.read(&path).await?.ok_or_else(|| missing(&path))?;
    verify(role, parse(role, &bytes)?, authority)
}

/// Reads a metadata file that nobody vouches for yet.
pub(super) fn parse<T: Content>(role: &Role, bytes: &Bytes) -> Result<Document<T>> {
    Document::parse(bytes.to_vec())
        .map_err(|source| RepositoryError::Malformed { role: role.to_string(), source })
}

/// Checks that those who speak for the role signed it.
pub(super) fn verify<T: Content>(
    role: &Role,
    document: Document<T>,
    authority: Authority<'_>,
) -> Result<Verified<T>> {
    document.verify(authority).map_err(|source| RepositoryError::Unsigned { role: role.to_string(), source })
}

fn missing(path: &StorePath) -> RepositoryError {
    RepositoryError::Missing { path: path.to_string() }
}
