//! The patches that make a file out of an older one, read from what its group says.

use copkg_spec::coordinate::Version;
use copkg_spec::digest::Digest;
use copkg_spec::repository::{GroupContent, PatchTarget};

use super::{FileOf, VersionFiles};

/// How many older versions are looked at: a group may have a hundred thousand.
const OLDER: usize = 100;

/// A patch, as its group describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchOf {
    /// The patch that it is.
    pub patch: PatchTarget,
    /// Its length in bytes.
    pub length: u64,
    /// The digest of the whole file.
    pub sha256: Digest,
}

impl PatchOf {
    /// Returns the version that it is applied to.
    pub fn from(&self) -> &Version {
        &self.patch.from
    }

    /// Returns the path by which people fetch it.
    pub fn link(&self) -> String {
        format!("/targets/{}", self.patch.path())
    }
}

/// Lists the patches to `file` from the next of the `older` versions, the highest first.
pub fn patches_to(content: &GroupContent, file: &FileOf, older: &[VersionFiles]) -> Vec<PatchOf> {
    let patch = |old: &VersionFiles| {
        let patch = PatchTarget { package: file.package.clone(), from: old.version.clone() };
        let target = content.target(&patch.path())?;
        let sha256 = target.hashes.by_algorithm().get("sha256")?.parse().ok()?;
        Some(PatchOf { patch, length: target.length, sha256 })
    };
    older.iter().take(OLDER).filter_map(patch).collect()
}
