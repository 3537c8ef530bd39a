//! Says why nothing certain can be said of a process.

use std::io;

use copkg_spec::command::{Exit, Explain};
use thiserror::Error;

/// Why a process cannot be looked at, watched or signalled.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The boot id or the list of processes cannot be read.
    #[error("cannot read {path}")]
    Proc {
        /// The file below `/proc`.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is a process of that number, but `/proc` does not show it.
    #[error("process {pid} is there, but /proc does not show it")]
    Hidden {
        /// The number.
        pid: u32,
    },
    /// `pidfd_open`, `pidfd_send_signal` or `poll` failed.
    #[error("cannot {action} process {pid}")]
    Pidfd {
        /// What was tried.
        action: &'static str,
        /// The number.
        pid: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Waiting for several processes failed.
    #[error("cannot wait for processes")]
    Wait(#[source] io::Error),
}

impl Explain for ProcessError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Proc { .. } => "proc_unreadable",
            Self::Hidden { .. } => "process_hidden",
            Self::Pidfd { .. } => "pidfd_failed",
            Self::Wait(_) => "wait_failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Proc { .. } => Some("mount /proc: without it no process can be told from another".into()),
            Self::Hidden { .. } => {
                Some("/proc is mounted with hidepid: run as the user of the service, or as root".into())
            }
            Self::Pidfd { .. } => {
                Some("this needs Linux 5.3 or later, and the rights of the service's user".into())
            }
            Self::Wait(_) => None,
        }
    }
}
