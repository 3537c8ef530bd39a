//! Lists a directory tree, sorted, without following a link.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::limits::PATH_LEVELS;
use copkg_spec::policy::{Refused, Rule};
use thiserror::Error;

/// One thing in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is, relative to the root of the tree.
    pub path: PathBuf,
    /// What it is.
    pub kind: FoundKind,
}

/// What is found in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundKind {
    /// A directory.
    Directory {
        /// Its permission bits.
        mode: u32,
    },
    /// A regular file.
    File {
        /// Its permission bits.
        mode: u32,
        /// Bytes of content.
        size: u64,
    },
    /// A symbolic link.
    Symlink {
        /// Where it leads.
        target: PathBuf,
    },
}

/// Lists what is below `root`, each directory before what it holds, without what is left out.
///
/// A directory that holds nothing else is left out with it; one that is empty is not.
///
/// # Errors
/// When a directory cannot be read, or holds what no package may: a device, a pipe, a socket.
pub fn list(root: &Path, is_left_out: impl Fn(&Path) -> bool) -> Result<Vec<Found>, ListError> {
    let mut listing = Listing { root, is_left_out: &is_left_out, found: Vec::new() };
    listing.directory(Path::new(""), 0)?;
    Ok(listing.found)
}

struct Listing<'a> {
    root: &'a Path,
    is_left_out: &'a dyn Fn(&Path) -> bool,
    found: Vec<Found>,
}

impl Listing<'_> {
    fn directory(&mut self, path: &Path, level: usize) -> Result<(), ListError> {
        // A tree deeper than any package may be would also exhaust the stack.
        if level > PATH_LEVELS {
            return Err(Refused::new(path.as_os_str().as_bytes(), Rule::TooDeep(level)).into());
        }
        let listed = self.found.len();
        let names = self.names(path)?;
        let was_empty = names.is_empty();
        for name in names {
            let below = path.join(name);
            if !(self.is_left_out)(&below) {
                self.entry(&below, level)?;
            }
        }
        // A directory of nothing but what is left out is left out, too: `--out dist` must not change the source.
        if self.found.len() == listed && !was_empty {
            self.found.pop();
        }
        Ok(())
    }

    fn names(&self, path: &Path) -> Result<Vec<OsString>, ListError> {
        let directory = self.root.join(path);
        let read = |source| ListError::Read { path: directory.clone(), source };
        let entries = fs::read_dir(&directory).map_err(read)?;
        let names: io::Result<Vec<OsString>> = entries.map(|entry| Ok(entry?.file_name())).collect();
        let mut names = names.map_err(read)?;
        names.sort();
        Ok(names)
    }

    fn entry(&mut self, path: &Path, level: usize) -> Result<(), ListError> {
        let full = self.root.join(path);
        let read = |source| ListError::Read { path: full.clone(), source };
        let metadata = fs::symlink_metadata(&full).map_err(read)?;
        let kind = if metadata.is_symlink() {
            FoundKind::Symlink { target: fs::read_link(&full).map_err(read)? }
        } else if metadata.is_dir() {
            FoundKind::Directory { mode: metadata.mode() & 0o7777 }
        } else if metadata.is_file() {
            FoundKind::File { mode: metadata.mode() & 0o7777, size: metadata.len() }
        } else {
            return Err(Refused::new(path.as_os_str().as_bytes(), special(&metadata)).into());
        };
        let descend = matches!(kind, FoundKind::Directory { .. });
        self.found.push(Found { path: path.to_owned(), kind });
        if descend { self.directory(path, level + 1) } else { Ok(()) }
    }
}

fn special(metadata: &Metadata) -> Rule {
    let kind = metadata.file_type();
    if kind.is_fifo() {
        Rule::Fifo
    } else if kind.is_socket() {
        Rule::Socket
    } else {
        Rule::Device
    }
}

/// Says why a tree cannot be listed.
#[derive(Debug, Error)]
pub enum ListError {
    /// A part of it cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It holds what no package may hold.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Explain for ListError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { .. } => Exit::Failure,
            Self::Refused(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "source_unreadable",
            Self::Refused(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(
                "a source must be readable for whoever builds; leave it out with `excludes` if it is none"
                    .into(),
            ),
            Self::Read { .. } => None,
            Self::Refused(_) => Some("leave it out with `excludes` in the recipe".into()),
        }
    }
}
