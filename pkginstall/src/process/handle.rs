//! A process that is held by a pidfd: the number may be reused, the handle never means another process.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::stat::Stat;
use super::{BootId, ProcessError, ProcessIdentity};

/// Holds one process.
#[derive(Debug)]
pub struct ProcessHandle {
    identity: ProcessIdentity,
    fd: OwnedFd,
}

impl ProcessHandle {
    pub(super) fn new(identity: ProcessIdentity, fd: OwnedFd) -> Self {
        Self { identity, fd }
    }

    /// Holds a child of ours that has not been collected, so that its number is still its own.
    pub(super) fn of_child(pid: u32) -> Result<Self, ProcessError> {
        let failed = |error: Errno| ProcessError::Pidfd { action: "open", pid, source: error.into() };
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| failed(Errno::SRCH))?;
        let fd = pidfd_open(number, PidfdFlags::empty()).map_err(failed)?;
        let stat = Stat::read(pid).ok().flatten().ok_or(ProcessError::Hidden { pid })?;
        Ok(Self::new(ProcessIdentity::recorded(pid, stat.start_time, BootId::current()?), fd))
    }

    /// Returns who it is.
    pub fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// Sends a signal. A process that has ended since is no error.
    ///
    /// # Errors
    /// When we may not.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        match pidfd_send_signal(&self.fd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => {
                Err(ProcessError::Pidfd { action: "signal", pid: self.identity.pid(), source: error.into() })
            }
        }
    }

    /// Tells whether the process has ended.
    ///
    /// # Errors
    /// When the kernel refuses to say.
    pub fn has_ended(&self) -> Result<bool, ProcessError> {
        wait_until_one_ends(&[self], Some(Instant::now()))
    }

    /// Waits until the process ends; tells whether it did before the deadline.
    ///
    /// # Errors
    /// When the kernel refuses to wait.
    pub fn wait(&self, deadline: Instant) -> Result<bool, ProcessError> {
        wait_until_one_ends(&[self], Some(deadline))
    }
}

/// Waits until one of the processes ends; tells whether one did before the deadline. Without a process, waits for
/// the deadline.
///
/// # Errors
/// When the kernel refuses to wait.
pub fn wait_until_one_ends(
    handles: &[&ProcessHandle],
    deadline: Option<Instant>,
) -> Result<bool, ProcessError> {
    wait(handles.iter().map(|handle| handle.fd.as_fd()), deadline)
}

/// Waits until one of the processes ends, or something can be read from `wake`.
///
/// # Errors
/// When the kernel refuses to wait.
pub(crate) fn wait_until_one_ends_or(
    handles: &[ProcessHandle],
    wake: BorrowedFd<'_>,
) -> Result<(), ProcessError> {
    wait(handles.iter().map(|handle| handle.fd.as_fd()).chain([wake]), None).map(|_| ())
}

fn wait<'f>(
    fds: impl Iterator<Item = BorrowedFd<'f>>,
    deadline: Option<Instant>,
) -> Result<bool, ProcessError> {
    let mut fds: Vec<PollFd<'f>> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match poll(&mut fds, left.map(timespec).as_ref()) {
            Ok(0) if left.is_some_and(|left| !left.is_zero()) => {}
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(ProcessError::Wait(error.into())),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
