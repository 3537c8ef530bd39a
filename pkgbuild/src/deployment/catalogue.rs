//! Where the packages of a deployment are: directories of package files, and repositories.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use copkg_spec::coordinate::{Group, Label, PackageCoordinate, Version};
use copkg_spec::deployment::{LockedPackage, PackageChoice, PackageReference};
use copkg_spec::digest::Digest;
use copkg_spec::manifest::{Kind, Manifest, Service};
use copkg_spec::platform::Platform;
use copkg_spec::repository::GroupContent;

use super::DeploymentError;
use crate::package::OpenPackage;
use crate::repository::View;

/// A package that was found.
#[derive(Debug)]
pub(super) struct FoundPackage {
    /// Its version and files.
    pub(super) package: LockedPackage,
    /// How it runs, where its manifest is at hand.
    pub(super) service: Option<Service>,
    /// Why nobody should take it any more.
    pub(super) yanked: Option<String>,
}

/// The package files of directories, by coordinate and platform.
#[derive(Debug, Default)]
pub struct Archives {
    packages: BTreeMap<PackageCoordinate, BTreeMap<Platform, Archive>>,
}

#[derive(Debug)]
struct Archive {
    path: PathBuf,
    digest: Digest,
    manifest: Manifest,
}

impl Archives {
    /// Adds every package file below `directory`, and does not follow links.
    ///
    /// # Errors
    /// When something cannot be read, or two files are one package with different contents.
    pub fn add(&mut self, directory: &Path) -> Result<(), DeploymentError> {
        let unreadable = |source| DeploymentError::Read { path: directory.to_owned(), source };
        let mut entries =
            fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unreadable)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let kind = entry.file_type().map_err(unreadable)?;
            if kind.is_dir() {
                self.add(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "copkg") {
                self.add_file(path)?;
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: PathBuf) -> Result<(), DeploymentError> {
        let package = OpenPackage::without_trust(&path)?;
        let manifest = package.contents().manifest().clone();
        let archive = Archive { path, digest: package.contents().digest(), manifest };
        let files = self.packages.entry(archive.manifest.coordinate()).or_default();
        match files.get(archive.manifest.platform()) {
            Some(other) if other.digest != archive.digest => {
                Err(DeploymentError::TwoContents { first: other.path.clone(), second: archive.path })
            }
            Some(_) => Ok(()),
            None => {
                files.insert(archive.manifest.platform().clone(), archive);
                Ok(())
            }
        }
    }

    fn find(&self, reference: &PackageReference) -> Option<Result<FoundPackage, DeploymentError>> {
        let PackageChoice::Version(version) = &reference.choice else { return None };
        let coordinate = reference.with_version(version.clone());
        let files = self.packages.get(&coordinate)?;
        if files.values().any(|archive| archive.manifest.kind() != Kind::Service) {
            return Some(Err(DeploymentError::NotAService { package: coordinate }));
        }
        let digests = files.iter().map(|(platform, archive)| (platform.clone(), archive.digest)).collect();
        let service = files.values().find_map(|archive| archive.manifest.service().cloned());
        let package = LockedPackage { version: version.clone(), digests };
        Some(Ok(FoundPackage { package, service, yanked: None }))
    }

    fn versions(&self, group: &Group, id: &Label) -> Vec<Version> {
        let same = |coordinate: &&PackageCoordinate| coordinate.group() == group && coordinate.id() == id;
        self.packages.keys().filter(same).map(|coordinate| coordinate.version().clone()).collect()
    }
}

/// Everywhere that packages are looked for: directories first, then repositories in their order.
#[derive(Debug, Default)]
pub struct Catalogue<'r> {
    archives: Archives,
    views: Vec<View<'r>>,
    groups: BTreeMap<(usize, Group), Option<GroupContent>>,
}

impl<'r> Catalogue<'r> {
    /// Joins directories and repositories.
    pub fn new(archives: Archives, views: Vec<View<'r>>) -> Self {
        Self { archives, views, groups: BTreeMap::new() }
    }

    /// Finds a package; `Err` with what there is instead when it is nowhere.
    ///
    /// # Errors
    /// When a repository cannot be read, or the package is no service.
    pub(super) fn find(
        &mut self,
        reference: &PackageReference,
    ) -> Result<Result<FoundPackage, String>, DeploymentError> {
        if let Some(found) = self.archives.find(reference) {
            return found.map(Ok);
        }
        for number in 0..self.views.len() {
            let Some(content) = self.content(number, &reference.group)? else { continue };
            if let Some(found) = find_in(content, reference) {
                return found.map(Ok);
            }
        }
        Ok(Err(self.instead_of(reference)))
    }

    fn content(&mut self, number: usize, group: &Group) -> Result<Option<&GroupContent>, DeploymentError> {
        let key = (number, group.clone());
        if !self.groups.contains_key(&key) {
            let content = self.views[number].group(group)?.and_then(|found| found.content);
            self.groups.insert(key.clone(), content);
        }
        Ok(self.groups.get(&key).and_then(Option::as_ref))
    }

    /// Says what there is of a package that is not there as it is referred to.
    fn instead_of(&self, reference: &PackageReference) -> String {
        let PackageReference { group, id, choice } = reference;
        let contents =
            || self.groups.iter().filter(|((_, known), _)| known == group).filter_map(|(_, it)| it.as_ref());
        if let PackageChoice::Channel(_) | PackageChoice::Follow(_) = choice {
            let channels = contents().filter_map(|content| content.packages().get(id));
            let channels: Vec<&str> =
                channels.flat_map(|entry| entry.channels.keys()).map(Label::as_str).collect();
            return match (channels.is_empty(), self.views.is_empty()) {
                (false, _) => format!("it has the channels {}", channels.join(", ")),
                (true, false) => "it has no channel".to_owned(),
                (true, true) => "a directory of packages has no channels".to_owned(),
            };
        }
        let of_repositories = contents().flat_map(GroupContent::package_targets);
        let of_repositories = of_repositories.filter(|(target, ..)| target.coordinate.id() == id);
        let mut versions: Vec<Version> =
            of_repositories.map(|(target, ..)| target.coordinate.version().clone()).collect();
        versions.extend(self.archives.versions(group, id));
        versions.sort();
        versions.dedup();
        let newest: Vec<&str> = versions.iter().rev().take(5).map(Version::as_str).collect();
        match newest.as_slice() {
            [] => format!("there is no {group}:{id}"),
            known => format!("it has {}", known.join(", ")),
        }
    }
}

fn find_in(
    content: &GroupContent,
    reference: &PackageReference,
) -> Option<Result<FoundPackage, DeploymentError>> {
    let version = match &reference.choice {
        PackageChoice::Version(version) => version.clone(),
        PackageChoice::Channel(channel) | PackageChoice::Follow(Some(channel)) => {
            content.packages().get(&reference.id)?.channels.get(channel)?.clone()
        }
        PackageChoice::Follow(None) => return None,
    };
    let coordinate = reference.with_version(version.clone());
    let mut found = FoundPackage {
        package: LockedPackage { version, digests: BTreeMap::new() },
        service: None,
        yanked: None,
    };
    for (_, _, custom) in content.package_targets().filter(|(target, ..)| target.coordinate == coordinate) {
        if custom.kind != Kind::Service {
            return Some(Err(DeploymentError::NotAService { package: coordinate }));
        }
        found.package.digests.insert(custom.platform, custom.digest);
        found.yanked = custom.yanked.or(found.yanked);
    }
    (!found.package.digests.is_empty()).then_some(Ok(found))
}
