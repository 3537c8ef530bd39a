//! Who a process is: its number, when it started, and in which boot.
//!
//! The kernel gives a number to another process as soon as it is free. Number and start time together name one process
//! of a boot: a number is not used twice within one tick of the clock, as it would have to run through all others first.

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use super::stat::Stat;
use super::{BootId, ProcessError, ProcessHandle};

/// Names one process, for all time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    pid: u32,
    /// In ticks since boot: field 22 of `/proc/PID/stat`.
    start_time: u64,
    boot: BootId,
}

/// What can be said of a recorded process.
#[derive(Debug)]
pub enum Whereabouts {
    /// It runs, and this handle is of it and of no other.
    Alive(ProcessHandle),
    /// It ended. Its number may be another process's by now.
    Gone,
}

impl ProcessIdentity {
    /// Returns who has the number `pid` now; `None` when nobody, or when it has ended already.
    ///
    /// # Errors
    /// When `/proc` cannot be read, or hides the process.
    pub fn of(pid: u32) -> Result<Option<Self>, ProcessError> {
        let Some(stat) = read_stat(pid)? else { return Ok(None) };
        Ok((!stat.has_ended()).then_some(Self { pid, start_time: stat.start_time, boot: BootId::current()? }))
    }

    /// Takes an identity that someone wrote down.
    pub fn recorded(pid: u32, start_time: u64, boot: BootId) -> Self {
        Self { pid, start_time, boot }
    }

    /// Returns the number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns when the process started, in ticks since boot.
    pub fn start_time(&self) -> u64 {
        self.start_time
    }

    /// Returns the boot that the process belongs to.
    pub fn boot(&self) -> &BootId {
        &self.boot
    }

    /// Opens the process, if it is still there.
    ///
    /// The identity is checked after the opening: what the handle holds had the number then, and whoever has the number
    /// and the start time afterwards is the same.
    ///
    /// # Errors
    /// When nothing certain can be said: `/proc` hides the process, or the kernel has no pidfd.
    pub fn open(&self) -> Result<Whereabouts, ProcessError> {
        if self.boot != BootId::current()? {
            return Ok(Whereabouts::Gone);
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(Whereabouts::Gone);
        };
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            // EINVAL and ENOENT: the number is one of a thread.
            Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => return Ok(Whereabouts::Gone),
            Err(error) => {
                return Err(ProcessError::Pidfd { action: "open", pid: self.pid, source: error.into() });
            }
        };
        let handle = ProcessHandle::new(self.clone(), fd);
        match read_stat(self.pid)? {
            Some(stat) if stat.start_time == self.start_time && !stat.has_ended() => {
                Ok(Whereabouts::Alive(handle))
            }
            _ => Ok(Whereabouts::Gone),
        }
    }

    /// Tells whether the process runs.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn is_alive(&self) -> Result<bool, ProcessError> {
        Ok(matches!(self.open()?, Whereabouts::Alive(_)))
    }
}

/// Reads the fields of `pid`, and tells a process that is hidden from one that is not there.
fn read_stat(pid: u32) -> Result<Option<Stat>, ProcessError> {
    let path = format!("/proc/{pid}/stat");
    match Stat::read(pid) {
        Ok(Some(stat)) => Ok(Some(stat)),
        Ok(None) if is_hidden(pid) => Err(ProcessError::Hidden { pid }),
        Ok(None) => Ok(None),
        Err(source) => Err(ProcessError::Proc { path, source }),
    }
}

/// `/proc` with `hidepid` shows nothing of a process that is there.
fn is_hidden(pid: u32) -> bool {
    if std::path::Path::new(&format!("/proc/{pid}")).exists() {
        return false;
    }
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let there = |pid| matches!(rustix::process::test_kill_process(pid), Ok(()) | Err(Errno::PERM));
    // Asked again: it may have been born in between, which is no hiding.
    pid.is_some_and(|pid| there(pid) && !std::path::Path::new(&format!("/proc/{pid}")).exists() && there(pid))
}

#[cfg(test)]
mod tests {
    use super::{BootId, ProcessIdentity, Whereabouts};

    fn ourselves() -> ProcessIdentity {
        ProcessIdentity::of(std::process::id()).unwrap().unwrap()
    }

    #[test]
    fn we_are_alive() {
        assert!(ourselves().is_alive().unwrap());
    }

    #[test]
    fn another_start_time_is_another_process() {
        let us = ourselves();
        let earlier = ProcessIdentity::recorded(us.pid(), us.start_time() - 1, us.boot().clone());
        assert!(matches!(earlier.open().unwrap(), Whereabouts::Gone));
    }

    #[test]
    fn a_process_of_another_boot_is_gone() {
        let us = ourselves();
        let boot = BootId::recorded("00000000-0000-0000-0000-000000000000");
        let other = ProcessIdentity::recorded(us.pid(), us.start_time(), boot);
        assert!(matches!(other.open().unwrap(), Whereabouts::Gone));
    }

    #[test]
    fn impossible_numbers_are_nobody() {
        for pid in [0, u32::MAX, 0x7fff_ffff] {
            let nobody = ProcessIdentity::recorded(pid, 1, BootId::current().unwrap());
            assert!(matches!(nobody.open().unwrap(), Whereabouts::Gone), "{pid}");
        }
    }

    #[test]
    fn a_child_that_ended_is_gone_before_it_is_collected() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let identity = ProcessIdentity::of(child.id()).unwrap().unwrap();
        let Whereabouts::Alive(handle) = identity.open().unwrap() else { panic!("it sleeps") };
        child.kill().unwrap();
        super::super::wait_until_one_ends(&[&handle], None).unwrap();
        assert!(!identity.is_alive().unwrap());
        assert_eq!(ProcessIdentity::of(child.id()).unwrap(), None);
        child.wait().unwrap();
        assert!(!identity.is_alive().unwrap());
    }
}
