//! What a group says of its packages: its role, its bins if it has any, and the operations of who publishes.
//!
//! A publisher reads what is current, adds, yanks and promotes, and takes [`GroupContent::next`] to sign. The server reads what
//! is proposed the same way and holds it against what was before with [`GroupContent::check_after`].

use std::collections::{BTreeMap, BTreeSet};

use super::ceremony::Speakers;
use super::check::check_path;
use super::custom::{PackageCustom, PatchCustom};
use super::delegation::{bins_prefix, group_role};
use super::error::GroupError;
use super::listing::{MEMBER, Packages, packages_of};
use super::target::{PackageTarget, PatchTarget, TargetFile};
use crate::coordinate::{Group, Label, PackageCoordinate};
use crate::digest::Digest;
use crate::tuf::{
    Delegated, Delegations, HashBins, Hashes, RoleName, Target, TargetPath, Targets, Time, Version, list_keys,
};

/// A role with more targets than this is divided into hash bins, and bins that hold more on the average into more of them.
pub const BINS_ABOVE: usize = 512;

/// How many bits the number of bins grows by: 16 bins, then 256, then 4096.
const BIN_BITS: u32 = 4;

/// All that a group says, typed and consistent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupContent {
    group: Group,
    role: Targets,
    bins: BTreeMap<RoleName, Targets>,
    packages: Packages,
}

/// The next version of one role of a group, to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextRole {
    /// The name.
    pub name: RoleName,
    /// What it says.
    pub targets: Targets,
}

type Result<T> = std::result::Result<T, GroupError>;

impl GroupContent {
    /// Starts a group that has published nothing yet; [`Self::next`] makes the first version of its role.
    pub fn new(group: Group, expires: Time) -> Self {
        let role = Targets::new(Version::FIRST, expires);
        Self { group, role, bins: BTreeMap::new(), packages: Packages::new() }
    }

    /// Reads what a group's role and its bins say.
    ///
    /// # Errors
    /// When a target is not a file of this group, what is said of it does not go with its name, or the list of packages does
    /// not follow from the targets.
    pub fn read(group: Group, role: Targets, bins: BTreeMap<RoleName, Targets>) -> Result<Self> {
        let packages = packages_of(&role).map_err(GroupError::Packages)?;
        let content = Self { group, role, bins, packages };
        content.check()?;
        Ok(content)
    }

    /// Returns the group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Returns its packages by id.
    pub fn packages(&self) -> &Packages {
        &self.packages
    }

    /// Returns the group's own role.
    pub fn role(&self) -> &Targets {
        &self.role
    }

    /// Returns its bins by name; none when it is not divided.
    pub fn bins(&self) -> &BTreeMap<RoleName, Targets> {
        &self.bins
    }

    /// Returns all targets, in the order of their paths within each role.
    pub fn targets(&self) -> impl Iterator<Item = (&TargetPath, &Target)> {
        self.role.targets.iter().chain(self.bins.values().flat_map(|bin| &bin.targets))
    }

    /// Returns the packages among the targets; what is said of each was checked.
    pub fn package_targets(&self) -> impl Iterator<Item = (PackageTarget, &Target, PackageCustom)> {
        self.targets().filter_map(|(path, target)| match TargetFile::parse(path) {
            Ok(TargetFile::Package(package)) => Some((package, target, PackageCustom::of(target).ok()?)),
            _ => None,
        })
    }

    /// Returns the patches among the targets; what is said of each was checked.
    pub fn patch_targets(&self) -> impl Iterator<Item = (PatchTarget, &Target, PatchCustom)> {
        self.targets().filter_map(|(path, target)| match TargetFile::parse(path) {
            Ok(TargetFile::Patch(patch)) => Some((patch, target, PatchCustom::of(target).ok()?)),
            _ => None,
        })
    }

    /// Returns what is said of a target.
    pub fn target(&self, path: &TargetPath) -> Option<&Target> {
        let bin = self.hash_bins().and_then(|bins| bins.bin_for(path));
        bin.map_or_else(|| self.role.targets.get(path), |bin| self.bins.get(&bin)?.targets.get(path))
    }

    /// Adds a package file; `description` becomes that of the package. What is there already with the same bytes stays as
    /// it is.
    ///
    /// # Errors
    /// When other bytes are published there, or the package is of another group.
    pub fn add(
        &mut self,
        package: &PackageTarget,
        (length, sha256): (u64, Digest),
        custom: &PackageCustom,
        description: Option<&str>,
    ) -> Result<()> {
        let path = package.path();
        let members =
            custom.to_custom().map_err(|source| GroupError::Custom { path: path.clone(), source })?;
        let target = Target { custom: members, ..Target::new(length, Hashes::sha256(sha256)) };
        self.insert(path, target)?;
        let entry = self.packages.entry(package.coordinate.id().clone()).or_default();
        if let Some(description) = description {
            entry.describe(description);
        }
        self.list();
        Ok(())
    }

    /// Adds a patch.
    ///
    /// # Errors
    /// When other bytes are published there, or it is of another group.
    pub fn add_patch(
        &mut self,
        patch: &PatchTarget,
        (length, sha256): (u64, Digest),
        custom: &PatchCustom,
    ) -> Result<()> {
        let target_path = patch.path();
        let members =
            custom.to_custom().map_err(|source| GroupError::Custom { path: target_path.clone(), source })?;
        self.insert(target_path, Target { custom: members, ..Target::new(length, Hashes::sha256(sha256)) })
    }

    /// Marks every file of a version as one that nobody should take any more; without a reason the mark is taken away.
    ///
    /// # Errors
    /// When the version is not published.
    pub fn yank(&mut self, coordinate: &PackageCoordinate, reason: Option<&str>) -> Result<()> {
        let of_version = |(package, _, custom): (PackageTarget, _, _)| {
            (package.coordinate == *coordinate).then(|| (package.path(), custom))
        };
        let files: Vec<(TargetPath, PackageCustom)> = self.package_targets().filter_map(of_version).collect();
        if files.is_empty() {
            return Err(self.not_published(coordinate));
        }
        for (path, custom) in files {
            let custom = PackageCustom { yanked: reason.map(str::to_owned), ..custom };
            let members =
                custom.to_custom().map_err(|source| GroupError::Custom { path: path.clone(), source })?;
            if let Some(target) = self.target_mut(&path) {
                target.custom = members;
            }
        }
        self.list();
        Ok(())
    }

    /// Lets a channel lead to a version.
    ///
    /// # Errors
    /// When the version is not published, or all its files are yanked.
    pub fn promote(&mut self, coordinate: &PackageCoordinate, channel: &Label) -> Result<()> {
        let files = self.package_targets().filter(|(package, ..)| package.coordinate == *coordinate);
        let yanked: Vec<Option<String>> = files.map(|(_, _, custom)| custom.yanked).collect();
        match yanked.into_iter().min() {
            None => Err(self.not_published(coordinate)),
            Some(Some(reason)) => Err(GroupError::Yanked { coordinate: coordinate.clone(), reason }),
            Some(None) => {
                let entry = self.packages.entry(coordinate.id().clone()).or_default();
                entry.channels.insert(channel.clone(), coordinate.version().clone());
                Ok(())
            }
        }
    }

    fn not_published(&self, coordinate: &PackageCoordinate) -> GroupError {
        let versions =
            self.package_targets().filter(|(package, ..)| package.coordinate.id() == coordinate.id());
        let published: BTreeSet<_> =
            versions.map(|(package, ..)| package.coordinate.version().clone()).collect();
        GroupError::NotPublished {
            coordinate: coordinate.clone(),
            published: published.into_iter().collect(),
        }
    }

    /// Removes a channel.
    ///
    /// # Errors
    /// When the package has no such channel.
    pub fn demote(&mut self, id: &Label, channel: &Label) -> Result<()> {
        let removed = self.packages.get_mut(id).and_then(|entry| entry.channels.remove(channel));
        let missing = || GroupError::NoChannel { id: id.clone(), channel: channel.clone() };
        removed.map(|_| ()).ok_or_else(missing)
    }

    /// Returns the next version of each role that has changed since `before`, the group's own always among them, so that of
    /// two publishers at once one is told to begin anew. A role that has grown too large is divided.
    ///
    /// # Errors
    /// When there is no further version, or the group cannot be divided.
    pub fn next(&self, before: Option<&Self>, speakers: &Speakers, expires: Time) -> Result<Vec<NextRole>> {
        self.following(before, speakers, expires, |bin, old| old.is_none_or(|old| old.targets != bin.targets))
    }

    /// As [`Self::next`], with every bin among them: for other speakers, and for bins that end soon.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn renew(&self, before: Option<&Self>, speakers: &Speakers, expires: Time) -> Result<Vec<NextRole>> {
        self.following(before, speakers, expires, |_, _| true)
    }

    fn following(
        &self,
        before: Option<&Self>,
        speakers: &Speakers,
        expires: Time,
        is_next: impl Fn(&Targets, Option<&Targets>) -> bool,
    ) -> Result<Vec<NextRole>> {
        let mut after = self.clone();
        after.divide(speakers)?;
        let mut next = Vec::new();
        let bins_change = before.is_none_or(|before| before.role.delegations != after.role.delegations);
        for (name, bin) in &after.bins {
            let old = before.and_then(|before| before.bins.get(name));
            if bins_change || is_next(bin, old) {
                next.push(NextRole { name: name.clone(), targets: following(bin, old, expires)? });
            }
        }
        let value = serde_json::to_value(&after.packages).map_err(GroupError::Packages)?;
        after.role.other.insert(MEMBER.to_owned(), value);
        let role = following(&after.role, before.map(|before| &before.role), expires)?;
        let name = group_role(&self.group).map_err(|error| GroupError::Role(error.to_string()))?;
        next.push(NextRole { name, targets: role });
        Ok(next)
    }

    /// Checks that nothing that was published before has vanished or changed, but for being yanked.
    ///
    /// # Errors
    /// Names the first file that has.
    pub fn check_after(&self, before: &Self) -> Result<()> {
        for (path, old) in before.targets() {
            let same = self.target(path).is_some_and(|new| {
                let without_yank = |target: &Target| {
                    let mut target = target.clone();
                    target.custom.remove("yanked");
                    target
                };
                without_yank(new) == without_yank(old)
            });
            if !same {
                return Err(GroupError::Changed { path: path.clone() });
            }
        }
        Ok(())
    }

    /// Returns the hash bins of a group's role.
    pub fn hash_bins_of(role: &Targets) -> Option<&HashBins> {
        match &role.delegations.as_ref()?.roles {
            Delegated::Bins(bins) => Some(bins),
            Delegated::Roles(_) => None,
        }
    }

    fn hash_bins(&self) -> Option<&HashBins> {
        Self::hash_bins_of(&self.role)
    }

    fn insert(&mut self, path: TargetPath, target: Target) -> Result<()> {
        check_path(&self.group, &path)?;
        match self.target(&path) {
            Some(there) if there.hashes == target.hashes && there.length == target.length => return Ok(()),
            Some(_) => return Err(GroupError::Changed { path }),
            None => {}
        }
        let bin = self.hash_bins().and_then(|bins| bins.bin_for(&path));
        let role = match bin {
            None => &mut self.role,
            Some(name) => {
                let expires = self.role.expires;
                self.bins.entry(name).or_insert_with(|| Targets::new(Version::FIRST, expires))
            }
        };
        role.targets.insert(path, target);
        Ok(())
    }

    fn target_mut(&mut self, path: &TargetPath) -> Option<&mut Target> {
        match self.hash_bins().and_then(|bins| bins.bin_for(path)) {
            None => self.role.targets.get_mut(path),
            Some(bin) => self.bins.get_mut(&bin)?.targets.get_mut(path),
        }
    }

    /// Divides the role, or divides it further, and lets `speakers` speak for the bins.
    fn divide(&mut self, speakers: &Speakers) -> Result<()> {
        let count = self.targets().count();
        let divided = self.hash_bins().map_or(0, HashBins::bit_length);
        let mut needed = divided;
        while count > BINS_ABOVE << needed {
            needed += BIN_BITS;
        }
        if needed == 0 {
            return Ok(());
        }
        let refused = |why: &dyn std::fmt::Display| GroupError::Role(why.to_string());
        let role = speakers.role_keys().map_err(|error| refused(&error))?;
        let bins = HashBins::new(needed, bins_prefix(&self.group), role).map_err(|why| refused(&why))?;
        if needed != divided {
            self.deal(&bins);
        }
        self.role.delegations = Some(Delegations::to_bins(list_keys(speakers.keys()), bins));
        Ok(())
    }

    /// Puts each target into its bin. Every bin exists, also an empty one: a client asks for it.
    fn deal(&mut self, bins: &HashBins) {
        let dealt = std::mem::take(&mut self.role.targets)
            .into_iter()
            .chain(std::mem::take(&mut self.bins).into_values().flat_map(|bin| bin.targets));
        let mut dealt_bins: BTreeMap<RoleName, Targets> =
            bins.names().map(|name| (name, Targets::new(Version::FIRST, self.role.expires))).collect();
        for (path, target) in dealt {
            if let Some(bin) = bins.bin_for(&path).and_then(|name| dealt_bins.get_mut(&name)) {
                bin.targets.insert(path, target);
            }
        }
        self.bins = dealt_bins;
    }

    /// Lists the packages as they follow from the targets; channels and descriptions stay.
    fn list(&mut self) {
        let newest = self.newest();
        self.packages.retain(|id, _| newest.contains_key(id));
        for (id, newest) in newest {
            self.packages.entry(id).or_default().newest = newest;
        }
    }
}

/// Returns `role` as it follows `old`.
fn following(role: &Targets, old: Option<&Targets>, expires: Time) -> Result<Targets> {
    let version = match old {
        Some(old) => old.version.next().ok_or(GroupError::LastVersion)?,
        None => Version::FIRST,
    };
    Ok(Targets { version, expires, ..role.clone() })
}
