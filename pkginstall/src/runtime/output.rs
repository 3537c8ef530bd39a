//! What a service prints: one file that it appends to itself, so that no pipe of ours can fill, break or be waited on.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use camino::Utf8PathBuf;
use rustix::io::dup;

use super::{Owner, RuntimeDirectory, RuntimeError};

/// The file's name, in `log/` or `console/`.
const NAME: &str = "console.log";

/// How much of the end is read for the last lines.
const TAIL: u64 = 64 << 10;

/// The open file, and where it ended when it was opened.
#[derive(Debug)]
pub struct Output {
    path: Utf8PathBuf,
    file: File,
    start: u64,
}

impl Output {
    /// Opens the output of a service below `directory`, which is `log` or `console`.
    ///
    /// # Errors
    /// When it cannot be opened, or something else is in its place.
    pub fn open(runtime: &RuntimeDirectory, directory: &str, owner: Owner) -> Result<Self, RuntimeError> {
        let file = runtime.open_output(directory, NAME, owner)?;
        let path = runtime.path().join(directory).join(NAME);
        let start = file.metadata().map(|metadata| metadata.len());
        let start =
            start.map_err(|source| RuntimeError::File { action: "look at", path: path.clone(), source })?;
        Ok(Self { path, file, start })
    }

    /// Returns where it is.
    pub fn path(&self) -> &Utf8PathBuf {
        &self.path
    }

    /// Returns the file for a process to write to.
    ///
    /// # Errors
    /// When no more files can be opened.
    pub fn for_a_process(&self) -> Result<File, RuntimeError> {
        let failed = |error: rustix::io::Errno| RuntimeError::File {
            action: "open",
            path: self.path.clone(),
            source: error.into(),
        };
        Ok(dup(&self.file).map_err(failed)?.into())
    }

    /// Returns the last lines that were written since the opening. What cannot be read is not there.
    pub fn last_lines(&self, limit: usize) -> Vec<String> {
        last_lines(&self.file, self.start, limit).unwrap_or_default()
    }
}

/// Reads the last `limit` lines of `file` after `start`, from at most the last 64 KiB.
///
/// # Errors
/// When the file cannot be read.
pub fn last_lines(mut file: &File, start: u64, limit: usize) -> io::Result<Vec<String>> {
    let end = file.metadata()?.len();
    let from = start.min(end).max(end.saturating_sub(TAIL));
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(limit)..].iter().map(ToString::to_string).collect())
}
