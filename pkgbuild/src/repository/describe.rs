//! What a change changes, in words: shown to whoever is about to sign it. Nothing of it is left out.

use std::collections::{BTreeMap, BTreeSet};

use copkg_spec::repository::{PackageCustom, Packages, TargetFile, group_of_bin, group_of_role};
use copkg_spec::tuf::{
    Authority, Delegated, DelegatedPaths, Delegations, KeyId, Keys, Role, RoleKeys, Root, Target, TargetPath,
    Targets, Time,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::change::{Change, ChangeError, Draft};
use super::view::View;

/// The member of a group's role with its packages.
const PACKAGES: &str = "packages";

/// What changes in one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleChange {
    /// The role.
    pub role: String,
    /// The new version.
    pub version: u64,
    /// When the new version ends.
    pub expires: Time,
    /// What is different, a line each.
    pub changes: Vec<String>,
}

/// Says what every file of `change` changes of what is current.
///
/// # Errors
/// When the repository cannot be read.
pub fn describe(change: &Change, view: &mut View<'_>) -> Result<Vec<RoleChange>, ChangeError> {
    change.files().map(|(role, draft)| describe_role(role, draft, view)).collect()
}

fn describe_role(role: &Role, draft: &Draft, view: &mut View<'_>) -> Result<RoleChange, ChangeError> {
    let (version, expires, changes) = match draft {
        Draft::Root(document) => {
            let root = document.unverified();
            (root.version, root.expires, root_changes(view.root(), root))
        }
        Draft::Targets(document) => {
            let after = document.unverified();
            let before = current(role, view)?;
            (after.version, after.expires, targets_changes(before.as_ref(), after))
        }
    };
    Ok(RoleChange { role: role.to_string(), version: version.number(), expires, changes })
}

fn current(role: &Role, view: &mut View<'_>) -> Result<Option<Targets>, ChangeError> {
    if let Role::Delegated(name) = role {
        if let Some(group) = group_of_bin(name).or_else(|| group_of_role(name)) {
            view.group(&group)?;
        } else {
            view.registrar(name)?;
        }
    }
    Ok(view.read(role).map(|read| Targets::clone(read)))
}

fn root_changes(before: &Root, after: &Root) -> Vec<String> {
    let mut lines = Vec::new();
    let roles = |root: &Root| {
        let roles = &root.roles;
        [roles.root.clone(), roles.targets.clone(), roles.snapshot.clone(), roles.timestamp.clone()]
    };
    let names = ["root", "targets", "snapshot", "timestamp"];
    for ((name, old), new) in names.into_iter().zip(roles(before)).zip(roles(after)) {
        lines.extend(key_changes(name, Some((&before.keys, &old)), (&after.keys, &new)));
    }
    if before.consistent_snapshot != after.consistent_snapshot {
        lines.push(format!("consistent snapshots: {}", after.consistent_snapshot));
    }
    lines.extend(member_changes(&before.other, &after.other));
    lines.extend(member_changes(&before.roles.other, &after.roles.other));
    end(lines, Some(before.expires), after.expires)
}

/// Says how the keys of a role change; of a role that was not there, what they are.
fn key_changes(name: &str, before: Option<(&Keys, &RoleKeys)>, after: (&Keys, &RoleKeys)) -> Vec<String> {
    let shown = |(keys, role): (&Keys, &RoleKeys)| -> BTreeMap<KeyId, String> {
        // The key itself and not only its id, which is whatever the file says.
        let public = |id: &KeyId| {
            keys.get(id)
                .map_or_else(|| "unknown".to_owned(), |key| format!("{}:{}", key.keytype, key.keyval.public))
        };
        role.keyids().iter().map(|id| (id.clone(), public(id))).collect()
    };
    let (old, new) = (before.map(shown).unwrap_or_default(), shown(after));
    let gone = old.iter().filter(|(id, key)| new.get(*id) != Some(*key));
    let added = new.iter().filter(|(id, key)| old.get(*id) != Some(*key));
    let mut lines: Vec<String> = gone
        .map(|(id, key)| format!("{name}: key {} no longer speaks for it ({key})", id.short()))
        .chain(added.map(|(id, key)| format!("{name}: key {} speaks for it ({key})", id.short())))
        .collect();
    let threshold = |(_, role): (&Keys, &RoleKeys)| role.threshold().get();
    let (was, is) = (before.map(threshold), threshold(after));
    match was {
        Some(was) if was != is => {
            lines.push(format!("{name}: {is} of {} keys must sign, not {was}", new.len()));
        }
        None => lines.push(format!("{name}: {is} of {} keys must sign", new.len())),
        Some(_) => {}
    }
    lines
}

fn targets_changes(before: Option<&Targets>, after: &Targets) -> Vec<String> {
    let empty = BTreeMap::new();
    let old = before.map_or(&empty, |before| &before.targets);
    let mut lines = file_changes(old, &after.targets);
    lines.extend(delegation_changes(
        before.and_then(|before| before.delegations.as_ref()),
        after.delegations.as_ref(),
    ));
    let members = before.map(|before| before.other.clone()).unwrap_or_default();
    lines.extend(package_changes(&members, &after.other));
    let others = |members: &Map<String, Value>| {
        let mut members = members.clone();
        members.remove(PACKAGES);
        members
    };
    lines.extend(member_changes(&others(&members), &others(&after.other)));
    end(lines, before.map(|before| before.expires), after.expires)
}

fn file_changes(before: &BTreeMap<TargetPath, Target>, after: &BTreeMap<TargetPath, Target>) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, target) in after {
        match before.get(path) {
            None => lines.push(format!("adds {}, {}", name_of(path), facts(target))),
            Some(old) if old != target => lines.push(changed_file(path, old, target)),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    lines.extend(gone.map(|path| format!("no longer lists {}", name_of(path))));
    lines
}

fn changed_file(path: &TargetPath, before: &Target, after: &Target) -> String {
    let yanked = |target: &Target| target.custom.get("yanked").and_then(Value::as_str).map(str::to_owned);
    let without = |target: &Target| {
        let mut target = target.clone();
        target.custom.remove("yanked");
        target
    };
    let name = name_of(path);
    if without(before) != without(after) {
        return format!("CHANGES {name}: {}; before {}", facts(after), facts(before));
    }
    match yanked(after) {
        Some(reason) => format!("yanks {name}: {}", reason.escape_debug()),
        None => format!("takes back that {name} is yanked"),
    }
}

fn name_of(path: &TargetPath) -> String {
    match TargetFile::parse(path) {
        Ok(TargetFile::Package(package)) => format!("{} for {}", package.coordinate, package.platform),
        Ok(TargetFile::Patch(found)) => {
            let package = &found.package;
            format!("the patch from {} to {} for {}", found.from, package.coordinate, package.platform)
        }
        Err(_) => path.as_str().escape_debug().to_string(),
    }
}

fn facts(target: &Target) -> String {
    let sha256 = target.hashes.by_algorithm().get("sha256").cloned().unwrap_or_default();
    let file = format!("{} bytes, sha256 {sha256}", target.length);
    match PackageCustom::of(target) {
        Ok(custom) => format!("{file}, digest {}", custom.digest),
        Err(_) => format!("{file}, {}", Value::Object(target.custom.clone())),
    }
}

fn delegation_changes(before: Option<&Delegations>, after: Option<&Delegations>) -> Vec<String> {
    let none = Keys::new();
    let (old, new) = (roles_of(before), roles_of(after));
    let keys = |delegations: Option<&Delegations>| {
        delegations.map_or_else(|| none.clone(), |found| found.keys.clone())
    };
    let (old_keys, new_keys) = (keys(before), keys(after));
    let mut lines = Vec::new();
    for (name, (scope, role)) in &new {
        let found = old.get(name);
        if found.map(|(scope, _)| scope) != Some(scope) {
            lines.push(format!("{name}: speaks for {scope}"));
        }
        lines.extend(key_changes(name, found.map(|(_, role)| (&old_keys, role)), (&new_keys, role)));
    }
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    lines.extend(gone.map(|name| format!("{name}: nobody speaks for it any more")));
    lines
}

/// Returns what each role below speaks for, and its keys.
fn roles_of(delegations: Option<&Delegations>) -> BTreeMap<String, (String, RoleKeys)> {
    let Some(delegations) = delegations else { return BTreeMap::new() };
    match &delegations.roles {
        Delegated::Roles(roles) => roles
            .iter()
            .map(|role| {
                let paths = match &role.paths {
                    DelegatedPaths::Patterns(patterns) => {
                        patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
                    }
                    DelegatedPaths::HashPrefixes(prefixes) => format!("hashes {}", prefixes.join(" ")),
                };
                let ending = if role.terminating.0 { "" } else { ", and others may too" };
                (
                    role.name.as_str().escape_debug().to_string(),
                    (format!("{paths}{ending}"), role.role.clone()),
                )
            })
            .collect(),
        Delegated::Bins(bins) => {
            let scope = format!("{} hash bins {}-…", 1_u64 << bins.bit_length(), bins.name_prefix());
            BTreeMap::from([("its bins".to_owned(), (scope, bins.role_keys().clone()))])
        }
    }
}

fn package_changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let read = |members: &Map<String, Value>| -> Packages {
        members.get(PACKAGES).and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
    };
    let (old, new) = (read(before), read(after));
    let mut lines = Vec::new();
    for (id, entry) in &new {
        let was = old.get(id).cloned().unwrap_or_default();
        if was.newest != entry.newest {
            lines.push(match &entry.newest {
                Some(version) => format!("{id}: the newest version is {version}"),
                None => format!("{id}: there is no newest version"),
            });
        }
        let channels: BTreeSet<_> = was.channels.keys().chain(entry.channels.keys()).collect();
        for channel in channels {
            match (was.channels.get(channel), entry.channels.get(channel)) {
                (old, new) if old == new => {}
                (None, Some(new)) => lines.push(format!("{id}: channel {channel} leads to {new}")),
                (Some(old), Some(new)) => {
                    lines.push(format!("{id}: channel {channel} leads to {new}, not {old}"));
                }
                (old, None) => {
                    let old = old.map_or("nothing", |version| version.as_str());
                    lines.push(format!("{id}: channel {channel} is removed, it led to {old}"));
                }
            }
        }
        if was.description != entry.description {
            let text = entry.description.as_deref().unwrap_or("none");
            lines.push(format!("{id}: the description is {text:?}"));
        }
    }
    lines.extend(
        old.keys().filter(|id| !new.contains_key(*id)).map(|id| format!("{id}: is no longer listed")),
    );
    lines
}

/// Members that this version does not know are signed as well.
fn member_changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    changed
        .map(|name| format!("{name:?} is {}, it was {}", shown(after.get(name)), shown(before.get(name))))
        .collect()
}

fn end(mut lines: Vec<String>, before: Option<Time>, after: Time) -> Vec<String> {
    match before {
        Some(before) if before == after && lines.is_empty() => {
            lines.push("says the same, and is signed again".to_owned());
        }
        Some(before) if before == after => {}
        Some(before) => lines.push(format!("lasts until {after}, not {before}")),
        None => lines.push(format!("lasts until {after}")),
    }
    lines
}

/// Says who speaks for a role, for people: `2 of 3: 1a2b…, 3c4d…`.
pub fn speakers_text(authority: Authority<'_>) -> String {
    let keys: Vec<String> = authority.keyids().iter().map(KeyId::short).collect();
    format!("{} of {}: {}", authority.threshold(), keys.len(), keys.join(", "))
}
