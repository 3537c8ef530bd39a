//! The versions that a repository has, for patches from them: on a server, as its metadata says, and in a plain directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use copkg_spec::coordinate::{Group, Version};
use copkg_spec::repository::{GroupContent, PackageTarget, PatchTarget};

use super::patches::{PatchesError, Published};
use super::remote::{Problem, Remote, RemoteError};

/// What groups on a server say.
#[derive(Debug)]
pub struct OnServer<'r> {
    /// The server.
    pub remote: &'r Remote,
    /// What each group that is published to says; nothing before its first publication.
    pub groups: BTreeMap<Group, Option<GroupContent>>,
}

impl OnServer<'_> {
    fn group(&self, package: &PackageTarget) -> Option<&GroupContent> {
        self.groups.get(package.coordinate.group())?.as_ref()
    }
}

impl Published for OnServer<'_> {
    fn versions(&self, package: &PackageTarget) -> Vec<Version> {
        let targets = self.group(package).into_iter().flat_map(GroupContent::package_targets);
        let same = targets.filter(|(other, ..)| {
            other.platform == package.platform && other.coordinate.id() == package.coordinate.id()
        });
        same.map(|(other, ..)| other.coordinate.version().clone()).collect()
    }

    fn has_patch(&self, patch: &PatchTarget) -> bool {
        self.group(&patch.package).is_some_and(|group| group.target(&patch.path()).is_some())
    }

    fn fetch(&self, package: &PackageTarget, directory: &Path) -> Result<PathBuf, PatchesError> {
        let failed = |source| PatchesError::Fetch { package: package.coordinate.clone(), source };
        let path = package.path();
        let missing = || failed(RemoteError::NotFound { url: path.to_string(), problem: Problem::default() });
        let target = self.group(package).and_then(|group| group.target(&path)).ok_or_else(missing)?;
        let location = target.location(&path, true).ok_or_else(missing)?;
        let file = directory.join("package");
        self.remote.download(&location, target, &file).map_err(failed)?;
        Ok(file)
    }
}

/// A plain directory of packages.
#[derive(Debug)]
pub struct InDirectory<'d>(pub &'d Path);

impl InDirectory<'_> {
    /// Returns where a file lies.
    fn place(&self, path: &str) -> PathBuf {
        self.0.join("targets").join(path)
    }
}

impl Published for InDirectory<'_> {
    fn versions(&self, package: &PackageTarget) -> Vec<Version> {
        // …/<id>/<version>/<file>
        let file = self.place(package.path().as_str());
        let Some(versions) = file.parent().and_then(Path::parent) else { return Vec::new() };
        let names = fs::read_dir(versions)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let versions = names.filter_map(|name| name.parse::<Version>().ok());
        let is_there = |version: &Version| {
            let patch = PatchTarget { package: package.clone(), from: version.clone() };
            self.place(patch.from_package().path().as_str()).is_file()
        };
        versions.filter(is_there).collect()
    }

    fn has_patch(&self, patch: &PatchTarget) -> bool {
        self.place(patch.path().as_str()).is_file()
    }

    fn fetch(&self, package: &PackageTarget, _: &Path) -> Result<PathBuf, PatchesError> {
        Ok(self.place(package.path().as_str()))
    }
}
