//! A store of snapshots: a directory that only grows, until whoever has it prunes it.
//!
//! Below it, for each host: `hosts/NAME/host.json`, `epochs/ID.age`, `frames/` and `trees/`, `snapshots/NUMBER.json` and
//! `NUMBER.changes`. A snapshot is there when its document is; everything that it names is durable before.

mod directory;
mod layout;
mod prune;

pub use directory::DirectoryStore;
pub use prune::{Keep, Pruned, hosts_in, prune};

use std::io;

use camino::Utf8Path;
use copkg_spec::snapshot::{HostName, SnapshotFormatError, SnapshotNumber};

use super::SnapshotError;
use crate::FileError;

/// The document of a snapshot in a store, which nobody vouched for yet.
#[derive(Debug, Clone)]
pub struct StoredDocument {
    /// The number that its file has.
    pub number: SnapshotNumber,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether its objects were removed.
    pub pruned: bool,
}

fn damaged(host: &HostName, object: impl Into<String>) -> impl FnOnce(SnapshotFormatError) -> SnapshotError {
    let (host, object) = (host.clone(), object.into());
    move |source| SnapshotError::Damaged { host, object, source }
}

fn failed(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> SnapshotError + use<> {
    let made = FileError::at(action, path);
    move |error| made(error).into()
}
