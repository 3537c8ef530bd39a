//! Entries: the files, directories and symbolic links of a package.

use serde::{Deserialize, Serialize};

use super::path::{EntryPath, LinkTarget};
use crate::digest::Digest;
use crate::limits::{SOURCE_DATE, TAR_MEMBER_BYTES};
use crate::policy::{Refused, Rule};

/// The mode of a file: the only two that a package may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// 0644.
    Regular,
    /// 0755.
    Executable,
}

impl Mode {
    /// Returns the permission bits.
    pub fn bits(self) -> u32 {
        match self {
            Self::Regular => 0o644,
            Self::Executable => 0o755,
        }
    }

    /// Returns the permission bits of the installed file, 0444 or 0555: nobody writes to software, not even its owner.
    pub fn read_only_bits(self) -> u32 {
        self.bits() & !0o222
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "0644",
            Self::Executable => "0755",
        }
    }

    fn parse(text: &str) -> Result<Self, Rule> {
        match text {
            "0644" => Ok(Self::Regular),
            "0755" => Ok(Self::Executable),
            _ => {
                let bits = u32::from_str_radix(text, 8).unwrap_or(0);
                let special = bits & 0o7000 != 0;
                Err(if special { Rule::SpecialBits(text.to_owned()) } else { Rule::Mode(text.to_owned()) })
            }
        }
    }
}

/// One entry of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "RawEntry", try_from = "RawEntry")]
pub enum Entry {
    /// A directory, always 0755.
    Directory {
        /// Where it is.
        path: EntryPath,
    },
    /// A regular file.
    File {
        /// Where it is.
        path: EntryPath,
        /// 0644 or 0755.
        mode: Mode,
        /// Bytes of content.
        size: u64,
        /// The digest of the content.
        sha256: Digest,
        /// When this content came to this path, in seconds since 1970, where that was in an earlier version: the date of its source.
        /// Without one it is that of this package. A link has that of the file that it leads to.
        date: Option<u64>,
        /// An earlier file with the same content and mode, which has it in the payload for both.
        link: Option<EntryPath>,
    },
    /// A symbolic link that stays inside the package and leads to no other link.
    Symlink {
        /// Where it is.
        path: EntryPath,
        /// Where it leads.
        target: LinkTarget,
    },
}

impl Entry {
    /// Returns where the entry is.
    pub fn path(&self) -> &EntryPath {
        match self {
            Self::Directory { path } | Self::File { path, .. } | Self::Symlink { path, .. } => path,
        }
    }

    /// Returns the bytes of content that the payload has for it: 0 for what is not a file, and for a file whose content another one has.
    pub fn payload_bytes(&self) -> u64 {
        match self {
            Self::File { size, link: None, .. } => *size,
            Self::File { .. } | Self::Directory { .. } | Self::Symlink { .. } => 0,
        }
    }

    /// Returns the earlier file that has the content of this one.
    pub fn link(&self) -> Option<&EntryPath> {
        if let Self::File { link, .. } = self { link.as_ref() } else { None }
    }
}

/// A file before its content is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewFile<'e> {
    /// Where it is.
    pub path: &'e EntryPath,
    /// 0644 or 0755.
    pub mode: Mode,
    /// Bytes of content.
    pub size: u64,
    /// The date that it has, in seconds since 1970, if it is not that of its package.
    pub date: Option<u64>,
}

/// An entry as it stands in the index, before it is checked.
///
/// The members are in the order of their names, so that serde writes canonical JSON without a detour.
#[derive(Clone, Serialize, Deserialize)]
struct RawEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(rename = "type")]
    kind: String,
}

impl TryFrom<RawEntry> for Entry {
    type Error = Refused;

    fn try_from(raw: RawEntry) -> Result<Self, Refused> {
        let path: EntryPath = raw.path.parse()?;
        let refused = |rule| Refused::new(&raw.path, rule);
        if (raw.link.is_some() || raw.date.is_some()) && raw.kind != "file" {
            return Err(refused(rule_for_kind(&raw.kind)));
        }
        if raw.date.is_some_and(|date| raw.link.is_some() || date > SOURCE_DATE) {
            return Err(refused(Rule::Disagrees("date")));
        }
        match (raw.kind.as_str(), raw.mode, raw.size, raw.sha256, raw.target) {
            ("directory", None, None, None, None) => Ok(Self::Directory { path }),
            ("file", Some(mode), Some(size), Some(sha256), None) => {
                let mode = Mode::parse(&mode).map_err(refused)?;
                if size > TAR_MEMBER_BYTES {
                    return Err(refused(Rule::Size));
                }
                let link = raw.link.map(|link| link.parse()).transpose()?;
                Ok(Self::File { path, mode, size, sha256, date: raw.date, link })
            }
            ("symlink", None, None, None, Some(target)) => {
                Ok(Self::Symlink { path, target: target.parse().map_err(refused)? })
            }
            (kind, ..) => Err(refused(rule_for_kind(kind))),
        }
    }
}

/// Names the rule for a type that is not one of the three, or one of the three with the wrong members.
fn rule_for_kind(kind: &str) -> Rule {
    match kind {
        "directory" | "file" | "symlink" => Rule::Disagrees("members"),
        "hardlink" => Rule::HardLink,
        "device" => Rule::Device,
        "fifo" => Rule::Fifo,
        "socket" => Rule::Socket,
        other => Rule::UnknownType(other.chars().take(20).collect()),
    }
}

impl From<Entry> for RawEntry {
    fn from(entry: Entry) -> Self {
        let raw = |path: EntryPath, kind: &str| Self {
            path: path.as_str().to_owned(),
            kind: kind.to_owned(),
            date: None,
            link: None,
            mode: None,
            size: None,
            sha256: None,
            target: None,
        };
        match entry {
            Entry::Directory { path } => raw(path, "directory"),
            Entry::File { path, mode, size, sha256, date, link } => Self {
                date,
                link: link.map(|link| link.as_str().to_owned()),
                mode: Some(mode.as_str().to_owned()),
                size: Some(size),
                sha256: Some(sha256),
                ..raw(path, "file")
            },
            Entry::Symlink { path, target } => {
                Self { target: Some(target.as_str().to_owned()), ..raw(path, "symlink") }
            }
        }
    }
}
