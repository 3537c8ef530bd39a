//! The first half of a confinement by namespaces: enters them, as nobody, and starts the second half inside.

use std::fs;
use std::process::ExitStatus;

use copkg_spec::recipe::Network;
use nix::sched::{CloneFlags, unshare};
use rustix::process::{Signal, getegid, geteuid, set_parent_process_death_signal};

use super::{ConfineError, Confined, Means, NOBODY, failed, failed_at, rights};

pub(super) fn enter(confined: &Confined) -> Result<ExitStatus, ConfineError> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("end with the build"))?;
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let mut flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if confined.network == Network::Closed {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags).map_err(failed("make namespaces"))?;
    let write = |name: &str, text: String| {
        let path = std::path::Path::new("/proc/self").join(name);
        fs::write(&path, text).map_err(failed_at("write", &path))
    };
    // What the script makes belongs outside to whoever runs the build.
    write("setgroups", "deny".into())?;
    write("uid_map", format!("{NOBODY} {user} 1"))?;
    write("gid_map", format!("{NOBODY} {group} 1"))?;
    rustix::system::sethostname(b"build").map_err(failed("name the machine"))?;
    rights::keep_over_exec().map_err(failed("keep the rights inside"))?;
    // The first child is the first process of the namespace: all others end with it.
    let inside = Confined { means: Means::Inside, ..confined.clone() };
    inside.command().status().map_err(failed("start anew inside"))
}
