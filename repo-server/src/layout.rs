//! The layout of a repository: which paths of a store exist for a client. Before it: the path of a request; after
//! it: [`crate::storage`].
//!
//! A [`StorePath`] is built from parsed names only, so that nothing that a client wrote reaches the store as text:
//! no `..`, no dot file, no temporary file, no other directory.

use std::fmt;

use copkg_spec::coordinate::{CoordinateError, Group, Label, PackageCoordinate, Version};
use copkg_spec::digest::Digest;
use copkg_spec::platform::Platform;
use copkg_spec::repository::{CommitNumber, TargetFile};
use copkg_spec::tuf::{Role, TargetPath, Version as TufVersion};
use percent_encoding::percent_decode_str;
use thiserror::Error;

/// The directory of package files in a store.
const TARGETS: &str = "targets";
/// The directory of metadata files in a store.
const METADATA: &str = "metadata";
/// The directory of metadata files that wait for a commit.
const STAGED: &str = "staged";
/// The directory of what is never served.
const PRIVATE: &str = "private";
/// How the name of a package file ends.
const EXTENSION: &str = ".copkg";

/// A path relative to the store that holds a repository's file or directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StorePath(String);

impl StorePath {
    /// Returns the directory that holds the shards.
    pub fn targets() -> Self {
        Self(TARGETS.to_owned())
    }

    /// Returns the directory of one of the 256 shards.
    pub fn shard(shard: u8) -> Self {
        Self(format!("{TARGETS}/{shard:02x}"))
    }

    /// Returns the directory of a group.
    pub fn group(group: &Group) -> Self {
        Self(format!("{TARGETS}/{}", group.target_dir()))
    }

    /// Returns the directory of a package.
    pub fn package(group: &Group, id: &Label) -> Self {
        Self(format!("{TARGETS}/{}/{id}", group.target_dir()))
    }

    /// Returns the directory of one version of a package.
    pub fn version(coordinate: &PackageCoordinate) -> Self {
        Self(format!("{TARGETS}/{}", coordinate.target_dir()))
    }

    /// Returns the file of one version of a role. Timestamp has one file, without a version.
    pub fn metadata(role: &Role, version: TufVersion) -> Self {
        match role {
            Role::Timestamp => Self::timestamp(),
            role => Self(format!("{METADATA}/{}", role.versioned_file_name(version))),
        }
    }

    /// Parses the name of a metadata file of one version as a request has it: `<version>.<role>.json`.
    pub fn of_metadata_request(name: &str) -> Option<Self> {
        let (version, role) = name.strip_suffix(".json")?.split_once('.')?;
        let version = TufVersion::new(version.parse().ok()?)?;
        let role = match role {
            "root" => Role::Root,
            "snapshot" => Role::Snapshot,
            "targets" => Role::Targets,
            name => Role::Delegated(name.parse().ok()?),
        };
        let path = Self::metadata(&role, version);
        // The one name of each file, which needs no percent-encoding for the roles that a repository has.
        (path.0.strip_prefix(METADATA)?.strip_prefix('/')? == name).then_some(path)
    }

    /// Returns a file of metadata by its name, as the client in `spec` asks for it: no separators, never hidden.
    pub(crate) fn metadata_file(name: &str) -> Self {
        Self(format!("{METADATA}/{name}"))
    }

    /// Returns the file that says which state is the newest: the only one that ever changes.
    pub fn timestamp() -> Self {
        Self(format!("{METADATA}/timestamp.json"))
    }

    /// Returns the entry of a commit in the log.
    pub fn commit(number: CommitNumber) -> Self {
        Self(number.key())
    }

    /// Returns where a metadata file waits for its commit.
    pub fn staged(digest: &Digest) -> Self {
        Self(format!("{STAGED}/{digest}"))
    }

    /// Returns where a target's bytes are: its path, with the digest before its last component.
    pub fn blob(path: &TargetPath, digest: &Digest) -> Self {
        let (directory, file) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        Self(format!("{TARGETS}/{directory}/{digest}.{file}"))
    }

    /// Returns a file that is never served, e.g. of tokens. `name` is the program's own, never a client's.
    pub fn private(name: fmt::Arguments<'_>) -> Self {
        Self(format!("{PRIVATE}/{name}"))
    }

    /// Returns a file of the transparency log, below `tlog/`. `name` is the program's own, never a client's.
    pub fn transparency(name: fmt::Arguments<'_>) -> Self {
        Self(format!("tlog/{name}"))
    }

    /// Takes a path that the store itself listed.
    pub(crate) fn found(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// Returns the path as text, without a leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One package file: a coordinate for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    coordinate: PackageCoordinate,
    platform: Platform,
}

impl Target {
    /// Parses the part of a request's path behind `/targets/`, with percent-encoding.
    ///
    /// It is split before it is decoded, so an encoded slash is a character that no name may have.
    ///
    /// # Errors
    /// Says which part is not as `docs/format.md` wants it.
    pub fn from_request_path(path: &str) -> Result<Self, TargetError> {
        let parts: Vec<String> = path.split('/').map(decode).collect::<Result<_, _>>()?;
        let [_, group, id, version, file] = parts.as_slice() else {
            return Err(TargetError::Depth { found: parts.len() });
        };
        let (group, id, version): (Group, Label, Version) = (group.parse()?, id.parse()?, version.parse()?);
        let target = Self::from_file_name(PackageCoordinate::new(group, id, version), file)?;
        let expected = target.coordinate.target_path(&target.platform);
        if parts.join("/") != expected {
            return Err(TargetError::Elsewhere { expected });
        }
        Ok(target)
    }

    /// Reads the platform from the name of a file in the directory of `coordinate`.
    ///
    /// # Errors
    /// When it is not the name of a package file of that coordinate.
    pub fn from_file_name(coordinate: PackageCoordinate, name: &str) -> Result<Self, TargetError> {
        let start = format!("{}-{}-", coordinate.id(), coordinate.version());
        let platform = name.strip_prefix(&start).and_then(|rest| rest.strip_suffix(EXTENSION));
        let platform = platform.ok_or(TargetError::FileName { start })?.parse()?;
        Ok(Self { coordinate, platform })
    }

    /// Returns the coordinate of the package.
    pub fn coordinate(&self) -> &PackageCoordinate {
        &self.coordinate
    }

    /// Returns the platform that the file is for.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Returns where the file lies in the store; the same below the repository's URL.
    pub fn store_path(&self) -> StorePath {
        StorePath(format!("{TARGETS}/{}", self.coordinate.target_path(&self.platform)))
    }
}

/// A file of a repository with metadata, as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTarget {
    /// The path that metadata has.
    pub path: TargetPath,
    /// The group that it belongs to.
    pub group: Group,
    /// The SHA-256 in the name, with which clients ask; people leave it out.
    pub digest: Option<Digest>,
}

impl NamedTarget {
    /// Parses the part of a request's path behind `/targets/`, with percent-encoding.
    ///
    /// # Errors
    /// Says which part is not as `docs/repository.md` wants it.
    pub fn from_request_path(path: &str) -> Result<Self, TargetError> {
        let mut parts: Vec<String> = path.split('/').map(decode).collect::<Result<_, _>>()?;
        let last = parts.last_mut().ok_or(TargetError::Depth { found: 0 })?;
        let mut digest = None;
        if let Some((first, rest)) = last.clone().split_once('.')
            && let Ok(found) = first.parse()
        {
            digest = Some(found);
            rest.clone_into(last);
        }
        if parts.iter().any(|part| part.contains('/')) {
            return Err(TargetError::Depth { found: parts.len() });
        }
        let path: TargetPath = parts.join("/").parse()?;
        let file = TargetFile::parse(&path)?;
        Ok(Self { path, group: file.package().coordinate.group().clone(), digest })
    }
}

/// Says why a path names no package file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// The path does not have five parts.
    #[error("a package file is at <shard>/<group>/<id>/<version>/<file>, five parts, not {found}")]
    Depth {
        /// How many parts there are.
        found: usize,
    },
    /// A part is not UTF-8 when decoded.
    #[error("a part of the path is not UTF-8")]
    Encoding,
    /// A part breaks the grammar of names.
    #[error(transparent)]
    Name(#[from] CoordinateError),
    /// The file's name does not go with the directories.
    #[error("the file's name must be {start}<platform>{EXTENSION}")]
    FileName {
        /// How the name has to start.
        start: String,
    },
    /// The shard is not the group's.
    #[error("this package file is at {expected}")]
    Elsewhere {
        /// Where the file is, relative to `targets`.
        expected: String,
    },
}

fn decode(part: &str) -> Result<String, TargetError> {
    let text = percent_decode_str(part).decode_utf8().map_err(|_| TargetError::Encoding)?;
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> String {
        let coordinate: PackageCoordinate = "com.example:web:1.2.0+b~1".parse().unwrap();
        coordinate.target_path(&"x86_64-linux".parse().unwrap())
    }

    #[test]
    fn the_path_of_a_package_file_is_its_own_store_path() {
        let target = Target::from_request_path(&path()).unwrap();
        assert_eq!(target.store_path().as_str(), format!("targets/{}", path()));
    }

    #[test]
    fn plus_and_tilde_may_be_percent_encoded() {
        let encoded = path().replace('+', "%2B").replace('~', "%7e");
        assert_eq!(Target::from_request_path(&encoded), Target::from_request_path(&path()));
    }

    #[test]
    fn nothing_but_the_exact_path_of_a_package_file_is_a_target() {
        let good = path();
        let file = good.rsplit('/').next().unwrap().to_owned();
        let wrong_shard = format!("00{}", &good[2..]);
        let upper = good.replace("com.example", "COM.example");
        for bad in [
            "",
            "/",
            "../../../../etc/passwd",
            "00/../../../etc/passwd",
            &good.replace(&file, ""),
            &good.replace(&file, ".."),
            &good.replace(&file, "%2e%2e"),
            &good.replace(&file, ".tmp-123"),
            &good.replace(&file, &format!(".{file}")),
            &good.replace(&file, &format!("{file}#1")),
            &good.replace(&file, &format!("{file}%00")),
            &good.replace("x86_64-linux", "x86_64-beos"),
            &good.replace("web/", "web%2f"),
            &good.replace("web/", "web//"),
            &format!("{good}/"),
            &format!("/{good}"),
            &good.replace("com.", "com%ff."),
            &wrong_shard,
            &upper,
        ] {
            assert!(Target::from_request_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_refusal_says_what_a_package_path_looks_like() {
        let said = |path: &str| Target::from_request_path(path).unwrap_err().to_string();
        let moved = format!("00{}", &path()[2..]);
        let renamed = path().replace("web-1.2.0", "web-1.3.0");
        let texts = [said("a/b"), said(&moved), said(&renamed), said("00/A/b/1/c")].join("\n");
        insta::assert_snapshot!(texts);
    }
}
