//! Locks: who may change what, across processes.
//!
//! `flock` on a file that stays there for ever; the kernel gives the lock back when its holder dies, however it dies.
//! There is one for the prefix's catalogue, one for each service, and one for each operation in the journal. Whoever
//! holds several took them in this order: service, catalogue, journal.
//!
//! A start writes the record of its service under the catalogue lock, and a removal looks at those records under it,
//! so that no service starts from a package that is being removed.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use thiserror::Error;

use crate::interrupt::{self, Interrupted};

/// How often a held lock is tried again.
const POLL: Duration = Duration::from_millis(25);

/// Says why a lock was not taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// The lock file cannot be opened or locked.
    #[error("cannot take the lock {path}")]
    Open {
        /// The lock file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process held the lock for as long as we were willing to wait.
    #[error("{holder} holds the lock {path}")]
    Held {
        /// The lock file.
        path: Utf8PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// A signal came while we waited. Nothing was changed.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Explain for LockError {
    fn exit(&self) -> Exit {
        match self {
            Self::Open { .. } => Exit::Failure,
            Self::Held { .. } => Exit::Locked,
            Self::Interrupted(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } => "lock_failed",
            Self::Held { .. } => "locked",
            Self::Interrupted(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open { .. } | Self::Interrupted(_) => None,
            Self::Held { .. } => Some("wait for it to end, or give a longer `--lock-timeout`".into()),
        }
    }
}

/// How long to wait for a lock that another process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// For so long.
    AtMost(Duration),
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock at `path`, whose directory exists. `on_wait` is told once who is waited for.
    ///
    /// # Errors
    /// When the file cannot be opened, or is still held after `wait`.
    pub fn take(path: &Utf8Path, wait: Wait, on_wait: impl FnOnce(&str)) -> Result<Self, LockError> {
        let failed = |source| LockError::Open { path: path.to_owned(), source };
        let mut file = open(path).map_err(failed)?;
        if try_exclusive(&file).map_err(failed)? {
            return Ok(Self::note_holder(file));
        }
        let holder = read_holder(&mut file);
        let Wait::AtMost(limit) = wait else {
            return Err(LockError::Held { path: path.to_owned(), holder });
        };
        on_wait(&holder);
        if poll(&file, limit, Instant::now()).map_err(failed)? {
            return Ok(Self::note_holder(file));
        }
        interrupt::check()?;
        Err(LockError::Held { path: path.to_owned(), holder: read_holder(&mut file) })
    }

    /// Writes down who holds the lock, for the message of whoever waits. Only a courtesy: failing is no error.
    fn note_holder(mut file: File) -> Self {
        let text = format!("process {}", std::process::id());
        let _ = file.rewind().and_then(|()| file.set_len(0)).and_then(|()| file.write_all(text.as_bytes()));
        Self { _file: file }
    }
}

/// Tries to lock `file` for this open file alone; tells whether it was free.
pub(super) fn try_exclusive(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Tries to lock `file` until `limit` has passed or a signal comes; tells whether it was locked. The kernel has no such wait.
pub(super) fn poll(file: &File, limit: Duration, started: Instant) -> io::Result<bool> {
    while started.elapsed() < limit && !interrupt::is_interrupted() {
        thread::sleep(POLL);
        if try_exclusive(file)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn open(path: &Utf8Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(100).read_to_string(&mut text));
    match read {
        Ok(n) if n > 0 => text.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}
