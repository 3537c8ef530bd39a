//! Where the unified hierarchy of control groups is mounted, and which group of it we are in.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

/// Returns where the unified hierarchy is mounted; `None` where it is not.
pub(crate) fn unified_hierarchy() -> Option<Utf8PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| place.split(' ').nth(4).map(str::to_owned))?
    })?;
    Some(mount.into())
}

/// Returns the groups of a process, a line each, as `/proc/PID/cgroup` has them; nothing where it is gone.
pub(crate) fn groups_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default()
}

/// Puts the process with the number `pid` into the group at `path`.
pub(crate) fn enter(path: &Utf8Path, pid: u32) -> io::Result<()> {
    fs::write(path.join("cgroup.procs"), pid.to_string())
}

/// Returns our own group in it, relative to the top.
pub(crate) fn own_cgroup() -> Option<Utf8PathBuf> {
    let ours = groups_of(std::process::id());
    Some(ours.lines().find_map(|line| line.strip_prefix("0::/"))?.into())
}
