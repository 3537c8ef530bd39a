//! Records in JSON: read whole, and replaced in one step, durably.

use std::fs;
use std::io;

use camino::Utf8Path;
use copkg_spec::durable::{self, Existing};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::FileError;

/// Reads a record; `None` where there is none.
///
/// # Errors
/// When it cannot be read, or is something else.
pub(crate) fn read<T: DeserializeOwned>(path: &Utf8Path) -> Result<Option<T>, FileError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => {
            let read = read.and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
            read.map(Some).map_err(FileError::at("read", path))
        }
    }
}

/// Writes a record in place of the one that is there, in a directory that is.
///
/// # Errors
/// When the file system refuses; the record is then what it was.
pub(crate) fn write(path: &Utf8Path, value: &impl Serialize) -> Result<(), FileError> {
    let text = serde_json::to_vec_pretty(value).map_err(io::Error::from);
    let written = text.and_then(|text| durable::write(path.as_std_path(), 0o644, Existing::Replace, &text));
    written.map_err(FileError::at("write", path))
}
