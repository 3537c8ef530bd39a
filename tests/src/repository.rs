//! A repository server that runs for as long as somebody needs it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::execution::line_of;

/// A running `repo-server serve`, stopped when it is dropped.
#[derive(Debug)]
pub struct Repository {
    child: Option<Child>,
    pid: u32,
    url: String,
    line: String,
}

/// The server does not run.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// It cannot be started.
    #[error("cannot start the repository server")]
    Start(#[source] io::Error),
    /// It said nothing useful.
    #[error("the repository server did not say where it listens:\n{said}")]
    Silent {
        /// What it wrote instead.
        said: String,
    },
}

impl Repository {
    /// Serves the directory `store` on a free port. What the server logs goes to `log`.
    ///
    /// # Errors
    /// When it does not start, or ends without saying where it listens.
    pub fn serve(program: &Path, store: &Path, log: &Path) -> Result<Self, RepositoryError> {
        Self::serve_with(program, store, &[], log)
    }

    /// As [`Self::serve`], with more options.
    ///
    /// # Errors
    /// As [`Self::serve`].
    pub fn serve_with(
        program: &Path,
        store: &Path,
        options: &[&OsStr],
        log: &Path,
    ) -> Result<Self, RepositoryError> {
        let mut command = Command::new(program);
        command.args(["serve", "--store", &format!("file://{}", store.display()), "--listen", "127.0.0.1:0"]);
        command.args(options);
        let errors = File::create(log).map_err(RepositoryError::Start)?;
        // Ctrl-C goes to the whole group in front of the terminal; this one is ended in order.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).process_group(0);
        let line = line_of(&command);
        let mut child = command.spawn().map_err(RepositoryError::Start)?;
        let out = child.stdout.take();
        let mut server = Self { pid: child.id(), child: Some(child), url: String::new(), line };
        server.url = read_address(out).ok_or_else(|| RepositoryError::Silent {
            said: std::fs::read_to_string(log).unwrap_or_default(),
        })?;
        Ok(server)
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// Returns the process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the command line.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Lets it run on, and returns its PID.
    pub fn leave_running(mut self) -> u32 {
        self.child = None;
        self.pid
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = child.wait();
    }
}

/// Reads what the server prints until it names its address, or ends.
fn read_address(out: Option<ChildStdout>) -> Option<String> {
    let mut lines = BufReader::new(out?).lines().map_while(Result::ok);
    lines.find_map(|line| address_in(&line))
}

/// Returns the `http://127.0.0.1:PORT` in a line.
fn address_in(line: &str) -> Option<String> {
    const BEFORE: &str = "http://127.0.0.1:";
    let (_, rest) = line.split_once(BEFORE)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    (digits > 0).then(|| format!("{BEFORE}{}", &rest[..digits]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_a_line() {
        assert_eq!(address_in("listening on http://127.0.0.1:8080, ready").unwrap(), "http://127.0.0.1:8080");
        assert_eq!(address_in("nothing here"), None);
    }
}
