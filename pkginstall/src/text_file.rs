//! Text files of a host that people may edit by hand, too: read whole, and replaced in one step.

use std::fs;
use std::io;

use camino::Utf8Path;
use copkg_spec::durable::{self, Existing};

use crate::FileError;
use crate::host::Effect;

/// Reads a file; `None` where there is none.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(path: &Utf8Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        text => text.map(Some).map_err(FileError::at("read", path)),
    }
}

/// Makes `after` of the file, durably, with the directory that it lies in; does nothing where that is what it was before. Tells
/// whether it is another now, or would be.
///
/// # Errors
/// When the file system refuses; it is then as it was.
pub(crate) fn replace(path: &Utf8Path, before: &str, after: &str, effect: Effect) -> Result<bool, FileError> {
    if after == before || effect == Effect::DryRun {
        return Ok(after != before);
    }
    let directory = path.parent().unwrap_or(path);
    durable::create_dir_all(directory.as_std_path()).map_err(FileError::at("create", directory))?;
    let written = durable::write(path.as_std_path(), 0o644, Existing::Replace, after.as_bytes());
    written.map_err(FileError::at("write", path)).map(|()| true)
}

/// Makes `text` the file, durably and in one step; `None` removes it.
///
/// # Errors
/// When the file system refuses; it is then as it was.
pub(crate) fn put(path: &Utf8Path, text: Option<&str>) -> Result<(), FileError> {
    let before = read(path)?;
    match text {
        Some(text) if before.is_none() && text.is_empty() => Ok(()),
        Some(text) => replace(path, &before.unwrap_or_default(), text, Effect::Real).map(drop),
        None if before.is_none() => Ok(()),
        None => {
            let directory = path.parent().unwrap_or(path);
            let removed =
                fs::remove_file(path).and_then(|()| durable::sync_directory(directory.as_std_path()));
            removed.map_err(FileError::at("remove", path))
        }
    }
}
