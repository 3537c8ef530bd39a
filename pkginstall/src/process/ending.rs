//! Ends a family: asks, waits, kills, and looks again until nobody is left.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Family, ProcessError, ProcessHandle, ProcessIdentity, Whereabouts, wait_until_one_ends};

/// How long a killed process may take to be gone. One in an uninterruptible wait takes longer, and is reported.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// The processes that live on although they were killed.
pub type Survivors = Vec<ProcessIdentity>;

/// Sends `signal` to the members of a family, and KILL to those that live on after `patience`. Returns once nobody is
/// left, or after ten seconds of killing.
///
/// A member that appears while we work is treated like the rest: it gets the signal too, until it is time to kill.
///
/// # Errors
/// When `/proc` cannot be read, or we may not signal a member.
pub fn end(family: &Family, signal: Signal, patience: Duration) -> Result<Survivors, ProcessError> {
    let asked = repeat(family, signal, Instant::now() + patience)?;
    if asked.is_empty() {
        return Ok(asked);
    }
    repeat(family, Signal::KILL, Instant::now() + KILL_LIMIT)
}

/// Signals each member once, and waits, until no member lives or it is time.
fn repeat(family: &Family, signal: Signal, deadline: Instant) -> Result<Survivors, ProcessError> {
    let mut known: Vec<ProcessHandle> = Vec::new();
    loop {
        let members = family.find()?;
        for member in &members {
            if known.iter().any(|handle| handle.identity() == member) {
                continue;
            }
            if let Whereabouts::Alive(handle) = member.open()? {
                handle.signal(signal)?;
                known.push(handle);
            }
        }
        if members.is_empty() || Instant::now() >= deadline {
            return Ok(members);
        }
        known.retain(|handle| members.contains(handle.identity()));
        // An orphan of ours stays in the list until it is collected, and others may join: look again soon.
        let soon = deadline.min(Instant::now() + Duration::from_millis(100));
        wait_until_one_ends(&known.iter().collect::<Vec<_>>(), Some(soon))?;
    }
}
