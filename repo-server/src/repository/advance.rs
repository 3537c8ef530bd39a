//! From one head to the next: what a commit makes of the state before it. Pure, and the same for everybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use copkg_spec::repository::{CommitEntry, Fingerprint};
use copkg_spec::tuf::{
    MetaFile, Role, RoleName, Root, Rule, Snapshot, Targets, Time, Timestamp, TufError, Verified, load_root,
    next_root,
};

use super::error::RepositoryError;
use super::head::Head;
use super::load::{delegated_names, parse, verify};
use crate::layout::StorePath;
use crate::log::LogError;
use crate::signer::{Roots, SNAPSHOT_LEFT_SECONDS, SNAPSHOT_SECONDS, Signer, TIMESTAMP_SECONDS};
use crate::transparency::{Log, TransparencyError};

type Result<T> = std::result::Result<T, RepositoryError>;

/// The files of an entry, by the names of their roles.
pub(crate) type Files = BTreeMap<String, Bytes>;

/// Reads the name of a role as an entry has it.
pub(crate) fn role_of(name: &str) -> Result<Role> {
    Ok(match name {
        "root" => Role::Root,
        "targets" => Role::Targets,
        name => Role::Delegated(name.parse().map_err(|_| RepositoryError::Role { role: name.to_owned() })?),
    })
}

/// Makes the head that follows `before` by `entry`, whose files are `files`.
///
/// Root, targets and the registrar are verified here. The groups' files were when they were committed, and are again
/// by whoever reads them.
///
/// The head of the transparency log goes into the timestamp.
pub(crate) fn advance(
    before: Option<&Head>,
    entry: &CommitEntry,
    files: &Files,
    signer: &Signer,
) -> Result<Head> {
    let roots = roots(before, files)?;
    let targets = targets(before, files, &roots)?;
    let snapshot = snapshot(before, entry, signer, &roots)?;
    let registrar = registrar(before, files, &targets, &snapshot)?;
    let mut content = Timestamp::new(
        entry.commit.version().ok_or(RepositoryError::Last)?,
        after(entry.time, TIMESTAMP_SECONDS)?,
        MetaFile::version(snapshot.version),
    );
    let bytes = Bytes::from(entry.to_bytes().map_err(LogError::from)?);
    let log = before.map(|head| Log::clone(&head.log)).unwrap_or_default();
    let log = log.append(bytes).map_err(TransparencyError::from)?;
    log.head().write_to(&mut content);
    let timestamp = signer.sign(roots.to_sign(), content, |root| &root.roles.timestamp)?;
    Ok(Head {
        fingerprint: roots.fingerprint,
        root: roots.current,
        previous_root: roots.previous,
        targets,
        registrar,
        snapshot,
        timestamp_bytes: Bytes::copy_from_slice(timestamp.bytes()),
        timestamp: Arc::new(timestamp),
        log: Arc::new(log),
        commit: entry.commit,
        time: entry.time,
    })
}

/// Returns the files that a commit makes visible before its timestamp, in the order in which they are written.
pub(super) fn files_before_timestamp(
    entry: &CommitEntry,
    files: &Files,
    head: &Head,
) -> Vec<(StorePath, Bytes)> {
    let committed = entry.roles.iter().filter(|role| role.role != "root").filter_map(|committed| {
        let role = role_of(&committed.role).ok()?;
        Some((StorePath::metadata(&role, committed.version), files.get(&committed.role)?.clone()))
    });
    let snapshot = &head.snapshot;
    let path = StorePath::metadata(&Role::Snapshot, snapshot.version);
    let log = head.log.files().iter().cloned();
    committed.chain(log).chain([(path, Bytes::copy_from_slice(snapshot.bytes()))]).collect()
}

struct NewRoots {
    fingerprint: Fingerprint,
    current: Arc<Verified<Root>>,
    previous: Option<Arc<Verified<Root>>>,
}

impl NewRoots {
    fn to_sign(&self) -> Roots<'_> {
        Roots { current: &self.current, previous: self.previous.as_ref().map(|root| &***root) }
    }
}

fn roots(before: Option<&Head>, files: &Files) -> Result<NewRoots> {
    let new = files.get("root");
    match (before, new) {
        (Some(head), None) => Ok(NewRoots {
            fingerprint: head.fingerprint,
            current: Arc::clone(&head.root),
            previous: head.previous_root.clone(),
        }),
        (Some(head), Some(bytes)) => Ok(NewRoots {
            fingerprint: head.fingerprint,
            current: Arc::new(next_root(&head.root, bytes.to_vec())?),
            previous: Some(Arc::clone(&head.root)),
        }),
        (None, Some(bytes)) => Ok(NewRoots {
            fingerprint: Fingerprint::of_first_root(bytes),
            current: Arc::new(load_root(bytes.to_vec())?),
            previous: None,
        }),
        (None, None) => Err(absent(&Role::Root)),
    }
}

fn targets(before: Option<&Head>, files: &Files, roots: &NewRoots) -> Result<Arc<Verified<Targets>>> {
    let bytes = match (files.get("targets"), before) {
        (Some(bytes), _) => bytes.clone(),
        // Other keys may speak for it now.
        (None, Some(head)) if files.contains_key("root") => Bytes::copy_from_slice(head.targets.bytes()),
        (None, Some(head)) => return Ok(Arc::clone(&head.targets)),
        (None, None) => return Err(absent(&Role::Targets)),
    };
    let document = parse(&Role::Targets, &bytes)?;
    Ok(Arc::new(verify(&Role::Targets, document, roots.current.targets_authority())?))
}

fn registrar(
    before: Option<&Head>,
    files: &Files,
    targets: &Arc<Verified<Targets>>,
    snapshot: &Snapshot,
) -> Result<BTreeMap<RoleName, Arc<Verified<Targets>>>> {
    let same_delegator = before.is_some_and(|head| Arc::ptr_eq(&head.targets, targets));
    let mut registrar = BTreeMap::new();
    for name in delegated_names(targets) {
        let old = before.and_then(|head| head.registrar.get(&name));
        let role = Role::Delegated(name.clone());
        let bytes = match (files.get(name.as_str()), old) {
            (Some(bytes), _) => bytes.clone(),
            (None, Some(old)) if same_delegator => {
                registrar.insert(name, Arc::clone(old));
                continue;
            }
            (None, Some(old)) => Bytes::copy_from_slice(old.bytes()),
            (None, None) => return Err(absent(&role)),
        };
        let authority = targets.delegations.as_ref().and_then(|all| all.authority(&name));
        let authority = authority.ok_or_else(|| absent(&role))?;
        let verified: Verified<Targets> = verify(&role, parse(&role, &bytes)?, authority)?;
        if snapshot.file(&role).is_none_or(|file| file.version != verified.version) {
            return Err(absent(&role));
        }
        registrar.insert(name, Arc::new(verified));
    }
    Ok(registrar)
}

/// Makes the snapshot, or keeps the one before when the commit changes nothing and enough of its time is left: then a
/// client that is up to date has nothing to fetch but the timestamp.
fn snapshot(
    before: Option<&Head>,
    entry: &CommitEntry,
    signer: &Signer,
    roots: &NewRoots,
) -> Result<Arc<Verified<Snapshot>>> {
    if let Some(head) = before.filter(|_| entry.roles.is_empty()) {
        let left = head.snapshot.expires.unix_seconds() - entry.time.unix_seconds();
        if left >= SNAPSHOT_LEFT_SECONDS {
            return Ok(Arc::clone(&head.snapshot));
        }
    }
    let version = entry.commit.version().ok_or(RepositoryError::Last)?;
    let mut content = Snapshot::new(version, after(entry.time, SNAPSHOT_SECONDS)?);
    if let Some(head) = before {
        content.meta.clone_from(&head.snapshot.meta);
    }
    for committed in entry.roles.iter().filter(|committed| committed.role != "root") {
        let role = role_of(&committed.role)?;
        // The version alone: with length and hash a first client would fetch three times as much, and the version is
        // signed by the role itself. The log has the hashes.
        content.meta.insert(role.meta_name(), MetaFile::version(committed.version));
    }
    Ok(Arc::new(signer.sign(roots.to_sign(), content, |root| &root.roles.snapshot)?))
}

fn after(time: Time, seconds: i64) -> Result<Time> {
    Time::from_unix_seconds(time.unix_seconds() + seconds).ok_or(RepositoryError::Last)
}

fn absent(role: &Role) -> RepositoryError {
    TufError { role: role.clone(), rule: Rule::NotInSnapshot }.into()
}
