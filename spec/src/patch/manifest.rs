//! `patch.json`: which two packages a patch is between, and the lengths and digests of what follows it.

use serde::{Deserialize, Serialize};

use super::error::PatchError;
use crate::archive::Contents;
use crate::canonical;
use crate::coordinate::{Group, Label, PackageCoordinate, Version};
use crate::digest::Digest;
use crate::limits::MANIFEST_BYTES;
use crate::manifest::{Compressed, FORMAT, Format};
use crate::platform::Platform;
use crate::repository::{PackageTarget, PatchTarget};

/// One of the two packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its version.
    pub version: Version,
    /// The digest of its manifest.
    pub digest: Digest,
}

/// The bytes that the steps are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Data {
    pub(super) length: u64,
}

/// What a patch says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchManifest {
    format: Format,
    group: Group,
    id: Label,
    platform: Platform,
    from: Side,
    to: Side,
    steps: Compressed,
    data: Data,
}

impl PatchManifest {
    /// Joins two packages with what the steps came to.
    pub(super) fn new(old: &Contents, new: &Contents, steps: Compressed, length: u64) -> Self {
        let side = |package: &Contents| {
            let version = package.manifest().coordinate().version().clone();
            Side { version, digest: package.digest() }
        };
        let coordinate = new.manifest().coordinate();
        Self {
            format: FORMAT,
            group: coordinate.group().clone(),
            id: coordinate.id().clone(),
            platform: new.manifest().platform().clone(),
            from: side(old),
            to: side(new),
            steps,
            data: Data { length },
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, PatchError> {
        if bytes.len() as u64 > MANIFEST_BYTES || !canonical::is_canonical(bytes) {
            return Err(PatchError::Manifest("it is not canonical JSON"));
        }
        Format::check(bytes).map_err(PatchError::Format)?;
        serde_json::from_slice(bytes).map_err(PatchError::Syntax)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, PatchError> {
        canonical::to_vec(self).map_err(|_| PatchError::Manifest("it has no canonical form"))
    }

    /// Returns the group, which decides whose keys are asked for.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Returns the package that it is applied to.
    pub fn from(&self) -> &Side {
        &self.from
    }

    /// Returns the package that it makes.
    pub fn to(&self) -> &Side {
        &self.to
    }

    /// Returns the platform that both packages are for.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Returns the place of the patch in a repository.
    pub fn target(&self) -> PatchTarget {
        let Self { group, id, to, platform, from, .. } = self;
        let coordinate = PackageCoordinate::new(group.clone(), id.clone(), to.version.clone());
        let package = PackageTarget { coordinate, platform: platform.clone() };
        PatchTarget { package, from: from.version.clone() }
    }

    pub(super) fn steps(&self) -> &Compressed {
        &self.steps
    }

    pub(super) fn data_length(&self) -> u64 {
        self.data.length
    }
}
