//! Where the unified hierarchy of control groups is mounted, and which group of it we are in.

use std::fs;

use camino::Utf8PathBuf;

/// Returns where the unified hierarchy is mounted; `None` where it is not.
pub(crate) fn unified_hierarchy() -> Option<Utf8PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| place.split(' ').nth(4).map(str::to_owned))?
    })?;
    Some(mount.into())
}

/// Returns our own group in it, relative to the top.
pub(crate) fn own_cgroup() -> Option<Utf8PathBuf> {
    let ours = fs::read_to_string("/proc/self/cgroup").ok()?;
    Some(ours.lines().find_map(|line| line.strip_prefix("0::/"))?.into())
}
