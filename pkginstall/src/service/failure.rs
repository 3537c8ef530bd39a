//! What happened to a start that failed: how it ended, and the last that it wrote.

use std::fmt;

use thiserror::Error;

use crate::interrupt::Interrupted;
use crate::process::Ended;

/// What happened to a start.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StartFailure {
    /// The start script failed.
    #[error("its start script ended with {0}")]
    Script(Ended),
    /// The start script did not end.
    #[error("its start script had not ended after {0} s")]
    Hung(u32),
    /// A process of the service ended too early.
    #[error("it ended {}", how_it_ended(*.0))]
    Ended(Option<Ended>),
    /// A signal ended it.
    #[error(transparent)]
    Interrupted(Interrupted),
    /// systemd could not bring it up.
    #[error("{0}")]
    Systemd(String),
    /// The kernel killed it for want of memory.
    #[error("{0}")]
    OutOfMemory(String),
    /// The start script left no process.
    #[error("its start script left no process")]
    NoProcess,
}

fn how_it_ended(ended: Option<Ended>) -> String {
    match ended {
        Some(ended) => format!("at once with {ended}"),
        None => "at once".into(),
    }
}

/// The last lines that a service wrote, as a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastLines(pub Vec<String>);

impl std::error::Error for LastLines {}

impl fmt::Display for LastLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("it wrote nothing");
        }
        f.write_str("the last lines that it wrote:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n    | {}", shown(line)))
    }
}

/// A line for a terminal: no control characters, and not too long.
fn shown(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).take(500).collect()
}
