//! What root, targets and the registrar may say in a repository of packages, beyond what TUF asks of them.

use copkg_spec::repository::{Registrar, group_of_role, group_paths};
use copkg_spec::tuf::{Delegated, DelegatedPaths, KeyId, RoleName, Root, Targets};

use super::PublishError;
use crate::signer::Signer;

type Result<T> = std::result::Result<T, PublishError>;

fn wrong<T>(role: &str, why: impl Into<String>) -> Result<T> {
    Err(PublishError::Shape { role: role.to_owned(), why: why.into() })
}

/// Checks that this server can go on under a root.
pub(super) fn root(root: &Root, signer: &Signer) -> Result<()> {
    if !root.consistent_snapshot {
        return wrong("root", "snapshots are consistent here");
    }
    for (role, keys) in [("snapshot", &root.roles.snapshot), ("timestamp", &root.roles.timestamp)] {
        let held = signer.keys().iter().filter(|key| keys.keyids().contains(&KeyId::from(key.public().id())));
        if held.count() < keys.threshold().get() as usize {
            return Err(PublishError::OnlineKeys { role });
        }
    }
    Ok(())
}

/// Checks targets, and tells how the registrar is divided.
pub(super) fn targets(targets: &Targets) -> Result<Registrar> {
    if !targets.targets.is_empty() {
        return wrong("targets", "files belong to the groups' roles");
    }
    let division = targets.delegations.as_ref().and_then(Registrar::of);
    division.map_or_else(|| wrong("targets", "it delegates to the registrar, in 1, 16 or 256 parts"), Ok)
}

/// Checks one role of the registrar: it delegates to groups of its part, each for the group's own paths.
pub(super) fn registrar(division: Registrar, name: &RoleName, role: &Targets) -> Result<()> {
    let name_text = name.as_str();
    if !role.targets.is_empty() {
        return wrong(name_text, "files belong to the groups' roles");
    }
    let Some(delegations) = &role.delegations else { return Ok(()) };
    let Delegated::Roles(roles) = &delegations.roles else {
        return wrong(name_text, "it delegates to groups by name");
    };
    for delegated in roles {
        let Some(group) = group_of_role(&delegated.name) else {
            return wrong(name_text, format!("{} is no group", delegated.name));
        };
        if division.role_for(&group).ok().as_ref() != Some(name) {
            return wrong(name_text, format!("{group} is of another part of the registrar"));
        }
        let own_paths = group_paths(&group).ok().map(|pattern| vec![pattern]);
        let paths = match &delegated.paths {
            DelegatedPaths::Patterns(patterns) => Some(patterns.clone()),
            DelegatedPaths::HashPrefixes(_) => None,
        };
        if paths != own_paths || !delegated.terminating.0 {
            return wrong(name_text, format!("{group} speaks for its own paths and nobody after it"));
        }
    }
    Ok(())
}
