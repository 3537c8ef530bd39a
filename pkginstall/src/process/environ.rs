//! The environment that a process was started with, as far as it did not write over it.

use std::fs;

/// What `/proc/PID/environ` has.
#[derive(Debug)]
pub(crate) struct Environ(Vec<u8>);

impl Environ {
    /// Reads that of the process with the number `pid`; `None` where it is gone, or belongs to another account.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        fs::read(format!("/proc/{pid}/environ")).ok().map(Self)
    }

    /// Returns the value of a variable.
    pub(crate) fn value(&self, name: &str) -> Option<&[u8]> {
        let mut variables = self.0.split(|&byte| byte == 0);
        variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }

    /// Returns the value of a variable, if it is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.value(name)?).ok()
    }
}
