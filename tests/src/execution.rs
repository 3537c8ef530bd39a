//! One run of a program: its command line, how it ended, what it said.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::programs::is_ours;

/// A program that has ended.
#[derive(Debug, Clone)]
pub struct Execution {
    /// The command line, quoted as a shell wants it.
    pub line: String,
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
    /// How long it took.
    pub took: Duration,
}

impl Execution {
    /// Runs `command` to its end, without a terminal.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn of(command: &mut Command) -> io::Result<Self> {
        let began = Instant::now();
        let output = command.stdin(Stdio::null()).output()?;
        Ok(Self::ended(command, &output, began.elapsed()))
    }

    /// Describes a command that ended with `output`.
    pub fn ended(command: &Command, output: &Output, took: Duration) -> Self {
        Self {
            line: line_of(command),
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            took,
        }
    }

    /// Tells whether it exited with 0.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// Returns itself when it exited with `code`.
    ///
    /// # Errors
    /// When it ended in another way; the error shows everything it said.
    pub fn expect_code(self, code: i32) -> Result<Self, UnexpectedEnd> {
        if self.code == Some(code) { Ok(self) } else { Err(UnexpectedEnd { wanted: code, execution: self }) }
    }

    /// Returns itself when it exited with 0.
    ///
    /// # Errors
    /// When it ended in another way; the error shows everything it said.
    pub fn success(self) -> Result<Self, UnexpectedEnd> {
        self.expect_code(0)
    }

    /// Returns its standard output as one JSON document.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value, NoDocument> {
        let unreadable = |source| NoDocument { text: self.to_string(), source };
        serde_json::from_str(&self.out).map_err(unreadable)
    }
}

impl fmt::Display for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
        write!(f, "$ {}\n{}{}({end})", self.line, self.out, self.err)
    }
}

/// A program ended in another way than it should.
#[derive(Debug, thiserror::Error)]
#[error("wanted exit code {wanted}:\n{execution}")]
pub struct UnexpectedEnd {
    /// The exit code that was wanted.
    pub wanted: i32,
    /// What happened.
    pub execution: Execution,
}

/// A program printed something that is no JSON document.
#[derive(Debug, thiserror::Error)]
#[error("no JSON document:\n{text}")]
pub struct NoDocument {
    text: String,
    #[source]
    source: serde_json::Error,
}

/// Returns the command line as a user would type it: ours by name, every other program as it was called.
pub fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let called = if is_ours(program) { program.file_name().unwrap_or_default() } else { program.as_os_str() };
    let words = std::iter::once(called).chain(command.get_args()).map(|word| quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

/// Quotes a word where a shell needs it. An option with its value, `--port=80`, needs none.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_typed_as_it_stands() {
        let mut command = Command::new("/somewhere/target/debug/pkginstall");
        command.args(["start", "a.b:c:1", "--", "--port=80", "--greeting=good day"]);
        assert_eq!(line_of(&command), "pkginstall start a.b:c:1 -- --port=80 '--greeting=good day'");
    }
}
