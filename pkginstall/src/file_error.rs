//! A file or directory that the system refused, as every step of the programs says it.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;

/// What was tried with a file or directory, and what the system said.
#[derive(Debug, Error)]
#[error("cannot {action} {path}")]
pub struct FileError {
    /// What was tried: a verb.
    action: &'static str,
    /// The file or directory.
    path: Utf8PathBuf,
    /// Why.
    source: io::Error,
}

impl FileError {
    /// Returns what makes one of what the system says.
    pub fn at(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }

    /// Returns what kind of error the system gave.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}
