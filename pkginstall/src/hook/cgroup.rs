//! A control group for one script: whatever it forks is in there, and dies with one write.
//!
//! Used where the unified hierarchy is mounted and we may write to it; elsewhere a script is known by its session, its
//! mark and its being adopted. A script waits at a gate until it is inside, so nothing of it is ever outside.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use crate::process::{
    Owner, ProcessError, ProcessIdentity, enter, own_cgroup, processes_in, unified_hierarchy,
};

/// What the names of our groups begin with.
const NAME: &str = "copkg-hook-";

/// How often a group is asked whether it is empty.
const POLL: Duration = Duration::from_millis(5);

/// A group that is removed with this value.
#[derive(Debug)]
pub(super) struct Cgroup {
    path: Utf8PathBuf,
}

impl Cgroup {
    /// Makes a group below our own; `None` where that is not possible. Removes groups that dead commands of ours left.
    pub(super) fn make(mark: &str) -> Result<Option<Self>, ProcessError> {
        let Some(parent) = own() else { return Ok(None) };
        remove_abandoned(&parent)?;
        let owner = Owner::ourselves()?;
        let path = parent.join(format!("{NAME}{owner}-{mark}"));
        let made = fs::create_dir(&path).is_ok();
        // Without cgroup.kill (before Linux 5.14) it would be no better than the other way.
        let group = made.then_some(Self { path });
        Ok(group.filter(|group| group.path.join("cgroup.kill").exists()))
    }

    /// Puts a process into the group.
    pub(super) fn take(&self, pid: u32) -> io::Result<()> {
        enter(&self.path, pid)
    }

    /// Returns the processes that are in it.
    pub(super) fn members(&self) -> Result<Vec<ProcessIdentity>, ProcessError> {
        members(&self.path)
    }

    /// Kills all processes in it, and waits until they are gone; tells who was killed, and who survived.
    pub(super) fn kill(&self, limit: Duration) -> Result<Killed, ProcessError> {
        let killed = self.members()?;
        let survivors = kill(&self.path, limit)?;
        Ok(Killed { killed, survivors })
    }
}

/// Who was there, and who still is.
#[derive(Debug, Default)]
pub(super) struct Killed {
    pub(super) killed: Vec<ProcessIdentity>,
    pub(super) survivors: Vec<ProcessIdentity>,
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}

fn members(group: &Utf8Path) -> Result<Vec<ProcessIdentity>, ProcessError> {
    let mut members = Vec::new();
    for pid in processes_in(group) {
        members.extend(ProcessIdentity::of(pid)?);
    }
    Ok(members)
}

fn kill(group: &Utf8Path, limit: Duration) -> Result<Vec<ProcessIdentity>, ProcessError> {
    let deadline = Instant::now() + limit;
    loop {
        let left = members(group)?;
        if left.is_empty() || Instant::now() >= deadline {
            return Ok(left);
        }
        let path = group.join("cgroup.kill");
        fs::write(&path, "1").map_err(|source| ProcessError::Proc { path: path.into(), source })?;
        std::thread::sleep(POLL);
    }
}

/// Ends what dead commands of ours left in their groups.
fn remove_abandoned(parent: &Utf8Path) -> Result<(), ProcessError> {
    let Ok(entries) = parent.read_dir_utf8() else { return Ok(()) };
    for entry in entries.flatten() {
        let Some(owner) = entry.file_name().strip_prefix(NAME).and_then(Owner::parse) else { continue };
        if !owner.is_alive()? {
            let left = kill(entry.path(), Duration::from_secs(1))?;
            if left.is_empty() {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
    Ok(())
}

/// Finds our own group in the unified hierarchy.
fn own() -> Option<Utf8PathBuf> {
    Some(unified_hierarchy()?.join(own_cgroup()?))
}
