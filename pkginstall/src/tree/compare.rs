//! Comparing two trees without reading their files: whether anything was written since one was copied from the other.

use std::ffi::CStr;

use rustix::fs::{FileType, Stat};

use super::{Directory, TreeError};

impl Directory {
    /// Tells whether everything below this directory has the type, the size and the time of what `other` has below the same
    /// name: a copy that was made by [`Directory::copy_into`] does, until somebody writes to one of the two. Sockets do not count: they
    /// are never copied.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn looks_like(&self, other: &Self) -> Result<bool, TreeError> {
        let (here, there) = (self.sorted_entries()?, other.sorted_entries()?);
        if here.len() != there.len() {
            return Ok(false);
        }
        for ((name, stat), (other_name, other_stat)) in here.iter().zip(&there) {
            if name != other_name || !is_alike(stat, other_stat) {
                return Ok(false);
            }
            let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if is_directory && !self.child(&**name)?.looks_like(&other.child(&**name)?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn sorted_entries(&self) -> Result<Vec<(Box<CStr>, Stat)>, TreeError> {
        let mut entries = self.entries()?;
        entries.retain(|(_, stat)| FileType::from_raw_mode(stat.st_mode) != FileType::Socket);
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(entries)
    }
}

/// A directory's own time and size say less than what lies in it.
fn is_alike(one: &Stat, other: &Stat) -> bool {
    let is_directory = FileType::from_raw_mode(one.st_mode) == FileType::Directory;
    let times = |stat: &Stat| (stat.st_mtime, stat.st_mtime_nsec);
    one.st_mode == other.st_mode
        && (is_directory || (one.st_size == other.st_size && times(one) == times(other)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use camino::Utf8Path;

    use super::Directory;

    #[test]
    fn a_copy_looks_like_its_original_until_one_of_them_is_written() {
        let scene = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(scene.path()).unwrap();
        let (one, other) = (root.join("one"), root.join("other"));
        fs::create_dir_all(one.join("below")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(one.join("below/file"), "text").unwrap();
        std::os::unix::fs::symlink("below/file", one.join("link")).unwrap();
        let (here, there) = (Directory::open(&one).unwrap(), Directory::open(&other).unwrap());
        here.copy_into(&there).unwrap();
        assert!(here.looks_like(&there).unwrap());
        // The same size, at another time.
        fs::write(other.join("below/file"), "TEXT").unwrap();
        assert!(!here.looks_like(&there).unwrap());
        fs::remove_file(other.join("below/file")).unwrap();
        assert!(!here.looks_like(&there).unwrap());
    }
}
