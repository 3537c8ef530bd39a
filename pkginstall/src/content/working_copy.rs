//! Working copies: a revision's files, made writable, beside the place that they take when editing begins.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;
use copkg_spec::coordinate::PackageCoordinate;

use super::store::EDIT;
use super::{ContentError, ContentStore};
use crate::file_error::FileError;
use crate::tree::{Directory, if_there};

/// The working copy before editing begins.
pub(super) const NEW: &str = ".edit.new";

/// What a push builds from.
const PUSH: &str = ".push";

/// Copies the files of `revision`, which is installed, and makes them writable for their owner. Nothing uses the copy before the
/// change of the content is carried out; a crash leaves a copy that the next one replaces.
///
/// # Errors
/// When the disk refuses, or something lies where the copy is to go.
pub fn working_copy(store: &ContentStore, revision: &PackageCoordinate) -> Result<(), ContentError> {
    let place = store.place();
    let directory = Directory::open(&place)?;
    directory.remove_tree(NEW)?;
    if directory.look(EDIT)?.is_some() {
        return Err(ContentError::InTheWay { path: store.edit_path() });
    }
    let from = Directory::open(&store.prefix().install_dir(revision))?;
    let copy = directory.make(NEW, 0o700)?;
    from.copy_into(&copy)?;
    make_writable(&place.join(NEW))?;
    Ok(directory.sync_file_system()?)
}

/// Copies what is being edited as it is at this moment, to build from it, and returns where the directory with the copy lies: the
/// copy itself is `tree` in it.
///
/// # Errors
/// As [`working_copy`].
pub fn snapshot(store: &ContentStore) -> Result<camino::Utf8PathBuf, ContentError> {
    remove_push_directory(store)?;
    let place = Directory::open(&store.place())?;
    let tree = place.make(PUSH, 0o700)?.make("tree", 0o700)?;
    Directory::open(&store.edit_path())?.copy_into(&tree)?;
    Ok(store.place().join(PUSH))
}

/// Removes what a push built from.
///
/// # Errors
/// When the file system refuses.
pub fn remove_push_directory(store: &ContentStore) -> Result<(), ContentError> {
    match if_there(Directory::open(&store.place()))? {
        Some(place) => Ok(place.remove_tree(PUSH)?),
        None => Ok(()),
    }
}

/// Lets the owner write to everything in the tree at `path`. Links are left alone.
fn make_writable(path: &Utf8Path) -> Result<(), ContentError> {
    let failed = |path: &Utf8Path| FileError::at("make writable", path);
    let widen = |path: &Utf8Path, bits: u32| -> io::Result<()> {
        let mode = fs::symlink_metadata(path)?.permissions().mode() & 0o7777;
        fs::set_permissions(path, fs::Permissions::from_mode(mode | bits))
    };
    widen(path, 0o700).map_err(failed(path))?;
    for entry in path.read_dir_utf8().map_err(failed(path))? {
        let entry = entry.map_err(failed(path))?;
        let kind = entry.file_type().map_err(failed(path))?;
        if kind.is_dir() {
            make_writable(entry.path())?;
        } else if kind.is_file() {
            widen(entry.path(), 0o600).map_err(failed(entry.path()))?;
        }
    }
    Ok(())
}
