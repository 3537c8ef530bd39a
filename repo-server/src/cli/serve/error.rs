//! Why serving does not start.

use std::io;
use std::net::SocketAddr;

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain};
use thiserror::Error;

use crate::cli::store::OpenError;
use crate::replica::ReplicaError;

/// Says why serving did not start.
#[derive(Debug, Error)]
pub(in crate::cli) enum ServeError {
    /// The store, or the repository in it, cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// Witnesses cannot be asked.
    #[error(transparent)]
    Client(#[from] ReplicaError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    /// Files that are published have no place to be checked in.
    #[error("cannot write to {path}, where files that are published are checked")]
    Spool { path: Utf8PathBuf, source: io::Error },
    /// Threads or signals are not to be had.
    #[error("cannot start the server")]
    Start(#[source] io::Error),
}

impl Explain for ServeError {
    fn exit(&self) -> Exit {
        match self {
            Self::Store(error) => error.exit(),
            Self::Client(error) => error.exit(),
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => Exit::Conflict,
            Self::Listen { .. } | Self::Spool { .. } | Self::Start(_) => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Client(error) => error.code(),
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => "address_in_use",
            Self::Listen { .. } => "cannot_listen",
            Self::Spool { .. } => "spool_not_writable",
            Self::Start(_) => "cannot_start",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Client(error) => error.hint(),
            Self::Listen { address, source } => listen_hint(*address, source.kind()),
            Self::Spool { .. } => {
                Some("name a directory with room for the largest files with --spool".into())
            }
            Self::Start(_) => None,
        }
    }
}

/// Says what helps where an address cannot be listened on.
pub(in crate::cli) fn listen_hint(address: SocketAddr, kind: io::ErrorKind) -> Option<String> {
    let (ip, port) = (address.ip(), address.port());
    Some(match kind {
        io::ErrorKind::AddrInUse => {
            let free = SocketAddr::new(ip, 0);
            format!("another program has port {port}; stop it, or take a free port with --listen {free}")
        }
        io::ErrorKind::PermissionDenied => format!("port {port} needs privileges; take one above 1023"),
        io::ErrorKind::AddrNotAvailable => {
            format!("{ip} is not an address of this machine; 0.0.0.0 and [::] stand for all of them")
        }
        _ => return None,
    })
}
