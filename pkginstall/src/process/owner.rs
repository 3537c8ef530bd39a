//! Who began something: a command of ours, named so that others can tell later whether it still lives.

use std::fmt;

use super::{BootId, ProcessError, ProcessIdentity};

/// A command of ours, as text: `NAMESPACE-PID-START-BOOT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    namespace: u64,
    process: ProcessIdentity,
}

impl Owner {
    /// Returns this process.
    ///
    /// # Errors
    /// When `/proc` does not show it.
    pub fn ourselves() -> Result<Self, ProcessError> {
        let pid = std::process::id();
        let process = ProcessIdentity::of(pid)?.ok_or(ProcessError::Hidden { pid })?;
        Ok(Self { namespace: namespace()?, process })
    }

    /// Reads what [`fmt::Display`] wrote, and ignores what follows after another dash.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '-');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (namespace, pid, start_time) = (number()?, u32::try_from(number()?).ok()?, number()?);
        // A boot id is a UUID: 36 characters.
        let boot = parts.next()?.get(..36)?;
        let process = ProcessIdentity::recorded(pid, start_time, BootId::recorded(boot));
        Some(Self { namespace, process })
    }

    /// Tells whether it still runs, as far as can be told: one of another PID namespace (a container that shares the prefix
    /// or the control group with us) cannot be seen from here, and counts as alive.
    ///
    /// # Errors
    /// When nothing certain can be said.
    pub fn is_alive(&self) -> Result<bool, ProcessError> {
        if self.namespace == namespace()? {
            return self.process.is_alive();
        }
        Ok(*self.process.boot() == BootId::current()?)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, process } = self;
        write!(f, "{namespace}-{}-{}-{}", process.pid(), process.start_time(), process.boot().as_str())
    }
}

/// Returns the number of our PID namespace.
fn namespace() -> Result<u64, ProcessError> {
    let path = "/proc/self/ns/pid";
    let failed = |source| ProcessError::Proc { path: path.into(), source };
    Ok(rustix::fs::stat(path).map_err(|errno| failed(errno.into()))?.st_ino)
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
        assert_eq!(Owner::parse("12-13-14"), None);
        assert_eq!(Owner::parse(""), None);
    }

    #[test]
    fn an_owner_in_another_namespace_counts_as_alive_until_the_machine_starts_anew() {
        let us = Owner::ourselves().unwrap();
        let boot = us.process.boot().as_str();
        let owner = |namespace, boot| Owner::parse(&format!("{namespace}-1-1-{boot}")).unwrap();
        assert!(!owner(us.namespace, boot).is_alive().unwrap());
        assert!(owner(us.namespace + 1, boot).is_alive().unwrap());
        let earlier = "00000000-0000-0000-0000-000000000000";
        assert!(!owner(us.namespace + 1, earlier).is_alive().unwrap());
    }
}
