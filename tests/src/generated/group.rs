//! One group: its packages, their versions, and the roles that say so.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use copkg_spec::coordinate::{Group, Label, PackageCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::manifest::Kind;
use copkg_spec::repository::ceremony::Speakers;
use copkg_spec::repository::{GroupContent, PackageCustom, PackageEntry, PackageTarget, Packages};
use copkg_spec::tuf::{Hashes, Target, Targets, Time, Version};

use super::{NamedTargets, Result, Scale, group_key, group_name, key, package};

/// What each group has.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How many packages.
    pub packages: usize,
    /// How many versions of each.
    pub versions: usize,
}

/// Returns the coordinate of a version by its numbers.
pub(super) fn coordinate(group: &Group, package: usize, version: usize) -> Result<PackageCoordinate> {
    Ok(format!("{group}:service-{package}:1.{version}.0").parse()?)
}

pub(super) fn roles(store: &Path, number: usize, scale: &Scale, expires: Time) -> Result<Vec<NamedTargets>> {
    let group = group_name(number)?;
    let mut role = Targets::new(Version::FIRST, expires);
    let mut packages = Packages::new();
    for package in 0..scale.shape.packages {
        for version in 0..scale.shape.versions {
            let place =
                PackageTarget { coordinate: coordinate(&group, package, version)?, platform: "any".parse()? };
            let target = target(store, &place, version < scale.with_bytes && package == 0, number)?;
            role.targets.insert(place.path(), target);
        }
        let id: Label = format!("service-{package}").parse()?;
        packages.insert(id, entry(&group, package, scale.shape.versions)?);
    }
    role.other.insert("packages".to_owned(), serde_json::to_value(packages)?);
    let content = GroupContent::read(group, role, BTreeMap::new())?;
    let speakers = Speakers::new(vec![key(group_key(number)).public()], 1)?;
    let next = content.next(None, &speakers, expires)?;
    Ok(next.into_iter().map(|role| (role.name, role.targets)).collect())
}

fn entry(group: &Group, package: usize, versions: usize) -> Result<PackageEntry> {
    let newest = coordinate(group, package, versions - 1)?.version().clone();
    let stable = coordinate(group, package, versions / 2)?.version().clone();
    let mut entry = PackageEntry { newest: Some(newest), ..PackageEntry::default() };
    entry.channels.insert("stable".parse()?, stable);
    entry.describe(&format!("Service {package} of {group}: takes requests and answers them"));
    Ok(entry)
}

fn target(store: &Path, place: &PackageTarget, with_bytes: bool, number: usize) -> Result<Target> {
    let (digest, length, sha256) = if with_bytes {
        let (bytes, digest) = package::pack(&place.coordinate, &key(group_key(number)))?;
        let sha256 = Digest::of(&bytes);
        let path = place.path();
        let (directory, file) = path.as_str().rsplit_once('/').ok_or("a target has directories")?;
        let directory = store.join("targets").join(directory);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(format!("{sha256}.{file}")), &bytes)?;
        (digest, bytes.len() as u64, sha256)
    } else {
        let name = place.coordinate.to_string();
        (Digest::of(name.as_bytes()), 1_000_000, Digest::of(format!("bytes of {name}").as_bytes()))
    };
    let custom =
        PackageCustom { digest, kind: Kind::Content, platform: place.platform.clone(), yanked: None };
    Ok(Target { custom: custom.to_custom()?, ..Target::new(length, Hashes::sha256(sha256)) })
}
