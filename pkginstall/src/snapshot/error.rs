//! What can go wrong between a host's files and a store, in words that an operator can act on.

use std::io;

use camino::Utf8PathBuf;
use copkg_spec::age::AgeError;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::CoordinateError;
use copkg_spec::keys::KeyError;
use copkg_spec::snapshot::{ByteText, HostName, SnapshotFormatError, SnapshotNumber};
use thiserror::Error;

use crate::FileError;
use crate::host::LockError;
use crate::interrupt::Interrupted;

/// Says why a host was not configured, pushed, read or rebuilt.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// A file of ours.
    #[error(transparent)]
    File(#[from] FileError),
    /// Something in a tree.
    #[error("cannot {action} {path}")]
    Entry {
        /// What was tried: a verb.
        action: &'static str,
        /// The entry.
        path: ByteText,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no configuration.
    #[error("this host has no configuration for snapshots: {path} is missing")]
    NotConfigured {
        /// Where it is looked for.
        path: Utf8PathBuf,
    },
    /// There is one already.
    #[error("this host is configured already: {path}")]
    Configured {
        /// Where it is.
        path: Utf8PathBuf,
    },
    /// The configuration cannot be used.
    #[error("{path} cannot be used: {why}")]
    BadConfiguration {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        why: String,
    },
    /// A name, recipient or number of the command line.
    #[error(transparent)]
    Text(#[from] CoordinateError),
    /// Something of the store is not what the host put there.
    #[error("{object} of {host} in the store is damaged or was changed")]
    Damaged {
        /// The host.
        host: HostName,
        /// The path below the host's folder.
        object: String,
        /// What is wrong.
        #[source]
        source: SnapshotFormatError,
    },
    /// Something of the store is gone.
    #[error("{object} of {host} is missing in the store")]
    Missing {
        /// The host.
        host: HostName,
        /// The path below the host's folder.
        object: String,
    },
    /// The store has no such host.
    #[error("the store {store} has no snapshots of {host}")]
    UnknownHost {
        /// The host.
        host: HostName,
        /// The store.
        store: String,
    },
    /// The host has no such snapshot.
    #[error("{host} has no snapshot {number} that can be read")]
    UnknownSnapshot {
        /// The host.
        host: HostName,
        /// The snapshot.
        number: SnapshotNumber,
    },
    /// The snapshot has nothing there.
    #[error("snapshot {number} of {host} has no {path}")]
    NoSuchPath {
        /// The host.
        host: HostName,
        /// The snapshot.
        number: SnapshotNumber,
        /// The path.
        path: ByteText,
    },
    /// The store has another key for the host.
    #[error("the store has another key for {host}: {found}, not {expected}")]
    OtherKey {
        /// The host.
        host: HostName,
        /// The key of the store.
        found: String,
        /// The key that counts.
        expected: String,
    },
    /// The store lacks what it had.
    #[error("the store does not have what {host} pushed last: {why}")]
    RolledBack {
        /// The host.
        host: HostName,
        /// What it has.
        why: String,
    },
    /// Somebody else pushes, or prunes.
    #[error("another push or prune works on {host} in the store")]
    StoreBusy {
        /// The host.
        host: HostName,
    },
    /// No key opens the snapshot.
    #[error("no key here opens the snapshots of {host}")]
    NoKey {
        /// The host.
        host: HostName,
    },
    /// The identity does not unwrap the key of the epoch.
    #[error("cannot unwrap {object} of {host}")]
    Unwrap {
        /// The host.
        host: HostName,
        /// The file.
        object: String,
        /// Why.
        #[source]
        source: AgeError,
    },
    /// A file holds no such key.
    #[error("{path} is not the key that it should be")]
    BadKey {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// Something stands where a directory of the snapshot goes through.
    #[error("{path} is no directory here, and the snapshot goes through it")]
    InTheWay {
        /// The path.
        path: ByteText,
    },
    /// Nobody can be asked.
    #[error("nothing was changed: {why}")]
    Unconfirmed {
        /// Why not.
        why: &'static str,
    },
    /// A rebuild of another snapshot was interrupted here, or can still be undone.
    #[error("{root} holds a rebuild of {what}, which {state}")]
    OtherRebuild {
        /// The root.
        root: Utf8PathBuf,
        /// Which host and snapshot.
        what: String,
        /// What it is.
        state: &'static str,
    },
    /// There is nothing to undo.
    #[error("there is no rebuild to undo below {root}")]
    NothingToUndo {
        /// The root.
        root: Utf8PathBuf,
    },
    /// A lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A signal.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl SnapshotError {
    /// Returns what makes one of what the system says of an entry.
    pub(crate) fn entry<E: Into<io::Error>>(
        action: &'static str,
        path: &[u8],
    ) -> impl FnOnce(E) -> Self + use<E> {
        let path = ByteText::new(path);
        move |source| Self::Entry { action, path, source: source.into() }
    }
}

impl Explain for SnapshotError {
    fn exit(&self) -> Exit {
        match self {
            Self::File(_) | Self::Entry { .. } | Self::Random => Exit::Failure,
            Self::NotConfigured { .. } | Self::UnknownHost { .. } | Self::UnknownSnapshot { .. } => {
                Exit::NotFound
            }
            Self::NoSuchPath { .. } | Self::NothingToUndo { .. } => Exit::NotFound,
            Self::Configured { .. } | Self::InTheWay { .. } | Self::OtherRebuild { .. } => Exit::Conflict,
            Self::BadConfiguration { .. }
            | Self::Text(_)
            | Self::Unconfirmed { .. }
            | Self::BadKey { .. } => Exit::Usage,
            Self::Damaged { .. } | Self::Missing { .. } | Self::OtherKey { .. } | Self::RolledBack { .. } => {
                Exit::Trust
            }
            Self::NoKey { .. } | Self::Unwrap { .. } => Exit::Trust,
            Self::StoreBusy { .. } => Exit::Locked,
            Self::Lock(error) => error.exit(),
            Self::Interrupted(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "snapshot_file",
            Self::Entry { .. } => "snapshot_entry",
            Self::NotConfigured { .. } => "host_not_configured",
            Self::Configured { .. } => "host_configured",
            Self::BadConfiguration { .. } => "bad_host_configuration",
            Self::Text(_) => "bad_host_argument",
            Self::Damaged { .. } => "store_damaged",
            Self::Missing { .. } => "store_incomplete",
            Self::UnknownHost { .. } => "snapshot_host_unknown",
            Self::UnknownSnapshot { .. } => "snapshot_unknown",
            Self::NoSuchPath { .. } => "snapshot_path_unknown",
            Self::OtherKey { .. } => "host_key_differs",
            Self::RolledBack { .. } => "store_rolled_back",
            Self::StoreBusy { .. } => "store_busy",
            Self::NoKey { .. } => "no_snapshot_key",
            Self::Unwrap { .. } => "snapshot_key_wrapped",
            Self::BadKey { .. } => "bad_host_key",
            Self::Random => "no_random_numbers",
            Self::InTheWay { .. } => "rebuild_in_the_way",
            Self::Unconfirmed { .. } => "rebuild_unconfirmed",
            Self::OtherRebuild { .. } => "rebuild_pending",
            Self::NothingToUndo { .. } => "nothing_to_undo",
            Self::Lock(error) => error.code(),
            Self::Interrupted(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotConfigured { .. } => "`pkginstall host init STORE --recipient age1…` writes one",
            Self::Configured { .. } => "edit it; `pkginstall host watch` adds paths",
            Self::Damaged { .. } | Self::Missing { .. } => {
                "nothing was placed from it; another copy of the store may have it, or an earlier snapshot (`--at`)"
            }
            Self::UnknownHost { .. } => "the folders below hosts/ in the store are the names of hosts",
            Self::UnknownSnapshot { .. } => "`pkginstall host list` shows those that can be read",
            Self::OtherKey { .. } => {
                "another host has this name there, or somebody replaced the record: compare with what `host init` printed"
            }
            Self::RolledBack { .. } => {
                "if the store was restored from an older copy on purpose, `pkginstall host push --accept-older-store` builds on what it has"
            }
            Self::StoreBusy { .. } => "try again when it has ended",
            Self::NoKey { .. } => "give the file with a recovery identity: `--identity FILE`",
            Self::Unwrap { .. } => "give the identity of a recipient that the host was configured with",
            Self::InTheWay { .. } => {
                "nothing was changed; move it away, or rebuild with `--directory` what does not go through it"
            }
            Self::Unconfirmed { .. } => "`--yes` with `--host-key` confirms without a terminal",
            Self::OtherRebuild { .. } => {
                "`pkginstall host rebuild --undo` reverts it; `--forget-undo` deletes what it replaced"
            }
            Self::Lock(error) => return error.hint(),
            Self::Interrupted(error) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
