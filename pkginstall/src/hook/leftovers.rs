//! Scripts whose command was killed: found by their mark, and ended.
//!
//! Comes before a script runs and while recovering. Every process of a script carries who began it; where that command
//! is gone, nobody waits for the script any more.

use std::time::{Duration, Instant};

use camino::Utf8Path;
use rustix::process::Signal;

use crate::process::{Environ, Owner, ProcessError, ProcessIdentity, ProcessTable, Whereabouts};

/// The variable that says who began a script.
pub(super) const OWNER: &str = "COPKG_HOOK_OWNER";

/// How long the killing may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Ends the scripts below the prefix `root` whose command is gone. Returns how many processes were killed.
///
/// # Errors
/// When `/proc` cannot be read, or a process may not be signalled.
pub fn end_leftovers(root: &Utf8Path) -> Result<usize, ProcessError> {
    let deadline = Instant::now() + LIMIT;
    let mut killed = 0;
    loop {
        let left = find(root)?;
        if left.is_empty() || Instant::now() >= deadline {
            return Ok(killed);
        }
        for process in left {
            if let Whereabouts::Alive(handle) = process.open()? {
                handle.signal(Signal::KILL)?;
                handle.wait(deadline)?;
                killed += 1;
            }
        }
    }
}

fn find(root: &Utf8Path) -> Result<Vec<ProcessIdentity>, ProcessError> {
    let table = ProcessTable::read()?;
    let mut found = Vec::new();
    for pid in table.pids() {
        let Some(environ) = Environ::of(pid) else { continue };
        let Some(owner) = environ.text(OWNER).and_then(Owner::parse) else { continue };
        if environ.text("COPKG_PREFIX") == Some(root.as_str()) && !owner.is_alive()? {
            found.extend(table.identity(pid));
        }
    }
    Ok(found)
}
