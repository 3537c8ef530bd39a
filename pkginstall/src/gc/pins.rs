//! Pins: packages that stay whatever nobody needs them.

use std::io;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::durable::{self, Existing};

use crate::generation::GenerationError;
use crate::host::Prefix;
use crate::tree::names_in;

/// Whether a pin was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinned {
    /// It was.
    Now,
    /// It was so already.
    Before,
}

/// Pins a package, installed or not.
///
/// # Errors
/// When the file system refuses.
pub fn pin(prefix: &Prefix, package: &PackageCoordinate) -> Result<Pinned, GenerationError> {
    let path = path(prefix, package);
    let directory = directory(prefix);
    let written = durable::create_dir_all(directory.as_std_path())
        .and_then(|()| durable::write(path.as_std_path(), 0o644, Existing::Keep, b""));
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Pinned::Before),
        written => written.map(|()| Pinned::Now).map_err(GenerationError::file("write", &path)),
    }
}

/// Takes a pin away.
///
/// # Errors
/// When the file system refuses.
pub fn unpin(prefix: &Prefix, package: &PackageCoordinate) -> Result<Pinned, GenerationError> {
    let path = path(prefix, package);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Pinned::Before),
        removed => removed.map(|()| Pinned::Now).map_err(GenerationError::file("remove", &path)),
    }
}

/// Lists the pinned packages, in order.
///
/// # Errors
/// When they cannot be read.
pub fn list(prefix: &Prefix) -> Result<Vec<PackageCoordinate>, GenerationError> {
    let directory = directory(prefix);
    let names = names_in(&directory).map_err(GenerationError::file("read", &directory))?;
    let mut pins: Vec<PackageCoordinate> = names.iter().filter_map(|name| name.parse().ok()).collect();
    pins.sort();
    Ok(pins)
}

fn directory(prefix: &Prefix) -> Utf8PathBuf {
    prefix.state().join("pins")
}

fn path(prefix: &Prefix, package: &PackageCoordinate) -> Utf8PathBuf {
    directory(prefix).join(package.to_string())
}
