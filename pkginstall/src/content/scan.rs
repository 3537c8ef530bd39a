//! What a tree of files is: of a working copy as it lies there, of a revision as its signed index says.
//!
//! Every file is read: an editor, or `cp -p`, may leave size and time as they were. Names are bytes, and no link is followed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use camino::Utf8Path;
use copkg_spec::digest::Digest;
use copkg_spec::index::{Entry, EntryPath, Index, LinkTarget, Mode};

use super::ContentError;
use crate::file_error::FileError;

/// What `pkgbuild` takes for no part of a source, wherever it lies.
const NEVER_PACKED: [&str; 4] = [".git", ".hg", ".svn", ".jj"];

/// The bits of a mode that let others than the owner do anything.
const OTHERS: u32 = 0o077;

/// One thing in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Whether it is executable.
        executable: bool,
        /// Its content.
        sha256: Digest,
        /// Whether nobody but its owner may read it. Installed files are readable by everybody.
        private: bool,
    },
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: Vec<u8>,
    },
    /// Something that no package holds: a pipe, a socket, a device.
    Special,
}

impl Leaf {
    /// Tells whether both are packed alike.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::File { executable, sha256, .. },
                Self::File { executable: other_executable, sha256: other_sha256, .. },
            ) => (executable, sha256) == (other_executable, other_sha256),
            _ => self == other,
        }
    }

    /// Returns the word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::File { .. } => "file",
            Self::Link { .. } => "link",
            Self::Special => "special file",
        }
    }
}

/// What lies in a tree, by the paths below its top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeState {
    /// Each path, as bytes.
    pub leaves: BTreeMap<Vec<u8>, Leaf>,
}

impl TreeState {
    /// Reads the tree at `root`.
    ///
    /// # Errors
    /// When something in it cannot be read.
    pub fn read(root: &Utf8Path) -> Result<Self, ContentError> {
        let mut state = Self::default();
        state.add(root.as_std_path(), &[])?;
        Ok(state)
    }

    /// Returns the paths at which two trees differ, in order.
    pub fn changed_paths<'t>(&'t self, other: &'t Self) -> Vec<&'t [u8]> {
        let paths = self.leaves.keys().chain(other.leaves.keys());
        let differs = |path: &&Vec<u8>| match (self.leaves.get(*path), other.leaves.get(*path)) {
            (Some(one), Some(two)) => !one.is_same(two),
            _ => true,
        };
        let mut paths: Vec<&[u8]> = paths.filter(differs).map(Vec::as_slice).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Tells whether both are packed alike.
    pub fn is_same(&self, other: &Self) -> bool {
        self.changed_paths(other).is_empty()
    }

    fn add(&mut self, directory: &Path, above: &[u8]) -> Result<(), ContentError> {
        let failed = |path: &Path| FileError::at("read", Utf8Path::new(&*path.to_string_lossy()));
        let entries = fs::read_dir(directory).map_err(failed(directory))?;
        for entry in entries {
            let entry = entry.map_err(failed(directory))?;
            let path = entry.path();
            let below = joined(above, entry.file_name().as_bytes());
            let metadata = match fs::symlink_metadata(&path) {
                // An editor's file that was there a moment ago.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                metadata => metadata.map_err(failed(&path))?,
            };
            let mode = metadata.permissions().mode();
            let leaf = if metadata.is_dir() {
                self.add(&path, &below)?;
                Leaf::Directory
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).map_err(failed(&path))?;
                Leaf::Link { target: target.as_os_str().as_bytes().to_vec() }
            } else if metadata.is_file() {
                let file = File::open(&path).map_err(failed(&path))?;
                let sha256 = Digest::of_reader(file).map_err(failed(&path))?;
                Leaf::File { executable: mode & 0o111 != 0, sha256, private: mode & OTHERS == 0 }
            } else {
                Leaf::Special
            };
            self.leaves.insert(below, leaf);
        }
        Ok(())
    }
}

fn joined(above: &[u8], name: &[u8]) -> Vec<u8> {
    if above.is_empty() { name.to_vec() } else { [above, b"/", name].concat() }
}

/// Returns what the signed index of a revision says.
pub fn state_of_index(index: &Index) -> TreeState {
    let leaf = |entry: &Entry| match entry {
        Entry::Directory { .. } => Leaf::Directory,
        Entry::File { mode, sha256, .. } => {
            Leaf::File { executable: *mode == Mode::Executable, sha256: *sha256, private: false }
        }
        Entry::Symlink { target, .. } => Leaf::Link { target: target.as_str().as_bytes().to_vec() },
    };
    let leaves = index.entries().iter();
    TreeState {
        leaves: leaves.map(|entry| (entry.path().as_str().as_bytes().to_vec(), leaf(entry))).collect(),
    }
}

/// Refuses what cannot be in a revision, or must not be: everybody may read a revision.
///
/// # Errors
/// With everything that is in the way.
pub fn check_publishable(state: &TreeState) -> Result<(), ContentError> {
    let mut refused: Vec<(String, &'static str)> = Vec::new();
    for (path, leaf) in &state.leaves {
        let why = match leaf {
            Leaf::Special => Some("a revision holds files, directories and links"),
            Leaf::File { private: true, .. } => {
                Some("nobody but its owner may read it, and everybody may read a revision")
            }
            Leaf::Link { target } if !leads_inside(path, target) => Some("it leads out of the content"),
            _ if is_never_packed(path) => Some("it is no part of a source"),
            _ if EntryPath::from_bytes(path).is_err() => Some("its name cannot be in a package"),
            _ => None,
        };
        let shown = String::from_utf8_lossy(path).into_owned();
        refused.extend(why.map(|why| (shown, why)));
    }
    if refused.is_empty() { Ok(()) } else { Err(ContentError::NotPublishable { refused }) }
}

fn is_never_packed(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    NEVER_PACKED.iter().any(|never| never.as_bytes() == name)
        || Path::new(OsStr::from_bytes(name)).extension().is_some_and(|extension| extension == "copkg")
}

/// Tells whether a link stays inside: it climbs no higher than it lies.
fn leads_inside(path: &[u8], target: &[u8]) -> bool {
    if LinkTarget::from_bytes(target).is_err() {
        return false;
    }
    let mut depth = path.split(|byte| *byte == b'/').count() - 1;
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if depth == 0 => return false,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn what_cannot_be_published_is_named_with_its_reason_and_all_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        fs::create_dir_all(root.join("a/.git")).unwrap();
        for name in ["index.html", "a/key.pem", "old.copkg"] {
            fs::write(root.join(name), name).unwrap();
        }
        fs::set_permissions(root.join("a/key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(directory.path().join(std::ffi::OsString::from_vec(b"caf\xe9".to_vec())), "").unwrap();
        for (name, target) in [("a/up", "../index.html"), ("a/out", "../../etc"), ("root", "/etc/passwd")] {
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        }
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let state = TreeState::read(root).unwrap();
        let Err(ContentError::NotPublishable { refused }) = check_publishable(&state) else {
            panic!("it was let pass")
        };
        let names: Vec<&str> = refused.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a/.git", "a/key.pem", "a/out", "caf\u{fffd}", "old.copkg", "root", "socket"]);
    }

    #[test]
    fn a_change_that_keeps_size_and_time_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        let page = root.join("page");
        fs::write(&page, "one").unwrap();
        let time = fs::metadata(&page).unwrap().modified().unwrap();
        let before = TreeState::read(root).unwrap();
        fs::write(&page, "two").unwrap();
        File::options().write(true).open(&page).unwrap().set_modified(time).unwrap();
        let after = TreeState::read(root).unwrap();
        assert_eq!(before.changed_paths(&after), [b"page"]);
    }
}
