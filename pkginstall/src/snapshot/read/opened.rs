//! One snapshot, opened: its root, its directories, the frames of its files.

use copkg_spec::age::{self, Identity};
use copkg_spec::snapshot::{
    Children, Content, DEPTH, Entry, EpochKey, Node, ObjectId, ObjectKind, ObjectName, Piece, SignedSnapshot,
    SnapshotFormatError, SnapshotRoot, TreeObject,
};

use crate::snapshot::SnapshotError;
use crate::snapshot::store::DirectoryStore;

/// What opens a snapshot.
#[derive(Debug)]
pub enum Unlocking {
    /// The key of the epoch, which the host itself has.
    Epoch(Box<EpochKey>),
    /// The identities of recipients.
    Identities(Vec<Identity>),
}

/// A snapshot whose document is verified and whose key is known. Every object is decrypted, and its name computed from its content,
/// before anybody sees it.
#[derive(Debug)]
pub struct OpenedSnapshot<'s> {
    store: &'s DirectoryStore,
    snapshot: &'s SignedSnapshot,
    key: EpochKey,
    root: SnapshotRoot,
}

impl<'s> OpenedSnapshot<'s> {
    /// Opens a snapshot.
    ///
    /// # Errors
    /// When the key is not the one of its epoch, or its root is missing or damaged.
    pub fn open(
        store: &'s DirectoryStore,
        snapshot: &'s SignedSnapshot,
        unlocking: Unlocking,
    ) -> Result<Self, SnapshotError> {
        let key = key(store, snapshot, unlocking)?;
        let id = ObjectId { kind: ObjectKind::Tree, name: snapshot.document().root };
        let bytes = get(store, &key, id)?;
        let wrong =
            |source| SnapshotError::Damaged { host: store.host().clone(), object: id.to_string(), source };
        let root = SnapshotRoot::parse(&bytes).map_err(wrong)?;
        Ok(Self { store, snapshot, key, root })
    }

    /// Returns its document.
    pub fn snapshot(&self) -> &SignedSnapshot {
        self.snapshot
    }

    /// Returns its root.
    pub fn root(&self) -> &SnapshotRoot {
        &self.root
    }

    /// Returns the key of its epoch.
    pub fn key(&self) -> &EpochKey {
        &self.key
    }

    /// Returns the bytes of a frame.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn frame(&self, name: ObjectName) -> Result<Vec<u8>, SnapshotError> {
        get(self.store, &self.key, ObjectId { kind: ObjectKind::Frame, name })
    }

    /// Returns the entries of a directory, sorted.
    ///
    /// # Errors
    /// When an object is missing or damaged, or the entries are out of order.
    pub fn entries(&self, children: &Children) -> Result<Vec<Entry>, SnapshotError> {
        let mut entries: Vec<Entry> = Vec::new();
        for name in &children.trees {
            self.append_entries(*name, &mut entries, 0)?;
        }
        Ok(entries)
    }

    fn append_entries(
        &self,
        name: ObjectName,
        entries: &mut Vec<Entry>,
        depth: usize,
    ) -> Result<(), SnapshotError> {
        match self.tree(name)? {
            TreeObject::Entries(more) => {
                if let (Some(last), Some(first)) = (entries.last(), more.first())
                    && last.name >= first.name
                {
                    return Err(self.damaged(name, SnapshotFormatError::Order(first.name.to_string())));
                }
                entries.extend(more);
                Ok(())
            }
            TreeObject::Trees(_) if depth >= DEPTH => {
                Err(self.damaged(name, SnapshotFormatError::Depth(DEPTH)))
            }
            TreeObject::Trees(names) => {
                names.into_iter().try_for_each(|name| self.append_entries(name, entries, depth + 1))
            }
            TreeObject::Piece(_) => {
                Err(self.damaged(name, SnapshotFormatError::Shape("a piece in place of entries".into())))
            }
        }
    }

    /// Hands over the pieces of a file in their order, each checked: extents that fit into the file and are filled by its frames.
    ///
    /// # Errors
    /// When an object is missing or damaged, or those of `take`.
    pub fn pieces(
        &self,
        content: &Content,
        mut take: impl FnMut(&Piece) -> Result<(), SnapshotError>,
    ) -> Result<(), SnapshotError> {
        let mut end = 0;
        if let Some(piece) = &content.piece {
            self.check(piece, content.size, &mut end, self.snapshot.document().root)?;
            take(piece)?;
        }
        for name in &content.pieces {
            let TreeObject::Piece(piece) = self.tree(*name)? else {
                return Err(
                    self.damaged(*name, SnapshotFormatError::Shape("entries in place of a piece".into()))
                );
            };
            self.check(&piece, content.size, &mut end, *name)?;
            take(&piece)?;
        }
        Ok(())
    }

    fn check(&self, piece: &Piece, size: u64, end: &mut u64, of: ObjectName) -> Result<(), SnapshotError> {
        let (extents, frames) = piece.lengths();
        let mut fits = extents == frames;
        for extent in &piece.extents {
            let stop = extent.offset.checked_add(extent.length);
            fits &= extent.offset >= *end && stop.is_some_and(|stop| stop <= size);
            *end = stop.unwrap_or(u64::MAX);
        }
        if fits {
            Ok(())
        } else {
            Err(self.damaged(of, SnapshotFormatError::Shape("the extents of a file do not fit".into())))
        }
    }

    /// Returns the bytes of a small file; `None` where the snapshot has no such file.
    ///
    /// # Errors
    /// When an object is missing or damaged.
    pub fn read_file(&self, names: &[&[u8]]) -> Result<Option<Vec<u8>>, SnapshotError> {
        let mut entry = self.root.directory.clone();
        for name in names {
            let Node::Directory(children) = &entry.node else { return Ok(None) };
            let found = self.entries(children)?.into_iter().find(|entry| entry.name.as_bytes() == *name);
            let Some(found) = found else { return Ok(None) };
            entry = found;
        }
        let Node::File(content) = &entry.node else { return Ok(None) };
        let mut bytes = Vec::new();
        self.pieces(content, |piece| {
            piece.frames.iter().try_for_each(|frame| self.frame(frame.0).map(|data| bytes.extend(data)))
        })?;
        Ok(Some(bytes))
    }

    fn tree(&self, name: ObjectName) -> Result<TreeObject, SnapshotError> {
        let bytes = get(self.store, &self.key, ObjectId { kind: ObjectKind::Tree, name })?;
        TreeObject::parse(&bytes).map_err(|source| self.damaged(name, source))
    }

    fn damaged(&self, name: ObjectName, source: SnapshotFormatError) -> SnapshotError {
        let object = ObjectId { kind: ObjectKind::Tree, name }.to_string();
        SnapshotError::Damaged { host: self.store.host().clone(), object, source }
    }
}

fn get(store: &DirectoryStore, key: &EpochKey, id: ObjectId) -> Result<Vec<u8>, SnapshotError> {
    let sealed = store.get(id)?;
    let damaged =
        |source| SnapshotError::Damaged { host: store.host().clone(), object: id.to_string(), source };
    key.open(id, &sealed).map_err(damaged)
}

fn key(
    store: &DirectoryStore,
    snapshot: &SignedSnapshot,
    unlocking: Unlocking,
) -> Result<EpochKey, SnapshotError> {
    let (host, epoch) = (store.host(), &snapshot.document().epoch);
    let identities = match unlocking {
        Unlocking::Epoch(key) if key.id() == *epoch => return Ok(*key),
        Unlocking::Epoch(_) => return Err(SnapshotError::NoKey { host: host.clone() }),
        Unlocking::Identities(identities) => identities,
    };
    let object = format!("epochs/{epoch}.age");
    let wrapped = store.epoch(epoch)?;
    let text = age::decrypt(&wrapped, &identities).map_err(|source| SnapshotError::Unwrap {
        host: host.clone(),
        object: object.clone(),
        source,
    })?;
    let key = std::str::from_utf8(&text).ok().and_then(EpochKey::parse).filter(|key| key.id() == *epoch);
    // The document is signed and names the epoch: another key in its place is damage, or worse.
    key.ok_or(SnapshotError::Damaged {
        host: host.clone(),
        object,
        source: SnapshotFormatError::NotAuthentic,
    })
}
