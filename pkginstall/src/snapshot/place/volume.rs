//! Where entries are staged: a directory of ours at the top of each mount, as a rename does not leave a mount.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use copkg_spec::snapshot::{ByteText, HardLink};

use crate::snapshot::handle::Handle;
use crate::snapshot::{REBUILD_DIRECTORY, SnapshotError};

/// The staging of one mount.
pub(super) struct Volume {
    /// The top of the mount, from the root.
    pub(super) top: ByteText,
    /// What is staged, by number; `old-N` is what N replaced.
    pub(super) slots: Handle,
    /// One name of each thing that has several.
    pub(super) links: Handle,
    pub(super) linked: HashSet<HardLink>,
}

impl Volume {
    /// Opens the staging below `top`, and makes it where it is missing.
    pub(super) fn open(top: &Handle) -> Result<Self, SnapshotError> {
        let ours = top.child_or_make(REBUILD_DIRECTORY.as_bytes())?;
        let stat = ours.stat()?;
        if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
            let why = std::io::Error::other("it belongs to somebody else, or is open to others");
            return Err(SnapshotError::entry::<std::io::Error>("use", ours.path())(why));
        }
        let (slots, links) = (ours.child_or_make(b"slots")?, ours.child_or_make(b"links")?);
        let top = ByteText::new(if top.path().is_empty() { b"/" } else { top.path() });
        Ok(Self { top, slots, links, linked: HashSet::new() })
    }
}

/// Removes what an interrupted run staged and never wrote down.
pub(super) fn clear(directory: &Handle, name: &[u8]) -> Result<(), SnapshotError> {
    use std::os::unix::ffi::OsStrExt as _;
    let Some(stat) = directory.look(name)? else { return Ok(()) };
    let path = directory.path_in_proc(name);
    let path = Path::new(std::ffi::OsStr::from_bytes(path.as_bytes()));
    let is_directory = stat.st_mode & 0o170_000 == 0o040_000;
    let removed = if is_directory { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(SnapshotError::entry("remove", &directory.path_of(name)))
}
