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

/// Returns the numbers of the processes in the group at `path` and in those below it; none where it is gone.
pub(crate) fn processes_in(path: &Utf8Path) -> Vec<u32> {
    let numbers = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let mut found: Vec<u32> = numbers.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in path.read_dir_utf8().into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(processes_in(entry.path()));
        }
    }
    found
}

/// Returns our own group in it, relative to the top.
pub(crate) fn own_cgroup() -> Option<Utf8PathBuf> {
    let ours = groups_of(std::process::id());
    Some(ours.lines().find_map(|line| line.strip_prefix("0::/"))?.into())
}
