//! Says why no scripts can be generated from a recipe.

use copkg_spec::command::{Exit, Explain};
use thiserror::Error;

/// Why a start or a stop script cannot be generated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// There is no word in `exec`.
    #[error("[service] exec is empty")]
    Empty,
    /// A character that means something to a shell, outside of quotes.
    #[error("[service] {field} uses shell syntax: {found} in `{text}`")]
    ShellSyntax {
        /// `exec` or `pid_file`.
        field: &'static str,
        /// The whole value.
        text: String,
        /// What was found.
        found: &'static str,
    },
    /// A quote that is not closed, or a backslash at the end.
    #[error("[service] {field} ends inside {inside}: `{text}`")]
    Unfinished {
        /// `exec` or `pid_file`.
        field: &'static str,
        /// The whole value.
        text: String,
        /// What is open.
        inside: &'static str,
    },
    /// A variable that the scripts do not have.
    #[error("[service] {field} uses ${name}, which does not exist")]
    UnknownVariable {
        /// `exec` or `pid_file`.
        field: &'static str,
        /// The name as written.
        name: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// A word that only a shell understands stands where a program is expected.
    #[error("[service] exec starts with `{word}`, which is a word of the shell and no program")]
    ShellWord {
        /// The word.
        word: String,
    },
    /// `pid_file` has none or several words.
    #[error("[service] pid_file is not one path: `{text}`")]
    PidFile {
        /// The whole value.
        text: String,
    },
    /// A parameter with a name that does not work as an option and as a variable.
    #[error("the parameter {name:?} has a name that cannot be used: {why}")]
    ParameterName {
        /// The name.
        name: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// A directory that is not below the runtime directory.
    #[error("the directory {path:?} is not a path below the runtime directory")]
    Directory {
        /// The path.
        path: String,
    },
    /// A stop signal that `kill -s` does not take.
    #[error("{name:?} is no signal that a service can be stopped with")]
    Signal {
        /// The name.
        name: String,
    },
}

impl Explain for ScriptError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "exec_empty",
            Self::ShellSyntax { .. } => "exec_shell_syntax",
            Self::Unfinished { .. } => "exec_unfinished",
            Self::UnknownVariable { .. } => "exec_unknown_variable",
            Self::ShellWord { .. } => "exec_shell_word",
            Self::PidFile { .. } => "pid_file_invalid",
            Self::ParameterName { .. } => "parameter_name_invalid",
            Self::Directory { .. } => "directory_invalid",
            Self::Signal { .. } => "stop_signal_invalid",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty => {
                "name the program and its arguments: exec = \"bin/server --port $PARAM_PORT\"".into()
            }
            Self::ShellSyntax { .. } => {
                "put it in quotes to mean the character, or give scripts of your own with start and stop"
                    .into()
            }
            Self::Unfinished { .. } => "close it, or write \\ before it to mean the character".into(),
            Self::UnknownVariable { known, .. } => {
                format!("there are ${}; in single quotes a $ is a plain $", known.join(", $"))
            }
            Self::ShellWord { .. } => "name the program itself, or sh -c '…'".into(),
            Self::PidFile { .. } => "name one file, e.g. pid_file = \"run/server.pid\"".into(),
            Self::ParameterName { .. } => "a name is [a-z0-9][a-z0-9_-]*, e.g. \"listen-port\"".into(),
            Self::Directory { .. } => "name it relative to the runtime directory, e.g. \"data/cache\"".into(),
            Self::Signal { .. } => "use TERM, INT, QUIT, HUP, USR1 or USR2".into(),
        })
    }
}

/// The signals that ask a process to end. KILL and STOP are not among them: they do not ask.
const STOP_SIGNALS: [&str; 6] = ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"];

pub(super) fn check_signal(name: &str) -> Result<(), ScriptError> {
    if STOP_SIGNALS.contains(&name) { Ok(()) } else { Err(ScriptError::Signal { name: name.into() }) }
}

/// The recipe has checked these already. Here it is about what `mkdir` would do with them.
pub(super) fn check_directories(paths: &[String]) -> Result<(), ScriptError> {
    let bad = |path: &&String| {
        path.split('/').any(|part| part.is_empty() || part == "." || part == "..")
            || path.contains(|c: char| c.is_control())
    };
    match paths.iter().find(bad) {
        Some(path) => Err(ScriptError::Directory { path: path.clone() }),
        None => Ok(()),
    }
}
