//! The journal: what is being done to the prefix, written down before it is done.
//!
//! One file an operation. Its owner opens it under the catalogue lock and keeps it locked for as long as it lives, so
//! whoever can lock a journal file knows that its owner is dead, and may finish or undo what it began.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::{Label, PackageCoordinate};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lock::try_exclusive;
use super::{HostError, Prefix};
use crate::tree::{Identity, names_in};

/// Names one operation: 32 random hexadecimal digits. Its journal file and its staging directory carry this name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(String);

impl OperationId {
    /// Draws a new name.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> Result<Self, HostError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| HostError::Random)?;
        Ok(Self(HEXLOWER.encode(&bytes)))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of_file(name: &str) -> Option<Self> {
        let id = name.strip_suffix(".json")?;
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self(id.to_owned()))
    }
}

/// What is done to a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// It is being installed.
    Install,
    /// It is being removed.
    Remove,
    /// Its tree is being replaced by a whole one.
    Repair,
    /// A deployment is being changed as it says, or removed. What was done of that is in the deployment's own `change.json`.
    Deploy,
    /// It is gone, and its files in staging are being deleted. Another package of this name may be there meanwhile.
    Discard,
}

/// What an operation means to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What.
    pub operation: Operation,
    /// To which package.
    pub package: PackageCoordinate,
    /// The deployment that is being changed, under its name on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Label>,
    /// The directory that an installation fills. It keeps its identity when it is moved into its place, which tells it
    /// from a directory that somebody else made there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Identity>,
    /// When.
    pub started: Timestamp,
    /// By which process, for people to read.
    pub process: u32,
}

/// An intent that this process owns. Dropping it unclosed leaves it to recovery, as dying does.
#[derive(Debug)]
pub struct OpenIntent {
    id: OperationId,
    path: Utf8PathBuf,
    /// Locked until it is closed, by us or by the kernel.
    file: File,
}

impl OpenIntent {
    /// Writes `intent` down, for others to see. Only under the catalogue lock: nobody may see the file before it is locked
    /// and whole.
    ///
    /// It is not durable yet: it must be, by [`Self::sync`] or with the whole file system, before anything is done that
    /// recovery has to know of.
    pub(super) fn open(prefix: &Prefix, id: OperationId, intent: &Intent) -> Result<Self, HostError> {
        let path = prefix.journal().join(format!("{}.json", id.as_str()));
        let opened = write_locked(&path, intent);
        match opened {
            Ok(file) => Ok(Self { id, path, file }),
            Err(source) => {
                // A full disk leaves an empty file; it says nothing, and must not stay.
                let _ = std::fs::remove_file(&path);
                Err(HostError::journal(&path, source))
            }
        }
    }

    /// Returns the name of the operation.
    pub fn id(&self) -> &OperationId {
        &self.id
    }

    /// Makes the intent durable.
    pub(super) fn sync(&self) -> Result<(), HostError> {
        let synced = self.file.sync_all().and_then(|()| sync_parent(&self.path));
        synced.map_err(|source| HostError::journal(&self.path, source))
    }

    /// Removes the intent: what it meant is done, or undone.
    ///
    /// That is not waited for. A crash can bring the intent back until the next one is made durable, in the same directory; recovery
    /// then finds that nothing is left to do.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn close(self) -> Result<(), HostError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(HostError::journal(&self.path, error))
            }
            _ => Ok(()),
        }
    }
}

/// An intent in the journal.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: OperationId,
    pub(super) path: Utf8PathBuf,
    /// `None` where its owner died before it had written it down, and so before it did anything.
    pub(super) intent: Option<Intent>,
    pub(super) owner: Owner,
    pub(super) file: File,
}

/// Whether somebody works on an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Alive,
    Dead,
}

/// Tells whether there is no intent, without any lock.
pub fn is_empty(prefix: &Prefix) -> bool {
    names_in(&prefix.journal()).map_or(true, |names| names.is_empty())
}

/// The journal as it was read.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) entries: Vec<Entry>,
    /// Those that cannot be opened or understood, and why.
    pub(super) unreadable: Vec<(OperationId, HostError)>,
}

/// Reads the journal. Only under the catalogue lock. Afterwards this process owns the intents whose owners are dead.
pub(super) fn read(prefix: &Prefix) -> Result<Journal, HostError> {
    let directory = prefix.journal();
    let names = names_in(&directory).map_err(|source| HostError::journal(&directory, source))?;
    let mut journal = Journal::default();
    for (name, id) in names.iter().filter_map(|name| Some((name, OperationId::of_file(name)?))) {
        match read_entry(directory.join(name), id.clone()) {
            Ok(entry) => journal.entries.extend(entry),
            Err(error) => journal.unreadable.push((id, error)),
        }
    }
    Ok(journal)
}

/// Makes a journal entry that is owned say that only files in staging are left. Should a crash leave it empty, recovery takes it for one whose owner did
/// nothing yet, and clears staging all the same.
pub(super) fn discard(file: &mut File, intent: &Intent) -> io::Result<()> {
    let text = serde_json::to_vec(&Intent { operation: Operation::Discard, staged: None, ..intent.clone() })?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&text)?;
    file.sync_all()
}

impl Entry {
    /// Returns the deployment that it is about, whose recovery needs more than the catalogue: it starts services.
    pub(super) fn deployment(&self) -> Option<&Label> {
        self.intent.as_ref().and_then(|intent| intent.deployment.as_ref())
    }
}

/// Removes an intent's file, durably.
pub(super) fn remove(path: &Utf8Path) -> Result<(), HostError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(HostError::journal(path, error)),
        _ => sync_parent(path).map_err(|source| HostError::journal(path, source)),
    }
}

fn read_entry(path: Utf8PathBuf, id: OperationId) -> Result<Option<Entry>, HostError> {
    let failed = |source| HostError::journal(&path, source);
    let mut file = match File::options().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let owner = if try_exclusive(&file).map_err(failed)? { Owner::Dead } else { Owner::Alive };
    let is_gone = rustix::fs::fstat(&file).is_ok_and(|stat| stat.st_nlink == 0);
    if is_gone {
        return Ok(None);
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(failed)?;
    let intent = match serde_json::from_slice(&text) {
        Ok(intent) => Some(intent),
        Err(error) if error.is_eof() => None,
        Err(error) => return Err(failed(error.into())),
    };
    Ok(Some(Entry { id, path, intent, owner, file }))
}

fn write_locked(path: &Utf8Path, intent: &Intent) -> io::Result<File> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    try_exclusive(&file)?;
    file.write_all(&serde_json::to_vec(intent)?)?;
    Ok(file)
}

fn sync_parent(path: &Utf8Path) -> io::Result<()> {
    copkg_spec::durable::sync_directory(path.parent().unwrap_or(Utf8Path::new("/")).as_std_path())
}
