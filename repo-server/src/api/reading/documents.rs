//! The documents that the reading side answers with.

use std::collections::BTreeMap;

use copkg_spec::index::Entry;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::overview::{Change, FileOf, PatchOf, VersionFiles, What};
use crate::search::{Row, kind_name};

/// What the repository is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RepositoryDocument {
    /// The digest of the first root, which hosts pin.
    pub(super) fingerprint: String,
    /// The number of the newest commit.
    pub(super) commit: u64,
    /// When it was made.
    pub(super) time: String,
    /// How many groups have published something.
    pub(super) groups: u64,
    /// How many packages there are.
    pub(super) packages: u64,
    /// How many versions they have together.
    pub(super) versions: u64,
}

/// Groups with the ids of their packages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupsDocument {
    /// The groups, sorted.
    pub(crate) groups: Vec<GroupItem>,
    /// The cursor of the next page.
    pub(crate) next: Option<String>,
}

/// A group with the ids of its packages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupItem {
    /// The group.
    pub(crate) group: String,
    /// The ids, sorted.
    pub(crate) ids: Vec<String>,
}

/// The packages of one group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupDocument {
    /// The group.
    pub(crate) group: String,
    /// The ids, sorted.
    pub(crate) ids: Vec<String>,
    /// The cursor of the next page.
    pub(crate) next: Option<String>,
}

/// One package with its versions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PackageDocument {
    /// The group.
    pub(crate) group: String,
    /// The id.
    pub(crate) id: String,
    /// The version that the name alone leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) newest: Option<String>,
    /// One line for people who search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// Where the channels lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channels: Option<BTreeMap<String, String>>,
    /// The versions, oldest first in the order of versions.
    pub(crate) versions: Vec<VersionItem>,
    /// The cursor of the next page.
    pub(crate) next: Option<String>,
}

/// One version with its files.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionItem {
    /// The version.
    pub(crate) version: String,
    /// Why nobody should take it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) yanked: Option<String>,
    /// Its files, sorted by platform.
    pub(crate) files: Vec<FileItem>,
}

/// One package file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileItem {
    /// The machine that it is for.
    pub(crate) platform: String,
    /// What it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// Where it is, relative to the repository's URL.
    pub(crate) path: String,
    /// The digest of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// The digest of `package.json`, by which signatures and receipts name the package.
    pub(crate) package_digest: String,
}

/// One version of a package.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionDocument {
    /// The group.
    pub(super) group: String,
    /// The id.
    pub(super) id: String,
    /// The version.
    pub(super) version: String,
    /// Why nobody should take it any more.
    pub(super) yanked: Option<String>,
    /// The channels that lead to it.
    pub(super) channels: Vec<String>,
    /// Its files, sorted by platform.
    pub(super) files: Vec<FileItem>,
    /// The patches that make its files of those of older versions, the newest of these first.
    pub(super) patches: Vec<PatchItem>,
}

/// A patch from an older version.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PatchItem {
    /// The version that it is applied to.
    pub(super) from: String,
    /// The machine that its file is for.
    pub(super) platform: String,
    /// Its length in bytes.
    pub(super) size: u64,
    /// Where it is, relative to the repository's URL.
    pub(super) path: String,
    /// The digest of the file.
    pub(super) sha256: String,
}

impl From<&PatchOf> for PatchItem {
    fn from(patch: &PatchOf) -> Self {
        Self {
            from: patch.from().to_string(),
            platform: patch.patch.package.platform.to_string(),
            size: patch.length,
            path: patch.link().trim_start_matches('/').to_owned(),
            sha256: patch.sha256.to_string(),
        }
    }
}

/// One package file, with what it says of itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FileDocument {
    /// The file.
    pub(super) file: FileItem,
    /// Why nobody should take it any more.
    pub(super) yanked: Option<String>,
    /// When the store got it.
    pub(super) stored: Option<String>,
    /// Its `package.json`.
    #[schema(value_type = Object)]
    pub(super) manifest: Value,
    /// Who signed it.
    pub(super) signers: Vec<SignerItem>,
    /// Whether it has an SBOM, at `sbom` below this address.
    pub(super) has_sbom: bool,
    /// Whether it has a provenance, at `provenance` below this address.
    pub(super) has_provenance: bool,
    /// The name of its README.
    pub(super) readme: Option<String>,
}

/// A signature over a manifest.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignerItem {
    /// The id of the key.
    pub(super) key: String,
    /// Whether the key speaks for the group today and the signature is right.
    pub(super) speaks: bool,
}

/// Entries of a package.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntriesDocument {
    /// The entries, in the order of their paths.
    pub(super) entries: Vec<EntryItem>,
    /// How many there are in all.
    pub(super) total: u64,
    /// The cursor of the next page.
    pub(super) next: Option<String>,
}

/// A file, a directory or a symbolic link of a package.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntryItem {
    /// `file`, `directory` or `symlink`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// Where it is.
    pub(super) path: String,
    /// The mode of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<String>,
    /// The bytes of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    /// The digest of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<String>,
}

/// What a search found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchDocument {
    /// The packages, the best match first.
    pub(super) items: Vec<SearchItem>,
    /// How many packages match in all.
    pub(super) total: u64,
    /// The cursor of the next page.
    pub(super) next: Option<String>,
}

/// One package that was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchItem {
    /// The group.
    pub(super) group: String,
    /// The id.
    pub(super) id: String,
    /// The version that the name alone leads to.
    pub(super) newest: Option<String>,
    /// What it holds.
    pub(super) kind: &'static str,
    /// The platforms of its newest version.
    pub(super) platforms: Vec<String>,
    /// One line for people who search.
    pub(super) description: Option<String>,
    /// Where the channels lead.
    pub(super) channels: BTreeMap<String, String>,
}

/// What happened lately.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangesDocument {
    /// The changes, the latest first. The server keeps the last 500.
    pub(super) items: Vec<ChangeItem>,
}

/// One thing that somebody did to a package.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangeItem {
    /// The commit that made it visible.
    pub(super) commit: u64,
    /// When that was.
    pub(super) time: String,
    /// The group.
    pub(super) group: String,
    /// The id.
    pub(super) id: String,
    /// The version.
    pub(super) version: String,
    /// `published`, `yanked`, `unyanked`, `promoted` or `demoted`.
    pub(super) what: &'static str,
    /// The reason of a yank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// The channel that was moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<String>,
}

impl From<&VersionFiles> for VersionItem {
    fn from(version: &VersionFiles) -> Self {
        Self {
            version: version.version.to_string(),
            yanked: version.yanked().map(str::to_owned),
            files: version.files.iter().map(FileItem::from).collect(),
        }
    }
}

impl From<&FileOf> for FileItem {
    fn from(file: &FileOf) -> Self {
        Self {
            platform: file.package.platform.to_string(),
            kind: Some(kind_name(file.kind)),
            size: file.length,
            path: file.link().trim_start_matches('/').to_owned(),
            sha256: Some(file.sha256.to_string()),
            package_digest: file.digest.to_string(),
        }
    }
}

impl From<&Row> for SearchItem {
    fn from(row: &Row) -> Self {
        let entry = row.entry();
        Self {
            group: row.group().to_string(),
            id: row.id().to_string(),
            newest: entry.newest.as_ref().map(ToString::to_string),
            kind: kind_name(row.kind()),
            platforms: row.platforms().iter().map(ToString::to_string).collect(),
            description: entry.description.clone(),
            channels: entry.channels.iter().map(|(name, to)| (name.to_string(), to.to_string())).collect(),
        }
    }
}

impl From<&Change> for ChangeItem {
    fn from(change: &Change) -> Self {
        let (what, reason, channel) = match &change.what {
            What::Published => ("published", None, None),
            What::Yanked(reason) => ("yanked", Some(reason.clone()), None),
            What::Unyanked => ("unyanked", None, None),
            What::Promoted(channel) => ("promoted", None, Some(channel.to_string())),
            What::Demoted(channel) => ("demoted", None, Some(channel.to_string())),
        };
        Self {
            commit: change.commit.number(),
            time: change.time.to_string(),
            group: change.group.to_string(),
            id: change.id.to_string(),
            version: change.version.to_string(),
            what,
            reason,
            channel,
        }
    }
}

impl From<&Entry> for EntryItem {
    fn from(entry: &Entry) -> Self {
        let of = |kind| Self {
            kind,
            path: entry.path().as_str().to_owned(),
            mode: None,
            size: None,
            sha256: None,
            target: None,
        };
        match entry {
            Entry::Directory { .. } => of("directory"),
            Entry::File { mode, size, sha256, .. } => Self {
                mode: Some(format!("{:04o}", mode.bits())),
                size: Some(*size),
                sha256: Some(sha256.to_string()),
                ..of("file")
            },
            Entry::Symlink { target, .. } => {
                Self { target: Some(target.as_str().to_owned()), ..of("symlink") }
            }
        }
    }
}
