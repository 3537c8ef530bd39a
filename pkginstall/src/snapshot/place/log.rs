//! The log of a rebuild: what is about to be moved, written down before, so that it can be undone.

use std::fs::{self, File};
use std::io::{self, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::digest::Digest;
use copkg_spec::snapshot::{ByteText, Flag, HostName, SnapshotNumber};
use serde::{Deserialize, Serialize};

use crate::FileError;
use crate::json_file;
use crate::snapshot::properties::Properties;
use crate::snapshot::{REBUILD_DIRECTORY, SnapshotError};

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    Placing,
    Done,
}

/// Which rebuild it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) host: HostName,
    pub(super) number: SnapshotNumber,
    pub(super) digest: Digest,
    /// Which part of it.
    pub(super) scope: ByteText,
    pub(super) stage: Stage,
}

/// One step. `volume` is the directory, from the root, whose [`REBUILD_DIRECTORY`] has the slot.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// What lies in the slot is moved to where nothing is.
    Made { volume: ByteText, slot: u64, path: ByteText, inode: u64 },
    /// What lies in the slot changes places with what is there, which had these flags.
    Replaced { volume: ByteText, slot: u64, path: ByteText, inode: u64, flags: Vec<Flag> },
    /// A directory that stays, and had these properties.
    Directory { path: ByteText, before: Properties },
}

/// The log and the state of a rebuild below a root.
pub(super) struct Log {
    directory: Utf8PathBuf,
    file: File,
    pub(super) next_slot: u64,
}

impl Log {
    /// Opens the log, and drops what was not written to its end.
    pub(super) fn open(root: &Utf8Path) -> Result<Self, SnapshotError> {
        let directory = root.join(REBUILD_DIRECTORY);
        let path = directory.join("log");
        let open = || -> io::Result<(File, u64)> {
            let text = fs::read(&path).or_else(|error| {
                if error.kind() == io::ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) }
            })?;
            let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let file = File::options().create(true).append(true).open(&path)?;
            file.set_len(whole as u64)?;
            Ok((file, text[..whole].split_inclusive(|byte| *byte == b'\n').count() as u64))
        };
        let (file, next_slot) = open().map_err(FileError::at("open", &path))?;
        Ok(Self { directory, file, next_slot })
    }

    /// Returns the state; `None` where no rebuild was begun.
    pub(super) fn state(root: &Utf8Path) -> Result<Option<State>, SnapshotError> {
        Ok(json_file::read(&root.join(REBUILD_DIRECTORY).join("state.json"))?)
    }

    pub(super) fn set_state(root: &Utf8Path, state: &State) -> Result<(), SnapshotError> {
        Ok(json_file::write(&root.join(REBUILD_DIRECTORY).join("state.json"), state)?)
    }

    /// Returns all steps in their order.
    pub(super) fn steps(root: &Utf8Path) -> Result<Vec<Step>, SnapshotError> {
        let path = root.join(REBUILD_DIRECTORY).join("log");
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(FileError::at("read", &path))?,
        };
        let whole = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let steps = whole.map(|line| serde_json::from_slice(line).map_err(io::Error::from));
        Ok(steps.collect::<io::Result<_>>().map_err(FileError::at("read", &path))?)
    }

    /// Writes steps down, durably, before they are done.
    pub(super) fn write(&mut self, steps: &[Step]) -> Result<(), SnapshotError> {
        if steps.is_empty() {
            return Ok(());
        }
        let path = self.directory.join("log");
        let mut text = Vec::new();
        for step in steps {
            serde_json::to_writer(&mut text, step)
                .map_err(io::Error::from)
                .map_err(FileError::at("write", &path))?;
            text.push(b'\n');
        }
        self.file
            .write_all(&text)
            .and_then(|()| self.file.sync_data())
            .map_err(FileError::at("write", &path))?;
        Ok(())
    }
}
