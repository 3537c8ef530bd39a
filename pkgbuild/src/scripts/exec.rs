//! Reads `exec` and `pid_file`: assignments, the program, its arguments, one path.

use super::ScriptError;
use super::variable::Variables;
use super::words::{Word, split};

/// The command of a service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exec {
    /// Variables for its environment, `NAME=value` before the program.
    pub(super) environment: Vec<(String, Word)>,
    /// The program and its arguments.
    pub(super) words: Vec<Word>,
}

/// Words that look like a program to someone who thinks of a shell.
const SHELL_WORDS: [&str; 22] = [
    "!", ".", ":", "case", "cd", "eval", "exec", "exit", "export", "for", "if", "readonly", "return", "set",
    "shift", "source", "trap", "ulimit", "umask", "unset", "until", "while",
];

impl Exec {
    /// Reads a command line.
    ///
    /// A program with a `/` that is not absolute lies in the package; one without is looked up in PATH.
    pub(super) fn parse(text: &str, variables: &Variables) -> Result<Self, ScriptError> {
        let mut environment = Vec::new();
        let mut words = split("exec", text, variables)?.into_iter().peekable();
        while let Some(assignment) = words.peek().and_then(Word::split_assignment) {
            environment.push(assignment);
            words.next();
        }
        let program = words.next().ok_or(ScriptError::Empty)?;
        if let Some(word) = SHELL_WORDS.iter().find(|word| program.is(word)) {
            return Err(ScriptError::ShellWord { word: (*word).into() });
        }
        let program = in_package(program);
        Ok(Self { environment, words: std::iter::once(program).chain(words).collect() })
    }
}

/// Reads the path of the service's own PID file: relative to the runtime directory, or absolute.
pub(super) fn pid_file(text: &str, variables: &Variables) -> Result<Word, ScriptError> {
    let Ok([word]) = <[Word; 1]>::try_from(split("pid_file", text, variables)?) else {
        return Err(ScriptError::PidFile { text: text.into() });
    };
    let relative = !word.start().is_empty() && !word.start().starts_with('/');
    Ok(if relative { word.below("RUNTIME_DIR") } else { word })
}

fn in_package(program: Word) -> Word {
    let relative = !program.start().is_empty() && !program.start().starts_with('/');
    if relative && program.has_slash() { program.below("SOFTWARE_DIR") } else { program }
}
