//! A store in a directory.
//!
//! Objects are written below `incoming/`, made durable many at a time, and only then moved to their names: what has a name is whole. A
//! crash leaves files in `incoming/`, which the next push removes.

use std::fs::{self, File};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::durable::{self, Existing};
use copkg_spec::snapshot::{
    Changes, EpochId, HostName, HostRecord, ObjectId, SNAPSHOT_FORMAT, SignedSnapshot, SnapshotFormatError,
    SnapshotNumber,
};
use rustix::fs::{FlockOperation, RenameFlags};
use rustix::io::Errno;

use super::layout::HostFolder;
use super::{StoredDocument, damaged, failed};
use crate::snapshot::SnapshotError;
use crate::tree::names_in;

/// The mode of what a store holds: nobody but its owner has any business there.
const MODE: u32 = 0o600;

/// The snapshots of one host in a directory.
#[derive(Debug)]
pub struct DirectoryStore {
    root: Utf8PathBuf,
    host: HostName,
    folder: HostFolder,
    /// Held while something is added.
    lock: Option<File>,
    /// Written, and not durable: where it lies, and what it is.
    incoming: Vec<(Utf8PathBuf, ObjectId)>,
    written: u64,
}

impl DirectoryStore {
    /// Returns the snapshots of `host` in the store at `root`. Nothing needs to be there yet.
    pub fn new(root: &Utf8Path, host: &HostName) -> Self {
        let folder = HostFolder::of(root, host);
        Self {
            root: root.to_owned(),
            host: host.clone(),
            folder,
            lock: None,
            incoming: Vec::new(),
            written: 0,
        }
    }

    /// Returns the store, for messages.
    pub fn place(&self) -> &Utf8Path {
        &self.root
    }

    /// Returns the host.
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// Returns the record of the host; `None` where there is none.
    ///
    /// # Errors
    /// When it is damaged, or of another host.
    pub fn record(&self) -> Result<Option<HostRecord>, SnapshotError> {
        let path = self.folder.record();
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let wrong = damaged(&self.host, "host.json");
        match serde_json::from_slice::<HostRecord>(&bytes) {
            Ok(record) if record.format == SNAPSHOT_FORMAT && record.host == self.host => Ok(Some(record)),
            Ok(record) => {
                Err(wrong(SnapshotFormatError::Chain(format!("it is the record of {}", record.host))))
            }
            Err(error) => Err(wrong(SnapshotFormatError::Shape(error.to_string()))),
        }
    }

    /// Begins to add: takes the lock, which a push shares with no other and with no pruning, and makes the folders.
    ///
    /// # Errors
    /// When somebody has the lock, or the file system refuses.
    pub fn begin(&mut self) -> Result<(), SnapshotError> {
        for folder in ["epochs", "snapshots", "incoming", "frames", "trees"] {
            let path = self.folder.path().join(folder);
            durable::create_dir_all(path.as_std_path()).map_err(failed("make", &path))?;
        }
        self.lock = Some(self.take_lock()?);
        for name in names_in(&self.folder.incoming()).map_err(failed("list", &self.folder.incoming()))? {
            let path = self.folder.incoming().join(name);
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
        Ok(())
    }

    pub(super) fn take_lock(&self) -> Result<File, SnapshotError> {
        let path = self.folder.lock();
        let open = File::options().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(failed("open", &path))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(Errno::WOULDBLOCK) => Err(SnapshotError::StoreBusy { host: self.host.clone() }),
            Err(error) => Err(failed("lock", &path)(error.into())),
        }
    }

    /// Adds the record of the host, and the wrapped key of its epoch, where they are missing.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn register(
        &mut self,
        record: &HostRecord,
        epoch: &EpochId,
        wrapped: impl FnOnce() -> Result<Vec<u8>, SnapshotError>,
    ) -> Result<(), SnapshotError> {
        let path = self.folder.epoch(epoch);
        if !path.exists() {
            write_new(&path, &wrapped()?)?;
        }
        let path = self.folder.record();
        if !path.exists() {
            write_new(&path, &serde_json::to_vec_pretty(record).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Returns the wrapped key of an epoch.
    ///
    /// # Errors
    /// When it is missing.
    pub fn epoch(&self, id: &EpochId) -> Result<Vec<u8>, SnapshotError> {
        read(&self.folder.epoch(id))?.ok_or_else(|| self.missing(format!("epochs/{id}.age")))
    }

    /// Tells whether an object is there, whole.
    pub fn has(&self, id: ObjectId) -> bool {
        self.folder.object(id).is_file()
    }

    /// Returns an object as it was sealed.
    ///
    /// # Errors
    /// When it is missing or cannot be read.
    pub fn get(&self, id: ObjectId) -> Result<Vec<u8>, SnapshotError> {
        read(&self.folder.object(id))?.ok_or_else(|| self.missing(id))
    }

    /// Adds an object. It is there after the next [`Self::checkpoint`].
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn put(&mut self, id: ObjectId, sealed: &[u8]) -> Result<(), SnapshotError> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        self.written += 1;
        let path = self.folder.incoming().join(self.written.to_string());
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&path)
            .map_err(failed("make", &path))?;
        file.write_all(sealed).map_err(failed("write", &path))?;
        self.incoming.push((path, id));
        Ok(())
    }

    /// Makes everything durable that was put, then gives it its name. Whoever dies afterwards need not send it again.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn checkpoint(&mut self) -> Result<(), SnapshotError> {
        if self.incoming.is_empty() {
            return Ok(());
        }
        self.sync()?;
        for (path, id) in std::mem::take(&mut self.incoming) {
            let place = self.folder.object(id);
            if let Some(folder) = place.parent().filter(|folder| !folder.is_dir()) {
                fs::create_dir(folder).map_err(failed("make", folder))?;
            }
            place_new(&path, &place)?;
        }
        self.sync()
    }

    fn sync(&self) -> Result<(), SnapshotError> {
        let path = self.folder.path();
        let synced = File::open(path).and_then(|folder| Ok(rustix::fs::syncfs(&folder)?));
        synced.map_err(failed("sync", path))
    }

    /// Returns the documents of all snapshots in the order of their numbers.
    ///
    /// # Errors
    /// When one cannot be read, or a file there has another name.
    pub fn documents(&self) -> Result<Vec<StoredDocument>, SnapshotError> {
        let folder = self.folder.snapshots();
        let names = names_in(&folder).map_err(failed("list", &folder))?;
        let numbers = names.iter().filter_map(|name| name.strip_suffix(".json"));
        let mut documents = Vec::new();
        for name in numbers {
            let number = name.parse().ok().filter(|number: &SnapshotNumber| number.file_name() == name);
            let wrong = SnapshotFormatError::Chain("no snapshot has such a number".into());
            let number =
                number.ok_or(wrong).map_err(damaged(&self.host, format!("snapshots/{name}.json")))?;
            let bytes = self.document(number)?;
            documents.push(StoredDocument { number, bytes, pruned: self.folder.pruned(number).exists() });
        }
        Ok(documents)
    }

    /// Returns the number of the last snapshot; `None` where there is none.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn head(&self) -> Result<Option<SnapshotNumber>, SnapshotError> {
        let folder = self.folder.snapshots();
        let names = names_in(&folder).map_err(failed("list", &folder))?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")?.parse().ok()).max())
    }

    /// Returns the document of a snapshot.
    ///
    /// # Errors
    /// When it is missing.
    pub fn document(&self, number: SnapshotNumber) -> Result<Vec<u8>, SnapshotError> {
        let missing = || self.missing(format!("snapshots/{}.json", number.file_name()));
        read(&self.folder.document(number))?.ok_or_else(missing)
    }

    /// Returns the list of changes of a snapshot.
    ///
    /// # Errors
    /// When it is missing, or not the one that the document names.
    pub fn changes(&self, snapshot: &SignedSnapshot) -> Result<Changes, SnapshotError> {
        let number = snapshot.document().number;
        let object = format!("snapshots/{}.changes", number.file_name());
        let bytes = read(&self.folder.changes(number))?.ok_or_else(|| self.missing(&object))?;
        if copkg_spec::digest::Digest::of(&bytes) != snapshot.document().changes {
            return Err(damaged(&self.host, object.as_str())(SnapshotFormatError::NotAuthentic));
        }
        Changes::parse(&bytes).map_err(damaged(&self.host, object))
    }

    /// Adds a snapshot whose objects are all there. This commits it.
    ///
    /// # Errors
    /// When there is one of that number, or the file system refuses.
    pub fn commit(&mut self, snapshot: &SignedSnapshot, changes: &[u8]) -> Result<(), SnapshotError> {
        let number = snapshot.document().number;
        let path = self.folder.changes(number);
        durable::write(path.as_std_path(), MODE, Existing::Replace, changes)
            .map_err(failed("write", &path))?;
        write_new(&self.folder.document(number), snapshot.bytes())
    }

    pub(super) fn folder(&self) -> &HostFolder {
        &self.folder
    }

    fn missing(&self, object: impl std::fmt::Display) -> SnapshotError {
        SnapshotError::Missing { host: self.host.clone(), object: object.to_string() }
    }
}

fn read(path: &Utf8Path) -> Result<Option<Vec<u8>>, SnapshotError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(failed("read", path)),
    }
}

fn write_new(path: &Utf8Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    durable::write(path.as_std_path(), MODE, Existing::Keep, bytes).map_err(failed("write", path))
}

/// Moves an object to its name. One that is there already stays: it holds the same.
fn place_new(from: &Utf8Path, to: &Utf8Path) -> Result<(), SnapshotError> {
    use rustix::fs::CWD;
    match rustix::fs::renameat_with(CWD, from.as_std_path(), CWD, to.as_std_path(), RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => fs::remove_file(from).map_err(failed("remove", from)),
        // Some network file systems have no such flag.
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to).map_err(failed("move", from)),
        Err(error) => Err(failed("move", from)(error.into())),
    }
}
