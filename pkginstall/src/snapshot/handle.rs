//! A directory of a tree whose names are bytes: opened once, and left by one name at a time, never through a symbolic link.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use camino::Utf8Path;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat, StatxFlags};
use rustix::io::Errno;

use super::SnapshotError;

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open directory, and its path below the root that the tree begins at.
#[derive(Debug)]
pub(super) struct Handle {
    fd: OwnedFd,
    path: Vec<u8>,
}

impl Handle {
    /// Opens the root of a tree.
    pub(super) fn root(path: &Utf8Path) -> Result<Self, SnapshotError> {
        let flags = FLAGS.difference(OFlags::NOFOLLOW);
        let fd = rustix::fs::open(path.as_std_path(), flags, Mode::empty())
            .map_err(SnapshotError::entry("open", path.as_str().as_bytes()))?;
        Ok(Self { fd, path: Vec::new() })
    }

    /// Opens the same directory once more.
    pub(super) fn here(&self) -> Result<Self, SnapshotError> {
        let fd = rustix::fs::openat(&self.fd, c".", FLAGS, Mode::empty())
            .map_err(SnapshotError::entry("open", &self.path))?;
        Ok(Self { fd, path: self.path.clone() })
    }

    /// Returns the path from the root of the tree: empty for the root itself.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// Returns the path of `name`, from the root of the tree.
    pub(super) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        [&self.path, &b"/"[..], name].concat()
    }

    /// Opens the directory `name`, which is no link.
    pub(super) fn child(&self, name: &[u8]) -> Result<Self, SnapshotError> {
        let path = self.path_of(name);
        match rustix::fs::openat(&self.fd, name, FLAGS, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path }),
            Err(error) => Err(SnapshotError::entry("open", &path)(error)),
        }
    }

    /// Opens the directory `name` and makes it where it is missing, for nobody but its owner.
    pub(super) fn child_or_make(&self, name: &[u8]) -> Result<Self, SnapshotError> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.child(name),
            Err(error) => Err(SnapshotError::entry("make", &self.path_of(name))(error)),
        }
    }

    /// Looks at `name` without following a link; `None` where there is nothing.
    pub(super) fn look(&self, name: &[u8]) -> Result<Option<Stat>, SnapshotError> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(SnapshotError::entry("look at", &self.path_of(name))(error)),
        }
    }

    /// Looks at the directory itself.
    pub(super) fn stat(&self) -> Result<Stat, SnapshotError> {
        rustix::fs::fstat(&self.fd).map_err(SnapshotError::entry("look at", &self.path))
    }

    /// Returns what tells the mount that the directory lies on from others: a rename does not leave it.
    pub(super) fn mount(&self) -> Result<u64, SnapshotError> {
        let wanted = StatxFlags::MNT_ID;
        if let Ok(found) = rustix::fs::statx(&self.fd, c"", AtFlags::EMPTY_PATH, wanted)
            && StatxFlags::from_bits_retain(found.stx_mask).contains(wanted)
        {
            return Ok(found.stx_mnt_id);
        }
        Ok(self.stat()?.st_dev)
    }

    /// Lists the names, sorted.
    pub(super) fn names(&self) -> Result<Vec<Vec<u8>>, SnapshotError> {
        let list = || -> rustix::io::Result<Vec<Vec<u8>>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(&self.fd)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    names.push(name.to_vec());
                }
            }
            names.sort_unstable();
            Ok(names)
        };
        list().map_err(SnapshotError::entry("list", &self.path))
    }

    /// Returns a path to `name` that leads there whatever is renamed above it, for calls that take no descriptor.
    pub(super) fn path_in_proc(&self, name: &[u8]) -> CString {
        let path = [format!("/proc/self/fd/{}/", self.fd.as_raw_fd()).as_bytes(), name].concat();
        // A name has no NUL.
        CString::new(path).unwrap_or_default()
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
