//! The versions of one package, read from what its group says.

use copkg_spec::coordinate::{Group, Label, Version};
use copkg_spec::digest::Digest;
use copkg_spec::manifest::Kind;
use copkg_spec::platform::Platform;
use copkg_spec::repository::{GroupContent, PackageCustom, PackageTarget, TargetFile};

use crate::layout::StorePath;

/// One version with its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionFiles {
    /// The version.
    pub version: Version,
    /// Its files, sorted by platform; there is at least one.
    pub files: Vec<FileOf>,
}

/// One package file, as its group describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOf {
    /// The package that it is.
    pub package: PackageTarget,
    /// What it holds.
    pub kind: Kind,
    /// Its length in bytes.
    pub length: u64,
    /// The digest of the whole file.
    pub sha256: Digest,
    /// The digest of `package.json`.
    pub digest: Digest,
    /// Why nobody should take it any more.
    pub yanked: Option<String>,
}

impl VersionFiles {
    /// Returns the platforms.
    pub fn platforms(&self) -> impl Iterator<Item = &Platform> {
        self.files.iter().map(|file| &file.package.platform)
    }

    /// Returns why the version is yanked: as a whole, which is how it is done.
    pub fn yanked(&self) -> Option<&str> {
        let all = self.files.iter().all(|file| file.yanked.is_some());
        self.files.first()?.yanked.as_deref().filter(|_| all)
    }
}

impl FileOf {
    /// Returns where the file is in the store.
    pub fn blob(&self) -> StorePath {
        StorePath::blob(&self.package.path(), &self.sha256)
    }

    /// Returns the path by which people fetch it.
    pub fn link(&self) -> String {
        format!("/targets/{}", self.package.path())
    }
}

/// Lists the versions of a package, the highest first.
pub fn versions_of(content: &GroupContent, id: &Label) -> Vec<VersionFiles> {
    let start = directory(content.group(), id);
    let mut files: Vec<FileOf> = content
        .targets()
        .filter(|(path, _)| path.as_str().starts_with(&start))
        .filter_map(|(path, target)| {
            let TargetFile::Package(package) = TargetFile::parse(path).ok()? else { return None };
            let PackageCustom { digest, kind, yanked, .. } = PackageCustom::of(target).ok()?;
            let sha256 = target.hashes.by_algorithm().get("sha256")?.parse().ok()?;
            Some(FileOf { package, kind, length: target.length, sha256, digest, yanked })
        })
        .collect();
    files.sort_by(|a, b| a.package.cmp(&b.package));
    let mut versions: Vec<VersionFiles> = Vec::new();
    for file in files {
        let version = file.package.coordinate.version();
        match versions.last_mut().filter(|last| last.version == *version) {
            Some(last) => last.files.push(file),
            None => versions.push(VersionFiles { version: version.clone(), files: vec![file] }),
        }
    }
    versions.sort_by_cached_key(|version| std::cmp::Reverse(version.version.clone()));
    versions
}

/// Returns how the target paths of a package begin.
fn directory(group: &Group, id: &Label) -> String {
    format!("{}/{id}/", group.target_dir())
}
