//! What a subcommand is handed: the report, the process's surroundings, the terminal.

use std::path::{Path, PathBuf};

use copkg_spec::command::Report;

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
}
