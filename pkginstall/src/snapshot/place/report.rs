//! What a rebuild could not bring back as it was.

use copkg_spec::snapshot::{Account, ByteText};
use serde::Serialize;

/// An entry whose owner or group is unknown here, or has a number that belongs to somebody else. Root has it, and nobody else may do
/// anything with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldEntry {
    /// Where it is.
    pub path: ByteText,
    /// Whose it was.
    pub user: Account,
    /// The group that it had.
    pub group: Account,
    /// The mode that it had.
    pub mode: u16,
}

/// What a rebuild came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// How many entries were made where nothing was; of a directory that was missing, the directory alone counts.
    pub made: u64,
    /// How many entries were replaced.
    pub replaced: u64,
    /// How many were as they should be.
    pub unchanged: u64,
    /// Entries that root holds.
    pub held: Vec<HeldEntry>,
    /// Entries whose access control list names somebody who is unknown here: it is not set, and the group may do nothing.
    pub lists_not_set: Vec<ByteText>,
    /// Attributes that the file system refused, and why.
    pub attributes_not_set: Vec<(ByteText, ByteText, String)>,
    /// Entries that could not be made, and why.
    pub not_made: Vec<(ByteText, String)>,
    /// Entries whose time the file system cannot hold.
    pub times_not_set: Vec<ByteText>,
    /// Flags that the file system refused, and why.
    pub flags_not_set: Vec<(ByteText, String)>,
    /// Files that changed each time that they were read when the snapshot was taken.
    pub changed_while_read: Vec<ByteText>,
    /// What could not be read when the snapshot was taken, and why.
    pub skipped: Vec<(ByteText, String)>,
}

impl RebuildReport {
    /// Tells whether everything is as it was.
    pub fn is_complete(&self) -> bool {
        let Self { held, lists_not_set, attributes_not_set, not_made, times_not_set, flags_not_set, .. } =
            self;
        held.is_empty()
            && lists_not_set.is_empty()
            && attributes_not_set.is_empty()
            && not_made.is_empty()
            && times_not_set.is_empty()
            && flags_not_set.is_empty()
            && self.changed_while_read.is_empty()
            && self.skipped.is_empty()
    }
}
