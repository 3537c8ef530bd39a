//! Ends a family: asks, waits, kills, and looks again until nobody is left.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Family, ProcessError, ProcessHandle, ProcessIdentity, Whereabouts, wait_until_one_ends};

/// How long a killed process may take to be gone. One in an uninterruptible wait takes longer, and is reported.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// The processes that live on although they were killed.
pub type Survivors = Vec<ProcessIdentity>;

/// Sends `signal` to the heads of a family, and KILL to everyone that lives on after `patience`. Returns once nobody is
/// left, or after ten seconds of killing.
///
/// A worker is asked only when its parent is gone: until then the parent knows better how to end it. A member that
/// appears while we work is treated like the rest.
///
/// # Errors
/// When `/proc` cannot be read, or we may not signal a member.
pub fn end(family: &Family, signal: Signal, patience: Duration) -> Result<Survivors, ProcessError> {
    let asked = repeat(family, To::Heads(signal), Instant::now() + patience)?;
    if asked.is_empty() {
        return Ok(asked);
    }
    repeat(family, To::All(Signal::KILL), Instant::now() + KILL_LIMIT)
}

/// Waits until no member lives; tells who lives on after `patience`.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn await_end(family: &Family, patience: Duration) -> Result<Survivors, ProcessError> {
    repeat(family, To::Nobody, Instant::now() + patience)
}

#[derive(Debug, Clone, Copy)]
enum To {
    Nobody,
    Heads(Signal),
    All(Signal),
}

/// Signals each addressee once, and waits, until no member lives or it is time.
fn repeat(family: &Family, to: To, deadline: Instant) -> Result<Survivors, ProcessError> {
    let mut asked: Vec<ProcessHandle> = Vec::new();
    let mut family = family.clone();
    loop {
        let members = family.find()?;
        family.remember(&members.all);
        let (addressees, signal) = match to {
            To::Nobody => (&[][..], Signal::TERM),
            To::Heads(signal) => (&members.heads[..], signal),
            To::All(signal) => (&members.all[..], signal),
        };
        asked.retain(|handle| members.all.contains(handle.identity()));
        for addressee in addressees {
            if asked.iter().any(|handle| handle.identity() == addressee) {
                continue;
            }
            if let Whereabouts::Alive(handle) = addressee.open()? {
                handle.signal(signal)?;
                asked.push(handle);
            }
        }
        if members.all.is_empty() || Instant::now() >= deadline {
            return Ok(members.all);
        }
        // Others may end, and others may join: look again soon.
        let soon = deadline.min(Instant::now() + Duration::from_millis(50));
        wait_until_one_ends(&asked.iter().collect::<Vec<_>>(), Some(soon))?;
    }
}
