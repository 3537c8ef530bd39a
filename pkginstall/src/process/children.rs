//! Being the parent of orphans: whatever a script leaves behind becomes our child, so that we know of it and of how it
//! ends.

use std::collections::BTreeMap;
use std::fmt;

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process_group, set_child_subreaper, wait, waitpid,
};

use super::{ProcessError, ProcessHandle};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It returned this exit code.
    Exited(i32),
    /// This signal ended it.
    Killed(i32),
}

impl Ended {
    /// Tells whether it ended with exit code 0.
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }

    fn of(status: WaitStatus) -> Option<Self> {
        status.exit_status().map(Self::Exited).or_else(|| status.terminating_signal().map(Self::Killed))
    }
}

/// Returns what people call a signal: `TERM`.
pub(crate) fn signal_word(signal: rustix::process::Signal) -> String {
    format!("{signal:?}").trim_matches('"').trim_start_matches("Signal::").to_owned()
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Killed(number) => match rustix::process::Signal::from_named_raw(*number) {
                Some(signal) => write!(f, "signal {number} ({})", signal_word(signal)),
                None => write!(f, "signal {number}"),
            },
        }
    }
}

/// Makes this process the parent of its orphaned descendants for as long as it lives.
///
/// While it does, this process must not wait for children in any other way.
#[derive(Debug)]
pub struct Children {
    ended: BTreeMap<u32, Ended>,
}

impl Children {
    /// Begins to adopt.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn adopt() -> Result<Self, ProcessError> {
        set_child_subreaper(Some(getpid())).map_err(|error| ProcessError::Wait(error.into()))?;
        Ok(Self { ended: BTreeMap::new() })
    }

    /// Collects the children that have ended.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn collect(&mut self) -> Result<(), ProcessError> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.note(pid, status),
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(ProcessError::Wait(error.into())),
            }
        }
    }

    /// Collects the children that have ended, but not the one with the number `kept`: as long as it is not collected, its
    /// number, and that of the process group that it leads, belong to nobody else.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn collect_others(&mut self, kept: u32) -> Result<(), ProcessError> {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        loop {
            let next = match waitid(Id::All, look) {
                Ok(status) => status.pid(),
                Err(nix::Error::ECHILD) => return Ok(()),
                Err(nix::Error::EINTR) => continue,
                Err(error) => return Err(ProcessError::Wait(error.into())),
            };
            // The kernel names the same one until it is collected: behind the one that stays nobody is seen.
            let Some(next) = next.filter(|pid| u32::try_from(pid.as_raw()).is_ok_and(|pid| pid != kept))
            else {
                return Ok(());
            };
            let collected = waitpid(Pid::from_raw(next.as_raw()), WaitOptions::NOHANG);
            if let Ok(Some((pid, status))) = collected {
                self.note(pid, status);
            }
        }
    }

    fn note(&mut self, pid: Pid, status: WaitStatus) {
        if let Some(ended) = Ended::of(status) {
            self.ended.insert(pid.as_raw_nonzero().get().unsigned_abs(), ended);
        }
    }

    /// Forgets how all but `kept` ended: whoever runs for months must not remember every orphan.
    pub(crate) fn forget_others(&mut self, kept: &[ProcessHandle]) {
        self.ended.retain(|pid, _| kept.iter().any(|handle| handle.identity().pid() == *pid));
    }

    /// Returns how `pid` ended, if it was a child of ours and has been collected.
    pub fn end_of(&self, pid: u32) -> Option<Ended> {
        self.ended.get(&pid).copied()
    }

    /// Holds a child that was just started. It keeps its number until it is collected, even when it has ended already.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn hold(&self, pid: u32) -> Result<ProcessHandle, ProcessError> {
        ProcessHandle::of_child(pid)
    }
}

/// Signals the process group that the uncollected child `leader` leads: all members at once, whatever they fork.
///
/// Only for a child that made the group and has not been collected, so that the number cannot be another's.
pub(crate) fn signal_own_group(leader: u32, signal: Signal) {
    if let Some(group) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        // Nobody is left in it: that was the aim.
        let _ = kill_process_group(group, signal);
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        let _ = set_child_subreaper(None);
    }
}
