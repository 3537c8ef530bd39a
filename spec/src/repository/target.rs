//! The files of a repository, by their target paths: packages, and patches between two versions.

use crate::coordinate::{CoordinateError, Group, Label, PackageCoordinate, Version};
use crate::platform::Platform;
use crate::tuf::TargetPath;

/// How the name of a package file ends.
const PACKAGE: &str = ".copkg";
/// How the name of a patch ends.
const PATCH: &str = ".patch";
/// What stands between the two versions of a patch.
const FROM: &str = ".from-";

/// A file that a repository may have. Anything else is no target of ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetFile {
    /// A package for one platform.
    Package(PackageTarget),
    /// What makes one version from another one.
    Patch(PatchTarget),
}

/// A package for one platform: `<xx>/<group>/<id>/<version>/<id>-<version>-<platform>.copkg`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageTarget {
    /// The coordinate.
    pub coordinate: PackageCoordinate,
    /// The platform.
    pub platform: Platform,
}

/// A patch, beside the package that it makes: `…/<id>-<version>-<platform>.from-<older version>.patch`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatchTarget {
    /// The package that it makes.
    pub package: PackageTarget,
    /// The version that it is applied to.
    pub from: Version,
}

impl TargetFile {
    /// Reads a target path.
    ///
    /// # Errors
    /// When it is not exactly the path of one of our files.
    pub fn parse(path: &TargetPath) -> Result<Self, CoordinateError> {
        let error = |why: String| CoordinateError::new("target path of a repository", path.as_str(), why);
        let parts: Vec<&str> = path.as_str().split('/').collect();
        let [_, group, id, version, file] = parts[..] else {
            return Err(error("it is <shard>/<group>/<id>/<version>/<file>, five parts".to_owned()));
        };
        let (group, id, version): (Group, Label, Version) = (group.parse()?, id.parse()?, version.parse()?);
        let coordinate = PackageCoordinate::new(group, id, version);
        let found = Self::of_file_name(coordinate, file)?;
        let expected = found.path();
        if expected == *path { Ok(found) } else { Err(error(format!("this file is at {expected}"))) }
    }

    /// Reads the name of a file of one version.
    ///
    /// # Errors
    /// When it is the name of neither a package nor a patch of that version.
    pub fn of_file_name(coordinate: PackageCoordinate, name: &str) -> Result<Self, CoordinateError> {
        let start = format!("{}-{}-", coordinate.id(), coordinate.version());
        let error = || {
            let why = format!("it is {start}<platform>{PACKAGE} or {start}<platform>{FROM}<version>{PATCH}");
            CoordinateError::new("file name of this version", name, why)
        };
        let rest = name.strip_prefix(&start).ok_or_else(error)?;
        if let Some(platform) = rest.strip_suffix(PACKAGE) {
            return Ok(Self::Package(PackageTarget { coordinate, platform: platform.parse()? }));
        }
        let (platform, from) =
            rest.strip_suffix(PATCH).and_then(|rest| rest.split_once(FROM)).ok_or_else(error)?;
        let package = PackageTarget { coordinate, platform: platform.parse()? };
        Ok(Self::Patch(PatchTarget { package, from: from.parse()? }))
    }

    /// Returns the package that it is, or makes.
    pub fn package(&self) -> &PackageTarget {
        match self {
            Self::Package(package) => package,
            Self::Patch(patch) => &patch.package,
        }
    }

    /// Returns the path below the repository's targets.
    pub fn path(&self) -> TargetPath {
        match self {
            Self::Package(package) => package.path(),
            Self::Patch(patch) => patch.path(),
        }
    }
}

impl PackageTarget {
    /// Returns the path below the repository's targets.
    pub fn path(&self) -> TargetPath {
        TargetPath::of_names(self.coordinate.target_path(&self.platform))
    }
}

impl PatchTarget {
    /// Returns the package that it is applied to.
    pub fn from_package(&self) -> PackageTarget {
        let PackageTarget { coordinate, platform } = &self.package;
        let (group, id) = (coordinate.group().clone(), coordinate.id().clone());
        let coordinate = PackageCoordinate::new(group, id, self.from.clone());
        PackageTarget { coordinate, platform: platform.clone() }
    }

    /// Returns the name of the file.
    pub fn file_name(&self) -> String {
        let path = self.path();
        path.as_str().rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Returns the path below the repository's targets.
    pub fn path(&self) -> TargetPath {
        let package = self.package.coordinate.target_path(&self.package.platform);
        let stem = package.strip_suffix(PACKAGE).unwrap_or(&package);
        TargetPath::of_names(format!("{stem}{FROM}{}{PATCH}", self.from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package() -> PackageTarget {
        PackageTarget {
            coordinate: "com.example:web:1.2.0+b~1".parse().expect("it is a coordinate"),
            platform: "x86_64-linux".parse().expect("it is a platform"),
        }
    }

    #[test]
    fn the_path_of_a_file_is_read_back() {
        let patch =
            PatchTarget { package: package(), from: "1.2.0.from-1".parse().expect("it is a version") };
        for file in [TargetFile::Package(package()), TargetFile::Patch(patch)] {
            assert_eq!(TargetFile::parse(&file.path()), Ok(file));
        }
    }

    #[test]
    fn nothing_else_is_a_file_of_a_repository() {
        let good = package().path().to_string();
        for bad in [
            good.replace("web/1.2", "web/1.3"),
            format!("00{}", &good[2..]),
            good.replace(".copkg", ".zip"),
            good.replace("-x86_64-linux", ""),
            good.replace(".copkg", ".from-.patch"),
            format!("{good}/x"),
            "a/b/c".to_owned(),
        ] {
            let path: TargetPath = bad.parse().expect("it is a path");
            assert!(TargetFile::parse(&path).is_err(), "{bad}");
        }
    }
}
