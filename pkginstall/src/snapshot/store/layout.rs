//! Where everything of one host lies in a store.

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::snapshot::{EpochId, HostName, ObjectId, SnapshotNumber};

/// The folder of a host.
#[derive(Debug, Clone)]
pub(super) struct HostFolder(Utf8PathBuf);

impl HostFolder {
    pub(super) fn of(store: &Utf8Path, host: &HostName) -> Self {
        Self(store.join("hosts").join(host.as_str()))
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.0
    }

    pub(super) fn record(&self) -> Utf8PathBuf {
        self.0.join("host.json")
    }

    pub(super) fn lock(&self) -> Utf8PathBuf {
        self.0.join("lock")
    }

    /// Where objects are written before they are durable.
    pub(super) fn incoming(&self) -> Utf8PathBuf {
        self.0.join("incoming")
    }

    pub(super) fn epoch(&self, id: &EpochId) -> Utf8PathBuf {
        self.0.join("epochs").join(format!("{id}.age"))
    }

    pub(super) fn object(&self, id: ObjectId) -> Utf8PathBuf {
        self.0.join(id.to_string())
    }

    pub(super) fn snapshots(&self) -> Utf8PathBuf {
        self.0.join("snapshots")
    }

    pub(super) fn document(&self, number: SnapshotNumber) -> Utf8PathBuf {
        self.snapshots().join(format!("{}.json", number.file_name()))
    }

    pub(super) fn changes(&self, number: SnapshotNumber) -> Utf8PathBuf {
        self.snapshots().join(format!("{}.changes", number.file_name()))
    }

    /// Says that the objects of a snapshot are not kept for its sake any more.
    pub(super) fn pruned(&self, number: SnapshotNumber) -> Utf8PathBuf {
        self.snapshots().join(format!("{}.pruned", number.file_name()))
    }
}
