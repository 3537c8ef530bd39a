//! What the last push knew of each file, so that a file which did not change is not opened.
//!
//! Any change of a file, its mode or its attributes changes its ctime, which no program can set. A file that changed while the push
//! ran is not remembered: a later change within the same tick of the clock would not be seen.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};

use camino::Utf8Path;
use copkg_spec::snapshot::{Metadata, Node};
use rustix::fs::Stat;
use serde::{Deserialize, Serialize};

use crate::FileError;
use crate::snapshot::SnapshotError;

/// What tells that a file is the same, and the same as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Tells whether the last change is older than that time.
    pub(super) fn is_before(&self, (seconds, nanoseconds): (i64, u64)) -> bool {
        self.changed < (seconds, nanoseconds)
    }
}

/// What is remembered of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) stamp: Stamp,
    pub(super) node: Node,
    pub(super) metadata: Metadata,
}

#[derive(Serialize, Deserialize)]
struct Line {
    device: u64,
    inode: u64,
    file: Remembered,
}

/// Everything that is remembered, by device and inode.
#[derive(Debug, Default)]
pub(super) struct Cache(HashMap<(u64, u64), Remembered>);

impl Cache {
    /// Reads it. Whatever cannot be read is not remembered.
    pub(super) fn read(path: &Utf8Path) -> Self {
        let Ok(file) = File::open(path) else { return Self::default() };
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        let lines = lines.map_while(|line| serde_json::from_str::<Line>(&line).ok());
        Self(lines.map(|line| ((line.device, line.inode), line.file)).collect())
    }

    pub(super) fn get(&self, device: u64, inode: u64) -> Option<&Remembered> {
        self.0.get(&(device, inode))
    }

    pub(super) fn insert(&mut self, device: u64, inode: u64, file: Remembered) {
        self.0.insert((device, inode), file);
    }

    /// Writes it in place of the one before. It need not survive a power cut: without it, files are read again.
    pub(super) fn write(&self, path: &Utf8Path) -> Result<(), SnapshotError> {
        let new = path.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut out = BufWriter::new(File::create(&new)?);
            for ((device, inode), file) in &self.0 {
                let line = Line { device: *device, inode: *inode, file: file.clone() };
                serde_json::to_writer(&mut out, &line)?;
                out.write_all(b"\n")?;
            }
            out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
            fs::rename(&new, path)
        };
        Ok(write().map_err(FileError::at("write", path))?)
    }
}
