//! A look at all processes at once.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::stat::Stat;
use super::{BootId, ProcessError, ProcessIdentity};

/// The processes that `/proc` showed, by number. Those that had ended are not among them.
#[derive(Debug)]
pub struct ProcessTable {
    pub(super) boot: BootId,
    pub(super) rows: BTreeMap<u32, Stat>,
}

impl ProcessTable {
    /// Looks at `/proc` now.
    ///
    /// # Errors
    /// When it is not there.
    pub fn read() -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Proc { path: "/proc".into(), source };
        let mut rows = BTreeMap::new();
        for entry in fs::read_dir("/proc").map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            // One that ends while we look is not there.
            if let Ok(Some(stat)) = Stat::read(pid)
                && !stat.has_ended()
            {
                rows.insert(pid, stat);
            }
        }
        Ok(Self { boot: BootId::current()?, rows })
    }

    /// Returns who had the number `pid`.
    pub fn identity(&self, pid: u32) -> Option<ProcessIdentity> {
        let stat = self.rows.get(&pid)?;
        Some(ProcessIdentity::recorded(pid, stat.start_time, self.boot.clone()))
    }

    /// Tells whether `identity` was there.
    pub fn contains(&self, identity: &ProcessIdentity) -> bool {
        self.identity(identity.pid()).is_some_and(|found| found == *identity)
    }

    /// Returns the parent of the process with the number `pid`.
    pub fn parent(&self, pid: u32) -> Option<u32> {
        self.rows.get(&pid).map(|stat| stat.parent)
    }

    /// Tells whether the process with the number `pid` leads a session of its own.
    pub fn leads_session(&self, pid: u32) -> bool {
        self.rows.get(&pid).is_some_and(|stat| stat.session == pid)
    }

    /// Returns the numbers of all processes.
    pub fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        self.rows.keys().copied()
    }

    /// Returns the children of the process with the number `parent`.
    pub fn children_of(&self, parent: u32) -> Vec<ProcessIdentity> {
        let children = self.rows.iter().filter(|(_, stat)| stat.parent == parent);
        children.filter_map(|(pid, _)| self.identity(*pid)).collect()
    }

    /// Returns the user that owns the process with the number `pid`.
    pub fn user(pid: u32) -> Option<u32> {
        fs::metadata(format!("/proc/{pid}")).ok().map(|metadata| metadata.uid())
    }
}
