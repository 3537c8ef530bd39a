//! What tells a directory from every other on its file system, for recovery, which may run after another boot.
//!
//! The number of the device is no part of it: a boot, a container that is started again and another loop device change it.

use rustix::fs::{AtFlags, StatxFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{Directory, TreeError};

/// The inode of a directory and when it was made. Both stay across renames and boots; an inode that is used again was made later.
///
/// Says nothing about which file system: only what lies on the same one may be compared. Journals of earlier versions have a
/// `device` beside the inode, and no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    inode: u64,
    /// Seconds and nanoseconds; `None` where the file system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    born: Option<(i64, u32)>,
}

impl Identity {
    /// Tells whether both are of one directory, as far as both say.
    pub fn matches(&self, other: &Self) -> bool {
        let born_together = match (self.born, other.born) {
            (Some(here), Some(there)) => here == there,
            _ => true,
        };
        self.inode == other.inode && born_together
    }
}

impl Directory {
    /// Returns what tells this directory from every other on its file system.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn identity(&self) -> Result<Identity, TreeError> {
        look(self, ".").map_err(|source| TreeError::open(self.path(), source))
    }

    /// Returns what tells `name` from everything else on its file system; `None` where there is nothing. Follows no link.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn identity_of(&self, name: &str) -> Result<Option<Identity>, TreeError> {
        match look(self, name) {
            Ok(identity) => Ok(Some(identity)),
            Err(Errno::NOENT) => Ok(None),
            Err(source) => Err(TreeError::open(&self.path().join(name), source)),
        }
    }

    /// Tells whether this directory and `other` lie on one file system, as long as both are open.
    ///
    /// # Errors
    /// When a file system refuses.
    pub fn shares_file_system_with(&self, other: &Self) -> Result<bool, TreeError> {
        Ok(self.device()? == other.device()?)
    }

    fn device(&self) -> Result<u64, TreeError> {
        let stat = rustix::fs::fstat(self).map_err(|source| TreeError::open(self.path(), source))?;
        Ok(stat.st_dev)
    }
}

fn look(directory: &Directory, name: &str) -> rustix::io::Result<Identity> {
    let wanted = StatxFlags::INO | StatxFlags::BTIME;
    match rustix::fs::statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, wanted) {
        Ok(found) => {
            let says = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
            let born = says.then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec));
            Ok(Identity { inode: found.stx_ino, born })
        }
        // Some sandboxes know no such call.
        Err(Errno::NOSYS | Errno::PERM) => {
            let found = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(Identity { inode: found.st_ino, born: None })
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    fn read(text: &str) -> Identity {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn another_device_number_is_no_other_identity() {
        let old = read(r#"{"device":1,"inode":7}"#);
        assert!(old.matches(&read(r#"{"device":2,"inode":7}"#)));
        assert!(old.matches(&read(r#"{"inode":7,"born":[5,6]}"#)));
        assert!(!old.matches(&read(r#"{"inode":8,"born":[5,6]}"#)));
    }

    #[test]
    fn an_inode_that_is_used_again_is_another_identity() {
        assert!(!read(r#"{"inode":7,"born":[5,6]}"#).matches(&read(r#"{"inode":7,"born":[5,7]}"#)));
    }

    #[test]
    fn a_directory_keeps_its_identity_when_it_is_moved() {
        let directory = tempfile::tempdir().unwrap();
        let directory = Directory::open(Utf8Path::from_path(directory.path()).unwrap()).unwrap();
        let made = directory.make("here", 0o755).unwrap().identity().unwrap();
        directory.make("other", 0o755).unwrap();
        directory.rename("here", &directory, "there").unwrap();
        let of = |name| directory.identity_of(name).unwrap();
        assert_eq!(of("here"), None);
        assert!(of("there").unwrap().matches(&made));
        assert!(!of("other").unwrap().matches(&made));
    }
}
