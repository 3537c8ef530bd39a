//! An entry of a directory: everything that Linux can set of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Acl, ByteText, Content, ObjectName, SnapshotFormatError};

/// The longest name that Linux has.
const NAME_BYTES: usize = 255;

/// A name in a directory: 1 to 255 bytes, without `/` and NUL, neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "ByteText", into = "ByteText")]
pub struct EntryName(ByteText);

impl EntryName {
    /// Takes the bytes of a name.
    ///
    /// # Errors
    /// When no directory can hold such a name, or it would lead elsewhere.
    pub fn new(bytes: &[u8]) -> Result<Self, SnapshotFormatError> {
        Self::try_from(ByteText::new(bytes))
    }

    /// Returns its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl TryFrom<ByteText> for EntryName {
    type Error = SnapshotFormatError;

    fn try_from(text: ByteText) -> Result<Self, SnapshotFormatError> {
        let bytes = text.as_bytes();
        let leads = bytes.is_empty()
            || bytes == b"."
            || bytes == b".."
            || bytes.contains(&b'/')
            || bytes.contains(&0);
        if leads || bytes.len() > NAME_BYTES {
            return Err(SnapshotFormatError::Name(text.to_string().chars().take(NAME_BYTES).collect()));
        }
        Ok(Self(text))
    }
}

impl From<EntryName> for ByteText {
    fn from(name: EntryName) -> Self {
        name.0
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An account or a group: its number, and its name where it had one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its number on the host of the snapshot.
    pub id: u32,
    /// Its name there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => self.id.fmt(f),
        }
    }
}

/// A time: seconds since 1970, before it negative, and nanoseconds from there on, less than 1,000,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time(pub i64, pub u32);

/// Bytes of a file that lie together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Extent {
    /// Where they begin.
    pub offset: u64,
    /// How many they are.
    pub length: u64,
}

impl From<(u64, u64)> for Extent {
    fn from((offset, length): (u64, u64)) -> Self {
        Self { offset, length }
    }
}

impl From<Extent> for (u64, u64) {
    fn from(extent: Extent) -> Self {
        (extent.offset, extent.length)
    }
}

/// A flag that `chattr` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// `a`: only appended to.
    Append,
    /// `A`: its access time is not written.
    NoAccessTime,
    /// `d`: `dump` leaves it out.
    NoDump,
    /// `D`: changes of the directory are written at once.
    DirectorySync,
    /// `i`: cannot be changed.
    Immutable,
    /// `S`: changes are written at once.
    Sync,
}

/// What says that several names are one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardLink {
    /// Which of the file systems of the host, counted in the order of the walk.
    pub file_system: u32,
    /// The inode on it.
    pub inode: u64,
}

/// Who owns an entry, who may do what, and when it was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The owner.
    pub user: Account,
    /// The group.
    pub group: Account,
    /// The permissions with setuid, setgid and sticky: at most 07777.
    pub mode: u16,
    /// When the content was last changed.
    pub modified: Time,
    /// Extended attributes but the access control lists; values in base64.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<ByteText, Base64>,
    /// The access control list, where it says more than the mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<Acl>,
    /// The list that new entries of a directory get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_acl: Option<Acl>,
    /// The flags of the inode, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
}

/// Bytes, written in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl fmt::Display for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::BASE64.encode(&self.0))
    }
}

impl std::str::FromStr for Base64 {
    type Err = data_encoding::DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        data_encoding::BASE64.decode(text.as_bytes()).map(Self)
    }
}

crate::coordinate::serde_as_text!(Base64);

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Node {
    /// A regular file.
    File(Content),
    /// A directory with these entries.
    Directory(Children),
    /// A symbolic link.
    Symlink(ByteText),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device: major and minor number.
    Character(u32, u32),
    /// A block device: major and minor number.
    Block(u32, u32),
}

impl Node {
    /// Returns the noun for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Directory(_) => "directory",
            Self::Symlink(_) => "symbolic link",
            Self::Fifo => "named pipe",
            Self::Socket => "socket",
            Self::Character(..) => "character device",
            Self::Block(..) => "block device",
        }
    }
}

/// The entries of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Children {
    /// Whether only what leads to something that is watched is listed: the directory is an ancestor of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ancestor: bool,
    /// The tree objects that list them, in order.
    pub trees: Vec<ObjectName>,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub name: EntryName,
    /// What it is.
    pub node: Node,
    /// Whose it is, and so on.
    pub metadata: Metadata,
    /// Other names of the same thing have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<HardLink>,
}
