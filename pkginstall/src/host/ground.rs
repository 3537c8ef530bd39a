//! The ground: the directories of the prefix, made where they are missing, and checked against other users.
//!
//! Comes before the catalogue lock, which lies in one of them. A directory that others may write to is refused: what
//! is installed below it could be swapped, whatever was verified.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};

use camino::{Utf8Path, Utf8PathBuf};

use super::{HostError, Prefix};
use crate::tree::{Directory, TreeError};

const OTHERS_WRITE: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

/// Makes the directories of `prefix` that are missing, after the parents that are there have been checked.
///
/// # Errors
/// When another user could swap what we write, or the file system refuses.
pub fn prepare(prefix: &Prefix) -> Result<(), HostError> {
    let mine = rustix::process::geteuid().as_raw();
    let trust = if mine == ROOT && !prefix.is_as_root() { Trust::Root } else { Trust::Owners };
    check_parents(prefix.root(), mine, trust)?;
    for (directory, mode) in directories(prefix) {
        make(&directory, mode)?;
        check_own(&directory)?;
    }
    Ok(())
}

/// Makes everything durable that was written below `prefix`, packages and state: once for each file system that they lie on.
///
/// # Errors
/// When the disk refuses.
pub fn make_durable(prefix: &Prefix) -> Result<(), TreeError> {
    let (software, state) = (Directory::open(&prefix.software())?, Directory::open(prefix.state())?);
    software.sync_file_system()?;
    if software.shares_file_system_with(&state)? {
        return Ok(());
    }
    state.sync_file_system()
}

fn directories(prefix: &Prefix) -> [(Utf8PathBuf, u32); 6] {
    [
        (prefix.software(), 0o755),
        (prefix.staging(), 0o700),
        (prefix.state().to_owned(), 0o755),
        (prefix.receipts(), 0o755),
        (prefix.journal(), 0o755),
        (prefix.services(), 0o755),
    ]
}

/// Whom the directories above a prefix may belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Root alone: what root installs and runs, nobody else may replace.
    Root,
    /// Anybody who does not let everybody write to them.
    Owners,
}

/// Checks the prefix and everything above it that is there, behind symbolic links too.
fn check_parents(root: &Utf8Path, mine: u32, trust: Trust) -> Result<(), HostError> {
    let there = root.ancestors().find(|path| path.exists()).unwrap_or(Utf8Path::new("/"));
    let real = there.canonicalize_utf8().map_err(|source| TreeError::open(there, source))?;
    let mut below: Option<u32> = None;
    for path in real.ancestors() {
        let metadata = path.metadata().map_err(|source| TreeError::open(path, source))?;
        let (mode, owner) = (metadata.mode(), metadata.uid());
        if trust == Trust::Root {
            check_of_root(path, &metadata)?;
        }
        if mode & OTHERS_WRITE != 0 {
            check_sticky(path, mode, below.unwrap_or(owner), mine)?;
        }
        below = Some(owner);
    }
    Ok(())
}

/// What another account owns, or a group other than root's may write to, can be replaced below root's feet.
fn check_of_root(path: &Utf8Path, metadata: &fs::Metadata) -> Result<(), HostError> {
    let (mode, owner, group) = (metadata.mode(), metadata.uid(), metadata.gid());
    let refused = |why: String| Err(HostError::Unsafe { path: path.to_owned(), why });
    if owner != ROOT {
        return refused(format!("user {owner} owns it, and may replace what root installs"));
    }
    if mode & GROUP_WRITES != 0 && mode & STICKY == 0 && group != ROOT {
        return refused(format!("group {group} may write to it (mode {:04o})", mode & 0o7777));
    }
    Ok(())
}

/// In a sticky directory such as `/tmp` only its owner can swap what lies in it.
fn check_sticky(path: &Utf8Path, mode: u32, owner_below: u32, mine: u32) -> Result<(), HostError> {
    let refused = |why: String| Err(HostError::Unsafe { path: path.to_owned(), why });
    if mode & STICKY == 0 {
        return refused(format!("every user may write to it (mode {:04o})", mode & 0o7777));
    }
    if owner_below != mine && owner_below != ROOT {
        return refused(format!("user {owner_below} owns the directory in it, and may swap it"));
    }
    Ok(())
}

fn check_own(path: &Utf8Path) -> Result<(), HostError> {
    let metadata = fs::symlink_metadata(path).map_err(|source| TreeError::open(path, source))?;
    let refused = |why: String| Err(HostError::Unsafe { path: path.to_owned(), why });
    if !metadata.is_dir() {
        return refused("it is a symbolic link or no directory".into());
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return refused(format!("every user may write to it (mode {:04o})", metadata.mode() & 0o7777));
    }
    Ok(())
}

/// Makes a directory and its missing parents. The umask of this program is 022, whatever its caller has.
fn make(path: &Utf8Path, mode: u32) -> Result<(), HostError> {
    if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
        make(parent, 0o755)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(TreeError::make(path, error).into()),
        Ok(()) => sync_parent(path),
    }
}

fn sync_parent(path: &Utf8Path) -> Result<(), HostError> {
    let parent = path.parent().unwrap_or(Utf8Path::new("/"));
    let synced = copkg_spec::durable::sync_directory(parent.as_std_path());
    synced.map_err(|source| TreeError::sync(parent, source).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use copkg_spec::command::Failure;
    use std::os::unix::fs::PermissionsExt as _;

    fn prefix(directory: &tempfile::TempDir) -> Prefix {
        let path = Utf8Path::from_path(directory.path()).unwrap();
        Prefix::at(&path.join("above/prefix")).unwrap()
    }

    #[test]
    fn everything_that_is_missing_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let prefix = prefix(&directory);
        prepare(&prefix).unwrap();
        prepare(&prefix).unwrap();
        let mode = fs::metadata(prefix.staging()).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o700);
    }

    #[test]
    fn a_parent_that_everybody_may_write_to_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let prefix = prefix(&directory);
        let above = directory.path().join("above");
        fs::create_dir(&above).unwrap();
        fs::set_permissions(&above, fs::Permissions::from_mode(0o777)).unwrap();
        let failure = Failure::from(prepare(&prefix).unwrap_err());
        assert_eq!(failure.code, "unsafe_prefix");
        fs::set_permissions(&above, fs::Permissions::from_mode(0o1777)).unwrap();
        prepare(&prefix).unwrap();
    }

    #[test]
    fn a_parent_that_another_user_may_replace_is_refused_for_root_unless_root_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let prefix = prefix(&directory);
        let above = directory.path().join("above");
        fs::create_dir(&above).unwrap();
        if !rustix::process::geteuid().is_root() {
            // Only root can make such a directory, and only for root it is refused.
            return prepare(&prefix).unwrap();
        }
        std::os::unix::fs::chown(&above, Some(4711), None).unwrap();
        let failure = Failure::from(prepare(&prefix).unwrap_err());
        assert!(failure.code == "unsafe_prefix" && failure.message.contains("4711"), "{failure:?}");
        std::os::unix::fs::chown(&above, Some(0), Some(4712)).unwrap();
        prepare(&prefix).unwrap();
        fs::set_permissions(&above, fs::Permissions::from_mode(0o775)).unwrap();
        let failure = Failure::from(prepare(&prefix).unwrap_err());
        assert!(failure.message.contains("group 4712"), "{failure:?}");
        prepare(&prefix.as_root()).unwrap();
    }

    #[test]
    fn a_link_in_place_of_a_directory_of_ours_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let prefix = prefix(&directory);
        fs::create_dir_all(prefix.root()).unwrap();
        std::os::unix::fs::symlink("/tmp", prefix.software()).unwrap();
        assert!(matches!(prepare(&prefix), Err(HostError::Unsafe { .. })));
    }
}
