//! The chain of a host's snapshots: each signed by the host's key, each naming the one before.

use copkg_spec::keys::PublicKey;
use copkg_spec::snapshot::{HostRecord, SignedSnapshot, SnapshotNumber};

use crate::snapshot::SnapshotError;
use crate::snapshot::store::DirectoryStore;

/// The key that must have signed; without one, the key of the store's record counts, and somebody has to look at it.
pub type Pinned<'a> = Option<&'a PublicKey>;

/// The verified documents of a host, from the first to the last that the store shows.
#[derive(Debug)]
pub struct Chain {
    record: HostRecord,
    snapshots: Vec<(SignedSnapshot, bool)>,
}

impl Chain {
    /// Reads and verifies the whole chain.
    ///
    /// # Errors
    /// When the host is not known, its key is another one, or a document is missing, damaged or in the wrong place.
    pub fn read(store: &DirectoryStore, pinned: Pinned<'_>) -> Result<Self, SnapshotError> {
        let host = store.host();
        let unknown = || SnapshotError::UnknownHost { host: host.clone(), store: store.place().to_string() };
        let record = store.record()?.ok_or_else(unknown)?;
        if let Some(expected) = pinned.filter(|key| **key != record.key) {
            let (found, expected) = (record.key.to_string(), expected.to_string());
            return Err(SnapshotError::OtherKey { host: host.clone(), found, expected });
        }
        let mut snapshots: Vec<(SignedSnapshot, bool)> = Vec::new();
        for stored in store.documents()? {
            let object = format!("snapshots/{}.json", stored.number.file_name());
            let expected = SnapshotNumber(snapshots.len() as u64 + 1);
            if stored.number != expected {
                let object = format!("snapshots/{}.json", expected.file_name());
                return Err(SnapshotError::Missing { host: host.clone(), object });
            }
            let before = snapshots.last().map(|(snapshot, _)| snapshot);
            let read = SignedSnapshot::verify(&stored.bytes, &record);
            let read = read.and_then(|snapshot| snapshot.follows(before).map(|()| snapshot));
            let read =
                read.map_err(|source| SnapshotError::Damaged { host: host.clone(), object, source })?;
            snapshots.push((read, stored.pruned));
        }
        Ok(Self { record, snapshots })
    }

    /// Returns the record of the host.
    pub fn record(&self) -> &HostRecord {
        &self.record
    }

    /// Returns all snapshots, those that were pruned too.
    pub fn snapshots(&self) -> impl Iterator<Item = &SignedSnapshot> {
        self.snapshots.iter().map(|(snapshot, _)| snapshot)
    }

    /// Returns those whose objects are kept.
    pub fn readable(&self) -> impl DoubleEndedIterator<Item = &SignedSnapshot> {
        self.snapshots.iter().filter(|(_, pruned)| !pruned).map(|(snapshot, _)| snapshot)
    }

    /// Returns the snapshot `number`, or the last one.
    ///
    /// # Errors
    /// When there is none that can be read.
    pub fn find(&self, number: Option<SnapshotNumber>) -> Result<&SignedSnapshot, SnapshotError> {
        let found = match number {
            None => self.readable().next_back(),
            Some(number) => self.readable().find(|snapshot| snapshot.document().number == number),
        };
        let number = number.unwrap_or(SnapshotNumber(1));
        found.ok_or_else(|| SnapshotError::UnknownSnapshot { host: self.record.host.clone(), number })
    }
}
