//! Holds a proposal against the head: versions, signatures by today's delegators, and the rules of each role.

use std::collections::{BTreeMap, BTreeSet};

use copkg_spec::coordinate::Group;
use copkg_spec::digest::Digest;
use copkg_spec::repository::ceremony::{Speakers, speakers_for};
use copkg_spec::repository::{
    CommitNumber, GroupContent, MissingBlob, MissingSignatures, group_of_bin, group_of_role,
};
use copkg_spec::tuf::{
    Authority, Content, Document, HashBins, KeyId, Role, RoleName, Root, Rule, Targets, Time, TufError,
    Version,
};

use super::blob::Expected;
use super::proposed::Proposed;
use super::{PublishError, nesting, rules};
use crate::layout::StorePath;
use crate::repository::{Head, Repository};

/// How many commits are looked through for the one that a proposal became part of.
const LOOK_BACK: u64 = 256;

type Result<T> = std::result::Result<T, PublishError>;

/// What a proposal is.
#[derive(Debug)]
pub(super) enum Checked {
    /// All of it is committed.
    Before(CommitNumber),
    /// It may become the next commit, once nothing is missing.
    Next(Wanted),
}

/// What a proposal needs to become a commit.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The head that it was held against.
    pub(super) at: CommitNumber,
    pub(super) missing_signatures: Vec<MissingSignatures>,
    /// The keys whose signatures are right, by role.
    pub(super) signers: BTreeMap<Role, Vec<KeyId>>,
    /// The new files. They may be in the store already.
    pub(super) blobs: Vec<Expected>,
}

pub(super) async fn check(
    repository: &Repository,
    head: &Head,
    proposed: &Proposed,
    now: Time,
) -> Result<Checked> {
    if let Some(commit) = versions(repository, head, proposed).await? {
        return Ok(Checked::Before(commit));
    }
    let after = After::of(head, proposed);
    let mut signed = Signed::default();
    if let Some(root) = proposed.root() {
        rules::root(root.unverified(), repository.signer())?;
        signed.by(&Role::Root, root, head.root().root_authority())?;
        signed.by(&Role::Root, root, root.unverified().root_authority())?;
        ends_after(&Role::Root, root, now)?;
    }
    for (role, document) in proposed.all_targets() {
        signed.by(role, document, after.authority(role, proposed)?)?;
        ends_after(role, document, now)?;
    }
    after.upper_roles(head, proposed)?;
    let groups: BTreeSet<Group> = proposed.all_targets().keys().filter_map(group_of).collect();
    let mut blobs = Vec::new();
    for group in groups {
        blobs.extend(check_group(repository, head, proposed, &after, &group).await?);
    }
    let Signed { missing, signers } = signed;
    Ok(Checked::Next(Wanted { at: head.commit(), missing_signatures: missing, signers, blobs }))
}

/// Checks that each role is at its next version, or returns the commit in which all of them are already.
async fn versions(repository: &Repository, head: &Head, proposed: &Proposed) -> Result<Option<CommitNumber>> {
    let mut committed = None;
    let mut next = 0;
    for (role, found, payload) in proposed.roles() {
        let current = head.version(&role);
        let expected = current.map_or(Some(Version::FIRST), Version::next);
        let conflict = || PublishError::Version { role: role.to_string(), next: expected, found };
        if expected == Some(found) {
            next += 1;
        } else if current.is_some_and(|current| found <= current) {
            if !says(repository, &role, found, payload).await? {
                return Err(conflict());
            }
            committed = Some((role.clone(), found));
        } else {
            return Err(conflict());
        }
    }
    match committed {
        None => Ok(None),
        Some((role, version)) if next == 0 => Ok(Some(commit_of(repository, head, &role, version).await?)),
        Some((role, found)) => {
            let next = head.version(&role).and_then(Version::next);
            Err(PublishError::Version { role: role.to_string(), next, found })
        }
    }
}

/// Tells whether a version of a role that is committed says what is signed in `payload`.
async fn says(repository: &Repository, role: &Role, version: Version, payload: &[u8]) -> Result<bool> {
    let Some(bytes) = repository.storage().read(&StorePath::metadata(role, version)).await? else {
        return Ok(false);
    };
    let bytes = bytes.to_vec();
    Ok(if *role == Role::Root {
        Document::<Root>::parse(bytes).is_ok_and(|there| there.payload() == payload)
    } else {
        Document::<Targets>::parse(bytes).is_ok_and(|there| there.payload() == payload)
    })
}

/// Finds the commit that made a version of a role current; the head where it is long ago.
async fn commit_of(
    repository: &Repository,
    head: &Head,
    role: &Role,
    version: Version,
) -> Result<CommitNumber> {
    let last = head.commit().number();
    for number in (last.saturating_sub(LOOK_BACK)..=last).rev().filter_map(CommitNumber::new) {
        let Some(entry) = repository.entry(number).await? else { break };
        if entry.roles.iter().any(|there| there.role == role.as_str() && there.version == version) {
            return Ok(number);
        }
    }
    Ok(head.commit())
}

/// The signatures that were looked at so far.
#[derive(Default)]
struct Signed {
    missing: Vec<MissingSignatures>,
    signers: BTreeMap<Role, Vec<KeyId>>,
}

impl Signed {
    fn by<T: Content + Clone>(
        &mut self,
        role: &Role,
        document: &Document<T>,
        authority: Authority<'_>,
    ) -> Result<()> {
        let have = authority.signers(document.payload(), document.signatures());
        if have.is_empty() {
            return Err(PublishError::Unsigned { role: role.to_string() });
        }
        let have: Vec<KeyId> = have.into_iter().cloned().collect();
        if document.clone().verify(authority).is_err() {
            let may = authority.keyids().iter().filter(|id| !have.contains(id)).cloned().collect();
            let (role, need) = (role.as_str().to_owned(), authority.threshold().get());
            self.missing.push(MissingSignatures { role, have: have.clone(), need, may });
        }
        self.signers.entry(role.clone()).or_default().extend(have);
        Ok(())
    }
}

fn ends_after<T: Content>(role: &Role, document: &Document<T>, now: Time) -> Result<()> {
    let expires = document.unverified().expires();
    if expires > now { Ok(()) } else { Err(PublishError::Expired { role: role.to_string(), expires }) }
}

/// Returns the group that a role is of, or a bin of.
pub(super) fn group_of(role: &Role) -> Option<Group> {
    let Role::Delegated(name) = role else { return None };
    group_of_role(name).or_else(|| group_of_bin(name))
}

/// Who would delegate to whom after the proposal.
struct After<'a> {
    root: &'a Root,
    targets: &'a Targets,
    registrar: BTreeMap<RoleName, &'a Targets>,
}

impl<'a> After<'a> {
    fn of(head: &'a Head, proposed: &'a Proposed) -> Self {
        let root = proposed.root().map_or_else(|| &**head.root(), Document::unverified);
        let targets =
            proposed.targets(&Role::Targets).map_or_else(|| &**head.targets(), Document::unverified);
        let names = crate::repository::delegated_names(targets).into_iter();
        let registrar = names.filter_map(|name| {
            let current = || head.registrar().find(|(there, _)| **there == name).map(|(_, role)| &**role);
            let role = Role::Delegated(name.clone());
            Some((name.clone(), proposed.targets(&role).map(Document::unverified).or_else(current)?))
        });
        Self { root, targets, registrar: registrar.collect() }
    }

    /// Returns who speaks for a targets role of the proposal.
    fn authority(&self, role: &Role, proposed: &'a Proposed) -> Result<Authority<'a>>
    where
        Self: 'a,
    {
        let Role::Delegated(name) = role else { return Ok(self.root.targets_authority()) };
        let of = |targets: &'a Targets| targets.delegations.as_ref().and_then(|all| all.authority(name));
        let bin = || {
            let own = Role::Delegated(group_of_bin(name)?.as_str().parse().ok()?);
            of(proposed.targets(&own)?.unverified())
        };
        let found =
            of(self.targets).or_else(|| self.registrar.values().find_map(|role| of(role))).or_else(bin);
        found.ok_or_else(|| PublishError::NotDelegated { role: role.to_string() })
    }

    /// Checks root, targets and registrar as they would be: their own rules, and that those of them that stay as they are
    /// remain signed by those who speak for them.
    fn upper_roles(&self, head: &Head, proposed: &Proposed) -> Result<()> {
        if proposed.root().is_some() && proposed.targets(&Role::Targets).is_none() {
            stays(&Role::Targets, head.targets().bytes(), self.root.targets_authority())?;
        }
        let division = rules::targets(self.targets)?;
        let is_new_targets = proposed.targets(&Role::Targets).is_some();
        for name in crate::repository::delegated_names(self.targets) {
            let role = Role::Delegated(name.clone());
            let proposed_role = proposed.targets(&role);
            let current = head.registrar().find(|(there, _)| **there == name);
            match (proposed_role, current) {
                (Some(document), _) => rules::registrar(division, &name, document.unverified())?,
                (None, Some((_, there))) if is_new_targets => {
                    stays(&role, there.bytes(), self.authority_of_registrar(&name)?)?;
                }
                (None, Some(_)) => {}
                (None, None) => return Err(TufError { role, rule: Rule::NotInSnapshot }.into()),
            }
        }
        Ok(())
    }

    fn authority_of_registrar(&self, name: &RoleName) -> Result<Authority<'_>> {
        let found = self.targets.delegations.as_ref().and_then(|all| all.authority(name));
        found.ok_or_else(|| PublishError::NotDelegated { role: name.to_string() })
    }

    /// Returns the keys that would speak for a group.
    fn speakers(&self, group: &Group) -> Result<Speakers> {
        let found = self.registrar.values().find_map(|role| speakers_for(role, group).ok().flatten());
        found.ok_or_else(|| PublishError::NotDelegated { role: group.to_string() })
    }
}

/// Checks that a role that stays as it is stays signed.
fn stays(role: &Role, bytes: &[u8], authority: Authority<'_>) -> Result<()> {
    let document = Document::<Targets>::parse(bytes.to_vec())
        .map_err(|source| PublishError::Malformed { role: role.to_string(), source })?;
    let verified = document.verify(authority);
    verified.map(|_| ()).map_err(|source| PublishError::Orphaned { role: role.to_string(), source })
}

/// Checks what a group would say, and returns its new files.
async fn check_group(
    repository: &Repository,
    head: &Head,
    proposed: &Proposed,
    after: &After<'_>,
    group: &Group,
) -> Result<Vec<Expected>> {
    let before = repository.published(head, group).await?;
    let content = content(proposed, before.as_deref(), group)?;
    let refused = |source| PublishError::Group { group: group.to_string(), source };
    if let Some(before) = &before {
        content.check_after(before).map_err(refused)?;
    }
    nesting::check(repository, head, &content, before.as_deref()).await?;
    let speakers = after.speakers(group)?;
    let is_new = |path| before.as_ref().is_none_or(|before| before.target(path).is_none());
    let new = content.targets().filter(|(path, _)| is_new(*path));
    let expected = new.map(|(path, target)| {
        // The check of the group's content found that there is one.
        let sha256: Digest = target.hashes.prefix().parse().map_err(|_| PublishError::Shape {
            role: group.to_string(),
            why: format!("{path} has no SHA-256"),
        })?;
        let blob = MissingBlob { path: path.clone(), sha256, length: target.length };
        Ok(Expected { blob, target: target.clone(), keys: speakers.keys().to_vec() })
    });
    expected.collect()
}

/// Joins what is proposed for a group with the bins that stay as they are.
fn content(proposed: &Proposed, before: Option<&GroupContent>, group: &Group) -> Result<GroupContent> {
    let refused = |source| PublishError::Group { group: group.to_string(), source };
    let wrong = |why: &str| PublishError::Shape { role: group.to_string(), why: why.to_owned() };
    let name: RoleName = group.as_str().parse().map_err(|_| wrong("it is no group"))?;
    let own = proposed.targets(&Role::Delegated(name));
    let own = own.ok_or_else(|| wrong("its bins change only together with its own role"))?.unverified();
    let same_bins = before.is_some_and(|before| before.role().delegations == own.delegations);
    let mut bins = BTreeMap::new();
    for bin in GroupContent::hash_bins_of(own).into_iter().flat_map(HashBins::names) {
        let new = proposed.targets(&Role::Delegated(bin.clone())).map(Document::unverified);
        let old = || before.filter(|_| same_bins).and_then(|before| before.bins().get(&bin));
        let targets = new
            .or_else(old)
            .ok_or_else(|| wrong("all bins are proposed when their keys or number change"))?;
        bins.insert(bin, targets.clone());
    }
    GroupContent::read(group.clone(), own.clone(), bins).map_err(refused)
}
