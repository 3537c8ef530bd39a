//! Says what is wrong with a runtime directory.

use std::io;

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain};
use thiserror::Error;

use crate::FileError;

/// Why a runtime directory cannot be made or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// A directory or file cannot be made, opened, read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Something else is where a file or a directory belongs.
    #[error("{path} is not {expected}")]
    Other {
        /// Where.
        path: Utf8PathBuf,
        /// What belongs there.
        expected: &'static str,
    },
    /// `run/start.pid` is no list of numbers.
    #[error("{path} names no process: {line:?}")]
    Pid {
        /// The file.
        path: Utf8PathBuf,
        /// The line that is no number.
        line: String,
    },
}

impl Explain for RuntimeError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "runtime_directory",
            Self::Other { .. } => "runtime_directory_occupied",
            Self::Pid { .. } => "start_pid_invalid",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Some("run it as the user that the prefix belongs to".into())
            }
            Self::File(_) => None,
            Self::Other { .. } => Some("move away what is there; links are not followed here".into()),
            Self::Pid { .. } => Some("the start script writes one process number a line".into()),
        }
    }
}
