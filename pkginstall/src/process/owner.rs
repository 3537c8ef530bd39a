//! Who began something: a command of ours, named so that others can tell later whether it still lives.

use std::fmt;

use super::{BootId, ProcessError, ProcessIdentity};

/// A command of ours, as text: `PID-START-BOOT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(ProcessIdentity);

impl Owner {
    /// Returns this process.
    ///
    /// # Errors
    /// When `/proc` does not show it.
    pub fn ourselves() -> Result<Self, ProcessError> {
        let pid = std::process::id();
        ProcessIdentity::of(pid)?.map(Self).ok_or(ProcessError::Hidden { pid })
    }

    /// Reads what [`fmt::Display`] wrote, and ignores what follows after another dash.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let (pid, start_time) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        // A boot id is a UUID: 36 characters.
        let boot = parts.next()?.get(..36)?;
        Some(Self(ProcessIdentity::recorded(pid, start_time, BootId::recorded(boot))))
    }

    /// Tells whether it still runs.
    ///
    /// # Errors
    /// When nothing certain can be said.
    pub fn is_alive(&self) -> Result<bool, ProcessError> {
        self.0.is_alive()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.0.pid(), self.0.start_time(), self.0.boot().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Owner;

    #[test]
    fn an_owner_is_read_back_with_or_without_what_follows() {
        let us = Owner::ourselves().unwrap();
        assert_eq!(Owner::parse(&us.to_string()), Some(us.clone()));
        assert_eq!(Owner::parse(&format!("{us}-00ff")), Some(us.clone()));
        assert!(us.is_alive().unwrap());
        assert_eq!(Owner::parse("12-13"), None);
        assert_eq!(Owner::parse(""), None);
    }
}
