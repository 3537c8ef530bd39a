//! What can go wrong with a directory, in words that a person can act on.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use rustix::io::Errno;
use thiserror::Error;

use crate::interrupt::Interrupted;

/// Says why something below the prefix could not be opened, made, moved or removed.
#[derive(Debug, Error)]
pub enum TreeError {
    /// It cannot be opened or looked at.
    #[error("cannot open {path}")]
    Open {
        /// What was to be opened.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be made or written.
    #[error("cannot write {path}")]
    Make {
        /// What was to be made.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be moved.
    #[error("cannot move {from} to {to}")]
    Rename {
        /// Where it is.
        from: Utf8PathBuf,
        /// Where it was to be.
        to: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be removed.
    #[error("cannot remove {path}")]
    Remove {
        /// What was to be removed.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be made durable.
    #[error("cannot make {path} durable")]
    Sync {
        /// What was to be synced.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl TreeError {
    pub(crate) fn open(path: &Utf8Path, source: impl Into<io::Error>) -> Self {
        Self::Open { path: path.to_owned(), source: source.into() }
    }

    pub(crate) fn make(path: &Utf8Path, source: impl Into<io::Error>) -> Self {
        Self::Make { path: path.to_owned(), source: source.into() }
    }

    pub(crate) fn remove(path: &Utf8Path, source: impl Into<io::Error>) -> Self {
        Self::Remove { path: path.to_owned(), source: source.into() }
    }

    pub(crate) fn sync(path: &Utf8Path, source: impl Into<io::Error>) -> Self {
        Self::Sync { path: path.to_owned(), source: source.into() }
    }

    /// Tells whether the system gave this reason.
    pub fn is(&self, errno: Errno) -> bool {
        self.cause().raw_os_error() == Some(errno.raw_os_error())
    }

    /// Tells whether nothing is there, or something that is no directory.
    pub fn is_not_a_directory(&self) -> bool {
        [Errno::NOENT, Errno::NOTDIR, Errno::LOOP].into_iter().any(|errno| self.is(errno))
    }

    /// Returns what the system said.
    pub fn into_cause(self) -> io::Error {
        match self {
            Self::Open { source, .. }
            | Self::Make { source, .. }
            | Self::Rename { source, .. }
            | Self::Remove { source, .. }
            | Self::Sync { source, .. } => source,
        }
    }

    fn cause(&self) -> &io::Error {
        match self {
            Self::Open { source, .. }
            | Self::Make { source, .. }
            | Self::Rename { source, .. }
            | Self::Remove { source, .. }
            | Self::Sync { source, .. } => source,
        }
    }
}

impl Explain for TreeError {
    fn exit(&self) -> Exit {
        if Interrupted::is_inside(self.cause()) { Exit::Interrupted } else { Exit::Failure }
    }

    fn code(&self) -> &'static str {
        match self.cause().kind() {
            _ if Interrupted::is_inside(self.cause()) => "interrupted",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk_full",
            io::ErrorKind::ReadOnlyFilesystem => "read_only",
            io::ErrorKind::PermissionDenied => "permission_denied",
            _ => "file_system",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self.cause().kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "make room, for example with `pkginstall remove`, and run the command again; nothing was left behind"
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                "mount it writable, or choose another prefix with `--prefix`"
            }
            io::ErrorKind::PermissionDenied => {
                "run it as the owner of the prefix, or choose another prefix with `--prefix`"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
