//! Says why a script of a package could not be run.

use std::io;

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain};
use thiserror::Error;

use crate::process::ProcessError;
use crate::runtime::RuntimeError;

/// Why a script could not be run, or not be ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HookError {
    /// The interpreter of a script is not there, or the script cannot be run.
    #[error("cannot run {script}")]
    Spawn {
        /// The script.
        script: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What a script prints cannot be kept.
    #[error("cannot keep the output of {script}")]
    Output {
        /// The script.
        script: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Processes of a script are there after KILL.
    #[error("processes {pids} of {script} are still there after KILL")]
    Survivors {
        /// The script.
        script: Utf8PathBuf,
        /// Their numbers.
        pids: String,
    },
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    Random,
    /// A process cannot be looked at or signalled.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The runtime directory refused.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl Explain for HookError {
    fn exit(&self) -> Exit {
        match self {
            Self::Process(error) => error.exit(),
            Self::Runtime(error) => error.exit(),
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Spawn { .. } => "script_not_run",
            Self::Output { .. } => "hook_output",
            Self::Survivors { .. } => "processes_left",
            Self::Random => "no_random_numbers",
            Self::Process(error) => error.code(),
            Self::Runtime(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Spawn { script, .. } => {
                Some(format!("the first line of {script} names its interpreter: is it installed?"))
            }
            Self::Output { .. } | Self::Random => None,
            Self::Survivors { .. } => {
                Some("the kernel holds them, often because of a disk or a network mount".into())
            }
            Self::Process(error) => error.hint(),
            Self::Runtime(error) => error.hint(),
        }
    }
}
