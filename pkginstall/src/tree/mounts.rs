//! What is mounted where: a mount point can be neither renamed nor removed, and nothing is renamed across one.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, StatxFlags};

use super::{Directory, TreeError};

impl Directory {
    /// Tells whether this directory and `other` lie on one file system and in one mount of it, as a rename needs. Quotas of projects and layers of
    /// an overlay can forbid a rename all the same.
    ///
    /// # Errors
    /// When a file system refuses.
    pub fn shares_mount_with(&self, other: &Self) -> Result<bool, TreeError> {
        Ok(self.shares_file_system_with(other)? && self.mount()? == other.mount()?)
    }

    /// Returns the number of the mount; `None` where the kernel does not say.
    fn mount(&self) -> Result<Option<u64>, TreeError> {
        match rustix::fs::statx(self, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID) {
            Ok(found) => {
                let says = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID);
                Ok(says.then_some(found.stx_mnt_id))
            }
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => Ok(None),
            Err(source) => Err(TreeError::open(self.path(), source)),
        }
    }
}

/// Lists what is mounted at `path` or below it; nothing where there is no such path.
///
/// # Errors
/// When the kernel does not say what is mounted.
pub fn mounts_in(path: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
    let Ok(path) = path.as_std_path().canonicalize() else { return Ok(Vec::new()) };
    let table = fs::read("/proc/self/mountinfo")?;
    let points =
        table.split(|&byte| byte == b'\n').filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    let below = points.map(unescaped).filter(|point| Path::new(OsStr::from_bytes(point)).starts_with(&path));
    Ok(below.map(|point| Utf8PathBuf::from(String::from_utf8_lossy(&point).into_owned())).collect())
}

/// Undoes what the kernel does to spaces, tabs, line ends and backslashes: `\040` for a space.
fn unescaped(point: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), point);
    while let [first, after @ ..] = rest {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| *first == b'\\');
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[3..] } else { after };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_found_below_its_parents_alone() {
        assert!(mounts_in(Utf8Path::new("/proc")).unwrap().contains(&Utf8PathBuf::from("/proc")));
        assert!(mounts_in(Utf8Path::new("/")).unwrap().contains(&Utf8PathBuf::from("/proc")));
        let directory = tempfile::tempdir().unwrap();
        assert!(mounts_in(Utf8Path::from_path(directory.path()).unwrap()).unwrap().is_empty());
    }

    #[test]
    fn an_escaped_path_is_what_it_was() {
        assert_eq!(unescaped(br"/a\040b\134c\011"), b"/a b\\c\t");
        assert_eq!(unescaped(br"/a\04"), br"/a\04");
    }

    #[test]
    fn directories_of_two_mounts_are_told_apart() {
        let open = |path| Directory::open(Utf8Path::new(path)).unwrap();
        assert!(open("/proc").shares_mount_with(&open("/proc/self/..")).unwrap());
        assert!(!open("/proc").shares_mount_with(&open("/")).unwrap());
    }
}
