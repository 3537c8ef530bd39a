//! What a service prints: one file that it appends to itself, so that no pipe of ours can fill, break or be waited on.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use camino::Utf8PathBuf;
use rustix::io::fcntl_dupfd_cloexec;

use super::{Owner, RuntimeDirectory, RuntimeError};

use crate::FileError;

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
        Self::open_named(runtime, directory, NAME, owner)
    }

    /// Opens the file `name` below `directory`, which is made if it is missing.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_named(
        runtime: &RuntimeDirectory,
        directory: &str,
        name: &str,
        owner: Owner,
    ) -> Result<Self, RuntimeError> {
        let file = runtime.open_output(directory, name, owner)?;
        let path = runtime.path().join(directory).join(name);
        let start = file.metadata().map(|metadata| metadata.len());
        let start = start.map_err(FileError::at("look at", &path))?;
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
        let copy = fcntl_dupfd_cloexec(&self.file, 0).map_err(io::Error::from);
        Ok(copy.map_err(FileError::at("open", &self.path))?.into())
    }

    /// Returns how long the file is.
    ///
    /// # Errors
    /// When the file cannot be looked at.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Drops everything that was written, and begins again with `text`. Whoever writes goes on after it.
    ///
    /// # Errors
    /// When the file cannot be changed.
    pub fn cut(&mut self, text: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.start = 0;
        (&self.file).write_all(text.as_bytes())
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
