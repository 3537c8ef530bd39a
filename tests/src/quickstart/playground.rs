//! The temporary directory in which the tour takes place, and the commands that run in it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tempfile::TempDir;

use super::{Narrator, QuickstartError};
use crate::execution::{Execution, line_of};
use crate::programs::Programs;

/// The directory, the programs, and whom the reader listens to.
#[derive(Debug)]
pub(super) struct Playground<W: Write> {
    pub(super) narrator: Narrator<W>,
    programs: Programs,
    directory: TempDir,
    interrupted: Arc<AtomicBool>,
}

impl<W: Write> Playground<W> {
    pub(super) fn open(
        narrator: Narrator<W>,
        programs: Programs,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self, QuickstartError> {
        let directory = tempfile::Builder::new().prefix("copkg-quickstart-").tempdir();
        let directory = directory.map_err(QuickstartError::Playground)?;
        Ok(Self { narrator, programs, directory, interrupted })
    }

    /// Returns the directory.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the prefix below which everything is installed.
    pub(super) fn prefix(&self) -> PathBuf {
        self.path().join("host")
    }

    /// Returns the path of one of the three programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.path(name)
    }

    /// Returns the directory of the three programs.
    pub(super) fn programs(&self) -> &Path {
        self.programs.directory()
    }

    /// Leaves the directory where it is.
    pub(super) fn keep(self) {
        let _ = self.directory.keep();
    }

    /// Returns the one file in a directory of the playground, as the commands name it.
    pub(super) fn only_file(&self, directory: &str) -> Result<String, QuickstartError> {
        let entries = fs::read_dir(self.path().join(directory)).map_err(QuickstartError::Playground)?;
        let names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        let [name] = &names[..] else {
            return Err(QuickstartError::Playground(io::Error::other(format!(
                "{} files in {directory}",
                names.len()
            ))));
        };
        Ok(format!("{directory}/{name}"))
    }

    /// Shows the command line `words`, runs it with its output in front of the reader, and says how long it took.
    pub(super) fn run(&mut self, words: &[&str]) -> Result<(), QuickstartError> {
        let mut command = self.command(words);
        let line = line_of(&command);
        self.narrator.command(&line);
        let began = Instant::now();
        // Both streams in one, so that a log of the tour has them in the right order.
        command.stdin(Stdio::null()).stdout(io::stdout()).stderr(io::stdout());
        let status =
            command.status().map_err(|source| QuickstartError::Run { line: line.clone(), source })?;
        self.check_interrupt()?;
        if !status.success() {
            return Err(QuickstartError::Failed { line });
        }
        self.narrator.time(began.elapsed());
        Ok(())
    }

    /// Shows the command line `words`, runs it, shows and returns what it printed.
    pub(super) fn ask(&mut self, words: &[&str]) -> Result<String, QuickstartError> {
        let mut command = self.command(words);
        let line = line_of(&command);
        self.narrator.command(&line);
        let done = Execution::of(&mut command)
            .map_err(|source| QuickstartError::Run { line: line.clone(), source })?;
        self.check_interrupt()?;
        self.narrator.say(format!("{}{}", done.out, done.err).trim_end());
        if done.is_success() { Ok(done.out) } else { Err(QuickstartError::Failed { line }) }
    }

    /// Runs a command that nobody needs to see, and does not mind when it fails.
    pub(super) fn quietly(&self, words: &[&str]) {
        let _ = Execution::of(&mut self.command(words));
    }

    fn check_interrupt(&self) -> Result<(), QuickstartError> {
        if self.interrupted.load(Ordering::Relaxed) { Err(QuickstartError::Interrupted) } else { Ok(()) }
    }

    fn command(&self, words: &[&str]) -> Command {
        let (program, arguments) = words.split_first().map_or(("", &[][..]), |(first, rest)| (*first, rest));
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path());
        command.env("PATH", self.programs.search_path()).env("COPKG_PREFIX", self.prefix());
        // What this user has configured for other work has no part in this.
        command.env("XDG_CONFIG_HOME", self.path().join("config"));
        command.env("XDG_STATE_HOME", self.path().join("state"));
        command
    }
}
