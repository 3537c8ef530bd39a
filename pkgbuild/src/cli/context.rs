//! What a subcommand is handed: the report, the process's surroundings, the terminal.

use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Failure, Report};
use serde_json::{Value, json};

use crate::surroundings::Ambient;
use crate::terminal::Terminal;

/// What a subcommand works with.
#[allow(missing_debug_implementations, reason = "streams have nothing to show")]
pub struct Context {
    /// Where everything that is said goes.
    pub report: Report,
    /// The process's surroundings.
    pub ambient: Ambient,
    /// The terminal, if a person sits at one.
    pub terminal: Option<Terminal>,
}

impl Context {
    /// Returns a path as the user means it.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.ambient.resolve(path)
    }

    /// Prints the data of a command that found something wrong: with `--json` in one document with the failure.
    pub(super) fn fail_with(
        &mut self,
        mut document: Value,
        text: impl FnOnce() -> String,
        failure: Failure,
    ) -> Result<Exit, Failure> {
        if !self.report.is_json() {
            self.report.data(&document, text);
            return Err(failure);
        }
        let exit = failure.exit;
        self.report.note(failure.to_string());
        document["error"] = json!(failure);
        self.report.data(&document, String::new);
        Ok(exit)
    }
}
