//! Whether what a group says is consistent: its targets are its own, what is said of each goes with its name, and the list of
//! packages follows from them.

use std::collections::{BTreeMap, BTreeSet};

use super::custom::{PackageCustom, PatchCustom, REASON_CHARACTERS};
use super::delegation::bins_prefix;
use super::error::GroupError;
use super::group::GroupContent;
use super::listing::PackageEntry;
use super::target::{PackageTarget, PatchTarget, TargetFile};
use crate::coordinate::{Group, Label, Version as PackageVersion};
use crate::tuf::{Delegated, Target, TargetPath};

type Result<T> = std::result::Result<T, GroupError>;

impl GroupContent {
    /// Returns the newest version of each package that has a file.
    pub(super) fn newest(&self) -> BTreeMap<Label, Option<PackageVersion>> {
        let mut newest: BTreeMap<Label, Option<PackageVersion>> = BTreeMap::new();
        for (package, _, custom) in self.package_targets() {
            let version = package.coordinate.version();
            let newest = newest.entry(package.coordinate.id().clone()).or_default();
            if custom.yanked.is_none() && !version.is_prerelease() {
                *newest = newest.take().max(Some(version.clone()));
            }
        }
        newest
    }

    /// Checks all of it.
    pub(super) fn check(&self) -> Result<()> {
        self.check_delegations()?;
        for (path, target) in self.targets() {
            check_target(self.group(), path, target)?;
        }
        for (patch, _, custom) in self.patch_targets() {
            self.check_patch(&patch, &custom)?;
        }
        let newest = self.newest();
        let listed: BTreeSet<_> = self.packages().keys().collect();
        if let Some(id) = newest.keys().find(|id| !listed.contains(id)) {
            return Err(GroupError::Listed { id: id.clone() });
        }
        let versions: BTreeSet<_> = self
            .package_targets()
            .map(|(package, ..)| (package.coordinate.id().clone(), package.coordinate.version().clone()))
            .collect();
        self.packages().iter().try_for_each(|(id, entry)| check_entry(id, entry, &newest, &versions))
    }
}

impl GroupContent {
    /// A patch leads from a package that is here to another one that is here, and says which.
    fn check_patch(&self, patch: &PatchTarget, said: &PatchCustom) -> Result<()> {
        let digest = |package: &PackageTarget| {
            self.target(&package.path()).and_then(|target| PackageCustom::of(target).ok()).map(|c| c.digest)
        };
        let wrong = |why| Err(GroupError::Target { path: patch.path(), why });
        if digest(&patch.package) != Some(said.to) {
            return wrong("it makes a package that is not here");
        }
        if digest(&patch.from_package()) != Some(said.from) {
            return wrong("it is for a package that is not here");
        }
        Ok(())
    }

    /// A group delegates to bins of its own name alone: another name could be that of another group's role.
    fn check_delegations(&self) -> Result<()> {
        let refused = |why: &str| Err(GroupError::Role(why.to_owned()));
        match self.role().delegations.as_ref().map(|delegations| &delegations.roles) {
            None => {}
            Some(Delegated::Bins(bins)) if bins.name_prefix() == bins_prefix(self.group()) => {}
            Some(_) => return refused("it delegates to something else than its own bins"),
        }
        if self.bins().values().any(|bin| bin.delegations.is_some()) {
            return refused("a bin delegates");
        }
        Ok(())
    }
}

/// Reads the path of a target of this group.
pub(super) fn check_path(group: &Group, path: &TargetPath) -> Result<TargetFile> {
    let file = TargetFile::parse(path).map_err(|source| GroupError::Path { path: path.clone(), source })?;
    if file.package().coordinate.group() == group {
        Ok(file)
    } else {
        Err(GroupError::OtherGroup { path: path.clone() })
    }
}

fn check_target(group: &Group, path: &TargetPath, target: &Target) -> Result<()> {
    let custom = |source| GroupError::Custom { path: path.clone(), source };
    let wrong = |why| Err(GroupError::Target { path: path.clone(), why });
    let file = check_path(group, path)?;
    let platform = match &file {
        TargetFile::Package(_) => {
            let said = PackageCustom::of(target).map_err(custom)?;
            if said.yanked.is_some_and(|reason| reason.chars().count() > REASON_CHARACTERS) {
                return wrong("the reason for which it is yanked is too long");
            }
            said.platform
        }
        TargetFile::Patch(_) => PatchCustom::of(target).map_err(custom)?.platform,
    };
    if platform != file.package().platform {
        return wrong("the platform is another one");
    }
    if !target.hashes.by_algorithm().contains_key("sha256") {
        return wrong("there is no SHA-256");
    }
    Ok(())
}

fn check_entry(
    id: &Label,
    entry: &PackageEntry,
    newest: &BTreeMap<Label, Option<PackageVersion>>,
    versions: &BTreeSet<(Label, PackageVersion)>,
) -> Result<()> {
    let right = newest.get(id).ok_or_else(|| GroupError::Listed { id: id.clone() })?;
    if *right != entry.newest {
        let (said, right) = (entry.newest.clone(), right.clone());
        return Err(GroupError::Newest { id: id.clone(), said, right });
    }
    for (channel, version) in &entry.channels {
        if !versions.contains(&(id.clone(), version.clone())) {
            let (id, channel, version) = (id.clone(), channel.clone(), version.clone());
            return Err(GroupError::Channel { id, channel, version });
        }
    }
    Ok(())
}
