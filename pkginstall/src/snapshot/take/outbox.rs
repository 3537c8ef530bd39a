//! Objects on their way to the store: named, asked for, sealed side by side where the store lacks them, and sent.

use std::collections::BTreeSet;

use copkg_spec::snapshot::{
    EpochKey, ObjectId, ObjectKind, ObjectName, SnapshotFormatError, TreeObject, runs_of_names,
};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::snapshot::SnapshotError;
use crate::snapshot::store::DirectoryStore;

/// How many bytes wait before they are sealed.
const BATCH_BYTES: usize = 8 << 20;
/// How many objects.
const BATCH_OBJECTS: usize = 256;
/// After how many bytes, or objects, the store makes durable what it has.
const CHECKPOINT_BYTES: u64 = 64 << 20;
const CHECKPOINT_OBJECTS: u64 = 2048;

/// What a push does with objects.
pub(super) struct Outbox<'a> {
    key: &'a EpochKey,
    /// `None` where nothing is sent: the objects are only counted.
    store: Option<&'a mut DirectoryStore>,
    /// What the store is known to have.
    known: &'a BTreeSet<ObjectId>,
    waiting: Vec<(ObjectId, Vec<u8>)>,
    waiting_bytes: usize,
    /// Everything that the snapshot needs.
    pub(super) needed: BTreeSet<ObjectId>,
    /// How many objects and bytes were sent, as they are stored.
    pub(super) sent_objects: u64,
    pub(super) sent_bytes: u64,
    since_checkpoint: (u64, u64),
}

impl<'a> Outbox<'a> {
    pub(super) fn new(
        key: &'a EpochKey,
        store: Option<&'a mut DirectoryStore>,
        known: &'a BTreeSet<ObjectId>,
    ) -> Self {
        Self {
            key,
            store,
            known,
            waiting: Vec::new(),
            waiting_bytes: 0,
            needed: BTreeSet::new(),
            sent_objects: 0,
            sent_bytes: 0,
            since_checkpoint: (0, 0),
        }
    }

    /// Tells whether an object is known to be there, or takes note that it is needed. For files that are not read again.
    pub(super) fn need_known(&mut self, id: ObjectId) -> bool {
        self.known.contains(&id) && {
            self.needed.insert(id);
            true
        }
    }

    /// Takes the content of an object and returns its name.
    pub(super) fn add(&mut self, kind: ObjectKind, plain: Vec<u8>) -> Result<ObjectName, SnapshotError> {
        let id = ObjectId { kind, name: self.key.name(kind, &plain) };
        if self.needed.insert(id) && !self.known.contains(&id) {
            self.waiting_bytes += plain.len();
            self.waiting.push((id, plain));
            if self.waiting_bytes >= BATCH_BYTES || self.waiting.len() >= BATCH_OBJECTS {
                self.send()?;
            }
        }
        Ok(id.name)
    }

    /// Adds a tree object.
    pub(super) fn add_tree(&mut self, tree: &TreeObject) -> Result<ObjectName, SnapshotError> {
        self.add(ObjectKind::Tree, tree.to_bytes())
    }

    /// Adds the lists that lead to these objects, until few enough are left for one place.
    pub(super) fn gather(&mut self, mut names: Vec<ObjectName>) -> Result<Vec<ObjectName>, SnapshotError> {
        while names.len() > TreeObject::NAMES {
            let mut above = Vec::new();
            for run in runs_of_names(&names) {
                above.push(self.add_tree(&TreeObject::Trees(names[run].to_vec()))?);
            }
            names = above;
        }
        Ok(names)
    }

    /// Sends what waits and has the store make it durable.
    pub(super) fn finish(&mut self) -> Result<(), SnapshotError> {
        self.send()?;
        self.store.as_mut().map_or(Ok(()), |store| store.checkpoint())
    }

    fn send(&mut self) -> Result<(), SnapshotError> {
        self.waiting_bytes = 0;
        let mut waiting = std::mem::take(&mut self.waiting);
        if let Some(store) = &self.store {
            waiting.retain(|(id, _)| !store.has(*id));
        }
        let key = self.key;
        let seal = |(id, plain): (ObjectId, Vec<u8>)| {
            let mut nonce = [0; 12];
            getrandom::fill(&mut nonce).map_err(|_| SnapshotError::Random)?;
            let sealed = key.seal(id, &plain, nonce);
            // The walk cuts everything far below the limit.
            let large = |source: SnapshotFormatError| {
                SnapshotError::entry::<std::io::Error>("store", id.to_string().as_bytes())(
                    std::io::Error::other(source),
                )
            };
            Ok((id, sealed.map_err(large)?))
        };
        let sealed: Vec<(ObjectId, Vec<u8>)> =
            waiting.into_par_iter().map(seal).collect::<Result<_, SnapshotError>>()?;
        for (id, bytes) in sealed {
            let length = bytes.len() as u64;
            self.sent_objects += 1;
            self.sent_bytes += length;
            self.since_checkpoint.0 += 1;
            self.since_checkpoint.1 += length;
            if let Some(store) = &mut self.store {
                store.put(id, &bytes)?;
            }
        }
        if self.since_checkpoint.0 >= CHECKPOINT_OBJECTS || self.since_checkpoint.1 >= CHECKPOINT_BYTES {
            self.since_checkpoint = (0, 0);
            self.store.as_mut().map_or(Ok(()), |store| store.checkpoint())?;
        }
        Ok(())
    }
}
