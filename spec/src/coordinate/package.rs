//! Package coordinates, `group:id:version`, and the paths that they lead to.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{CoordinateError, Group, Label, Version, serde_as_text};
use crate::platform::Platform;

/// Names one package: `group:id:version`, e.g. `com.comoyo:id-cassandra:2.1.1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageCoordinate {
    group: Group,
    id: Label,
    version: Version,
}

impl PackageCoordinate {
    /// Joins the three parts.
    pub fn new(group: Group, id: Label, version: Version) -> Self {
        Self { group, id, version }
    }

    /// Returns the group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Returns the id.
    pub fn id(&self) -> &Label {
        &self.id
    }

    /// Returns the version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Returns where the package is installed below `<prefix>/software`: `<group as path>/<id>/<version>`.
    pub fn install_path(&self) -> String {
        format!("{}/{}/{}", self.group.as_path(), self.id, self.version)
    }

    /// Returns the name of the package file for one platform: `<id>-<version>-<platform>.copkg`.
    pub fn file_name(&self, platform: &Platform) -> String {
        format!("{}-{}-{platform}.copkg", self.id, self.version)
    }

    /// Returns the directory of this version in a repository, relative to its `targets`:
    /// `<first 2 hex of sha256(group)>/<group>/<id>/<version>`.
    pub fn target_dir(&self) -> String {
        format!("{}/{}/{}", self.group.target_dir(), self.id, self.version)
    }

    /// Returns the target path of the file for one platform, relative to the repository's `targets`.
    pub fn target_path(&self, platform: &Platform) -> String {
        format!("{}/{}", self.target_dir(), self.file_name(platform))
    }

    /// Checks that this package and `other` can be installed side by side.
    ///
    /// `a:b:c` and `a.b:c:1` nest: the first one's directory would hold the second one's.
    ///
    /// # Errors
    /// Names both coordinates when one install path is the other's or lies inside it.
    pub fn check_beside(&self, other: &Self) -> Result<(), NestingConflict> {
        let (ours, theirs) = (self.install_path(), other.install_path());
        if self != other && (is_inside(&ours, &theirs) || is_inside(&theirs, &ours)) {
            return Err(NestingConflict { new: self.clone(), old: other.clone() });
        }
        Ok(())
    }
}

/// Two coordinates whose install paths contain one another.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{new} and {old} cannot be installed side by side: one path lies inside the other")]
pub struct NestingConflict {
    /// The coordinate that was to be added.
    pub new: PackageCoordinate,
    /// The coordinate that is there already.
    pub old: PackageCoordinate,
}

fn is_inside(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl FromStr for PackageCoordinate {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let parts: Vec<&str> = text.split(':').collect();
        let [group, id, version] = parts[..] else {
            let why = "expected group:id:version, such as com.example:web:1.2".to_owned();
            return Err(CoordinateError::new("package coordinate", text, why));
        };
        Ok(Self { group: group.parse()?, id: id.parse()?, version: version.parse()? })
    }
}

impl fmt::Display for PackageCoordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}:{}", self.group, self.id, self.version))
    }
}

serde_as_text!(PackageCoordinate);
