//! The catalogue: which groups, packages, versions and files a repository has, read from the names in its store.
//! Before it: [`crate::storage`]; after it: the listing in [`crate::api`].
//!
//! What is not named as `docs/format.md` says is no part of the repository and is passed over.

mod head;

use copkg_spec::coordinate::{Group, Label, PackageCoordinate, Version};
use copkg_spec::digest::Digest;
use copkg_spec::platform::Platform;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use crate::layout::{StorePath, Target};
use crate::storage::{ReadError, Storage};

/// How many directories or heads are read at once for one listing.
const PARALLEL: usize = 16;

/// The packages of one group.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct GroupListing {
    /// The group.
    pub group: Group,
    /// The ids of its packages, sorted.
    pub ids: Vec<Label>,
}

/// The versions of one package.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PackageListing {
    /// The group.
    pub group: Group,
    /// The id.
    pub id: Label,
    /// The versions, oldest first in the order of versions.
    pub versions: Vec<VersionListing>,
}

/// The files of one version.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct VersionListing {
    /// The version.
    pub version: Version,
    /// Its files, sorted by platform.
    pub files: Vec<FileListing>,
}

/// One package file.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FileListing {
    /// The machine that it is for.
    pub platform: Platform,
    /// Its size in bytes.
    pub size: u64,
    /// Where it is, relative to the repository's URL.
    pub path: String,
    /// The digest of `package.json`, by which signatures and receipts name the package.
    pub package_digest: Digest,
}

/// Lists all groups with their packages, sorted.
///
/// # Errors
/// When the store cannot be read.
pub async fn groups(storage: &Storage) -> Result<Vec<GroupListing>, ReadError> {
    let shards: Vec<u8> =
        storage.list(&StorePath::targets()).await?.directories.iter().filter_map(shard).collect();
    let found = stream::iter(shards)
        .map(|shard| groups_of_shard(storage, shard))
        .buffered(PARALLEL)
        .try_concat()
        .await?;
    let mut listings: Vec<GroupListing> = stream::iter(found)
        .map(|group| group_listing(storage, group))
        .buffered(PARALLEL)
        .try_filter_map(|listing| async { Ok(listing) })
        .try_collect()
        .await?;
    listings.sort_by(|a, b| a.group.cmp(&b.group));
    Ok(listings)
}

/// Lists the packages of a group; `None` when it has none.
///
/// # Errors
/// When the store cannot be read.
pub async fn group_listing(storage: &Storage, group: Group) -> Result<Option<GroupListing>, ReadError> {
    let found = storage.list(&StorePath::group(&group)).await?;
    let mut ids: Vec<Label> = parsed(&found.directories);
    ids.sort();
    Ok((!ids.is_empty()).then_some(GroupListing { group, ids }))
}

/// Lists the versions of a package with their files; `None` when it has none.
///
/// # Errors
/// When the store cannot be read. One damaged file is left out, and the log says so.
pub async fn package_listing(
    storage: &Storage,
    group: Group,
    id: Label,
) -> Result<Option<PackageListing>, ReadError> {
    let found = storage.list(&StorePath::package(&group, &id)).await?;
    let mut versions: Vec<Version> = parsed(&found.directories);
    versions.sort();
    let coordinates = versions.into_iter().map(|v| PackageCoordinate::new(group.clone(), id.clone(), v));
    let versions: Vec<VersionListing> = stream::iter(coordinates)
        .map(|coordinate| version_listing(storage, coordinate))
        .buffered(PARALLEL)
        .try_filter_map(|listing| async { Ok(listing) })
        .try_collect()
        .await?;
    Ok((!versions.is_empty()).then_some(PackageListing { group, id, versions }))
}

async fn groups_of_shard(storage: &Storage, shard: u8) -> Result<Vec<Group>, ReadError> {
    let found = storage.list(&StorePath::shard(shard)).await?;
    let ours = |group: &Group| StorePath::group(group).as_str().starts_with(StorePath::shard(shard).as_str());
    Ok(parsed(&found.directories).into_iter().filter(ours).collect())
}

async fn version_listing(
    storage: &Storage,
    coordinate: PackageCoordinate,
) -> Result<Option<VersionListing>, ReadError> {
    let found = storage.list(&StorePath::version(&coordinate)).await?;
    let mut files = Vec::new();
    for name in &found.files {
        if let Ok(target) = Target::from_file_name(coordinate.clone(), name) {
            files.extend(file_listing(storage, &target).await?);
        }
    }
    files.sort_by(|a, b| a.platform.cmp(&b.platform));
    let version = coordinate.version().clone();
    Ok((!files.is_empty()).then_some(VersionListing { version, files }))
}

async fn file_listing(storage: &Storage, target: &Target) -> Result<Option<FileListing>, ReadError> {
    let path = target.store_path();
    let Some(object) = storage.object(&path).await? else { return Ok(None) };
    let package_digest = match head::package_digest(&object, target).await {
        Ok(digest) => digest,
        Err(head::HeadError::Read(error)) => return Err(error),
        Err(error) => {
            tracing::warn!(%path, %error, "left a damaged package file out of the listing");
            return Ok(None);
        }
    };
    let platform = target.platform().clone();
    Ok(Some(FileListing { platform, size: object.size(), path: path.to_string(), package_digest }))
}

fn parsed<T: std::str::FromStr>(names: &[String]) -> Vec<T> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

fn shard(name: impl AsRef<str>) -> Option<u8> {
    let name = name.as_ref();
    u8::from_str_radix(name, 16).ok().filter(|shard| format!("{shard:02x}") == name)
}
