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
        let versions = |which: fn(&PackageCustom) -> bool| -> BTreeSet<(Label, PackageVersion)> {
            let of_kind = self.package_targets().filter(|(.., custom)| which(custom));
            of_kind
                .map(|(package, ..)| (package.coordinate.id().clone(), package.coordinate.version().clone()))
                .collect()
        };
        let versions = Versions {
            newest: self.newest(),
            published: versions(|_| true),
            offered: versions(|custom| custom.yanked.is_none()),
        };
        let listed: BTreeSet<_> = self.packages().keys().collect();
        if let Some(id) = versions.newest.keys().find(|id| !listed.contains(id)) {
            return Err(GroupError::Listed { id: id.clone() });
        }
        self.packages().iter().try_for_each(|(id, entry)| check_entry(id, entry, &versions))
    }
}

/// The versions of a group's packages, as its targets have them.
struct Versions {
    newest: BTreeMap<Label, Option<PackageVersion>>,
    published: BTreeSet<(Label, PackageVersion)>,
    /// Those that are not yanked.
    offered: BTreeSet<(Label, PackageVersion)>,
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
            let reason = said.yanked.unwrap_or_default();
            if reason.chars().count() > REASON_CHARACTERS {
                return wrong("the reason for which it is yanked is too long");
            }
            if reason.chars().any(char::is_control) {
                return wrong("the reason for which it is yanked has a control character");
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

fn check_entry(id: &Label, entry: &PackageEntry, versions: &Versions) -> Result<()> {
    if entry.description.iter().any(|text| text.chars().any(char::is_control)) {
        return Err(GroupError::Role(format!("the description of {id} has a control character")));
    }
    let right = versions.newest.get(id).ok_or_else(|| GroupError::Listed { id: id.clone() })?;
    // A program that orders versions otherwise may have signed it: any version that can be taken will do.
    if let Some(said) = &entry.newest
        && !versions.offered.contains(&(id.clone(), said.clone()))
    {
        let (said, right) = (Some(said.clone()), right.clone());
        return Err(GroupError::Newest { id: id.clone(), said, right });
    }
    for (channel, version) in &entry.channels {
        if !versions.published.contains(&(id.clone(), version.clone())) {
            let (id, channel, version) = (id.clone(), channel.clone(), version.clone());
            return Err(GroupError::Channel { id, channel, version });
        }
    }
    Ok(())
}
