//! Runs the tools that fetch and prepare sources: git, tar, patch.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use copkg_spec::address;
use copkg_spec::command::{Exit, Explain};
use thiserror::Error;

use super::tail::Tail;
use crate::surroundings::Ambient;

/// Finds tools in the `PATH` of whoever runs the build.
#[derive(Debug, Clone, Copy)]
pub struct Tools<'a>(pub &'a Ambient);

impl Tools<'_> {
    /// Runs `name` in `directory` and returns what it wrote to its standard output.
    ///
    /// Files that it makes have modes that do not depend on the umask.
    ///
    /// # Errors
    /// When it is not installed, cannot be started, or fails.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        name: &'static str,
        directory: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &OsStr)],
    ) -> Result<Vec<u8>, ToolError> {
        let program = self.0.program(name).ok_or(ToolError::Missing { name })?;
        let arguments: Vec<OsString> = arguments.into_iter().map(|a| a.as_ref().to_owned()).collect();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "umask 022; exec \"$@\"", "sh"]).arg(&program).args(&arguments);
        command.current_dir(directory).stdin(Stdio::null());
        command.env("LC_ALL", "C.UTF-8").envs(environment.iter().copied());
        let output = command.output().map_err(|source| ToolError::Start { program, source })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let mut tail = Tail::default();
        tail.push(&output.stdout);
        tail.push(&output.stderr);
        let arguments =
            arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
        // The tool's own configuration may have added to an address what nobody should see.
        let output = address::redacted_in(&tail.lines().join("\n"));
        Err(ToolError::Failed { name, arguments: address::redacted_in(&arguments), output })
    }
}

/// Says why a tool did not do its work.
#[derive(Debug, Error)]
pub enum ToolError {
    /// It is not installed.
    #[error("{name} is not installed")]
    Missing {
        /// The program.
        name: &'static str,
    },
    /// It cannot be started.
    #[error("cannot start {program}", program = program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It failed.
    #[error("{name} {arguments} failed:\n{output}")]
    Failed {
        /// The program.
        name: &'static str,
        /// Its arguments.
        arguments: String,
        /// The last lines of its output.
        output: String,
    },
}

impl Explain for ToolError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "tool_missing",
            Self::Start { .. } => "tool_not_started",
            Self::Failed { .. } => "tool_failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { name } => Some(format!("install {name}, or put it into PATH")),
            Self::Start { .. } | Self::Failed { .. } => None,
        }
    }
}
