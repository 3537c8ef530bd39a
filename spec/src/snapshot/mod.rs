//! A host's snapshots: what is written down of a tree, in which objects, and how they are sealed and signed.
//!
//! Comes after the files of a host were read, and before a store takes them; read in the other direction when a host is rebuilt.
//! `docs/snapshots.md` is the description for people. A snapshot is a signed [`SnapshotDocument`] that names the hash of the one before
//! and a root object; the root names directories, directories name files, files name frames. Every object but the document is
//! compressed and sealed with the key of an epoch, and has a name that depends on its content and on that key alone.

mod acl;
mod bytes;
mod changes;
mod content;
mod document;
mod entry;
mod error;
mod listing;
mod object;
mod root;

pub use acl::{Acl, AclEntry, AclTag};
pub use bytes::ByteText;
pub use changes::{Change, Changes};
pub use content::{Content, FrameReference, Piece};
pub use document::{HostName, HostRecord, SignedSnapshot, SnapshotDocument, SnapshotNumber};
pub use entry::{Account, Base64, Children, Entry, EntryName, Extent, Flag, HardLink, Metadata, Node, Time};
pub use error::SnapshotFormatError;
pub use listing::{TreeObject, runs_of_entries, runs_of_names};
pub use object::{EpochId, EpochKey, ObjectId, ObjectKind, ObjectName};
pub use root::SnapshotRoot;

/// The version of the format of everything here.
pub const SNAPSHOT_FORMAT: u32 = 1;

/// The most bytes that an object holds before it is compressed.
pub const OBJECT_BYTES: usize = 16 << 20;

/// The most directories that lie in each other.
pub const DEPTH: usize = 512;

#[cfg(test)]
mod tests;
