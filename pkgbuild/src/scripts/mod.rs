//! Generates `script.d/start` and `script.d/stop` from `[service] exec`.
//!
//! Comes after the recipe is resolved and before the tree is packed. The scripts are POSIX sh and need nothing of
//! copkg at run time; what they promise stands in `docs/services.md`.

mod error;
mod exec;
mod named;
mod quote;
mod render;
mod variable;
mod words;

#[cfg(test)]
mod tests;

pub use error::ScriptError;
pub use named::{NamedFiles, named_files};

use exec::Exec;
use variable::Variables;

/// What the scripts are generated from: `[service]` of the recipe, with its `${…}` substituted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCommand {
    /// The command line: words with quotes and variables, no shell syntax. See `docs/services.md`.
    pub exec: String,
    /// The parameters that `start` takes as `--name=value`.
    pub parameters: Vec<Parameter>,
    /// Directories to make below the runtime directory, besides `log etc data run`.
    pub directories: Vec<String>,
    /// Where the output goes.
    pub output: Output,
    /// The file into which the service writes its own PID. One word of a command line, relative to the runtime directory.
    pub pid_file: Option<String>,
    /// The signal that asks the service to end: `TERM`, `INT` …
    pub stop_signal: String,
    /// How long `start` may take.
    pub start_timeout_seconds: u32,
    /// How long a service must live to count as started, and one that goes into the background may take to do so.
    pub settle_milliseconds: u32,
    /// How long `stop` waits after the signal.
    pub stop_timeout_seconds: u32,
}

/// One parameter of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// `[a-z0-9][a-z0-9_-]*`; `exec` knows the value as `$PARAM_` and the name in capitals.
    pub name: String,
    /// The value when none is given. A parameter without one must be given.
    pub default: Option<String>,
    /// What it is for, shown by `start --help`.
    pub description: String,
}

/// The directory below the runtime directory that receives what the service prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// `log/console.log`.
    Log,
    /// `console/console.log`, for a recipe with `console = true`.
    Console,
}

/// The texts of the two scripts. Both want mode 0755.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripts {
    /// `script.d/start`.
    pub start: String,
    /// `script.d/stop`.
    pub stop: String,
}

/// Generates the two scripts.
///
/// # Errors
/// When `exec` or `pid_file` is no plain command line, uses a variable that is not there, or a parameter, a directory
/// or the signal cannot be written down.
pub fn generate(command: &ServiceCommand) -> Result<Scripts, ScriptError> {
    let variables = Variables::with(&command.parameters)?;
    let exec = Exec::parse(&command.exec, &variables)?;
    let pid_file = command.pid_file.as_deref().map(|text| exec::pid_file(text, &variables)).transpose()?;
    error::check_signal(&command.stop_signal)?;
    error::check_directories(&command.directories)?;
    Ok(Scripts { start: render::start(command, &exec, pid_file.as_ref()), stop: render::stop(command) })
}
