//! What is kept of a repository, for a person to look at. Nothing is decided by it.

use copkg_spec::tlog::Head;
use copkg_spec::tuf::{Content, Document, Root, Time, Timestamp as TimestampRole, Version};
use serde::Serialize;

use super::cache::{peek, role_file};
use super::log::SEEN;
use crate::host::Prefix;

/// The state of a cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// When a refresh found it to be the newest, for the last time.
    pub refreshed: Option<jiff::Timestamp>,
    /// The version of the root.
    pub root: Option<Version>,
    /// The version of the timestamp: the number of the repository's last commit.
    pub head: Option<Version>,
    /// When the timestamp ends.
    pub expires: Option<Time>,
    /// The head of the repository's log that was believed last.
    pub log: Option<Head>,
}

/// Returns what is kept of the repository `name`.
pub fn kept(prefix: &Prefix, name: &str) -> Kept {
    let timestamp = peek(prefix, name, &role_file("timestamp.json"));
    let refreshed = timestamp.as_ref().and_then(|(_, modified)| *modified);
    let timestamp = timestamp.and_then(|(bytes, _)| Document::<TimestampRole>::parse(bytes).ok());
    let root = peek(prefix, name, &role_file("root.json"));
    let root = root.and_then(|(bytes, _)| Document::<Root>::parse(bytes).ok());
    Kept {
        refreshed,
        root: root.map(|root| root.unverified().version()),
        head: timestamp.as_ref().map(|timestamp| timestamp.unverified().version()),
        log: peek(prefix, name, SEEN).and_then(|(bytes, _)| {
            let seen = Document::<TimestampRole>::parse(bytes).ok()?;
            Head::of_timestamp(seen.unverified()).ok()?
        }),
        expires: timestamp.map(|timestamp| timestamp.unverified().expires()),
    }
}
