//! The second half of a confinement by namespaces: makes a root directory in which the machine is read-only, moves there,
//! gives every right away, and runs the script.
//!
//! What is read-only cannot be made writable again: the script has no right to mount, and in a namespace that it makes
//! itself the kernel locks what it got from here.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use copkg_spec::recipe::Network;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};
use rustix::process::{Signal, chdir, pivot_root, set_parent_process_death_signal};

use super::{ConfineError, Confined, INSIDE, NOT_SHOWN, failed, failed_at, mounted, rights};

/// The devices that a script may use.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const STREAMS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

pub(super) fn run(confined: &Confined) -> Result<ExitStatus, ConfineError> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("end with the build"))?;
    // Nothing that is mounted here is seen outside.
    let propagation = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", propagation).map_err(failed("part from the mounts of the machine"))?;
    let top = confined.scratch.join("root");
    make_root(&top, &confined.scratch)?;
    move_to(&top)?;
    if confined.network == Network::Closed {
        bring_up_loop_back();
    }
    rights::give_away().map_err(failed("give the rights away"))?;
    let mut program = confined.program();
    program.current_dir(INSIDE).status().map_err(failed("start the script"))
}

fn make_root(top: &Path, scratch: &Path) -> Result<(), ConfineError> {
    fs::create_dir_all(top).map_err(failed_at("make", top))?;
    memory(top, "0755")?;
    for entry in fs::read_dir("/").map_err(failed("read the root directory"))?.flatten() {
        let name = entry.file_name();
        if !NOT_SHOWN.iter().any(|hidden| name == *hidden) {
            show(&entry.path(), &top.join(name))?;
        }
    }
    make_devices(&top.join("dev"))?;
    make_processes(&top.join("proc"))?;
    let temporary = top.join("tmp");
    directory(&temporary)?;
    memory(&temporary, "1777")?;
    let inside = top.join(INSIDE.trim_start_matches('/'));
    directory(&inside)?;
    mount_bind(scratch, &inside).map_err(failed_at("show", scratch))?;
    make_read_only(top, &mounts_below(top)?)
}

/// Shows an entry of the machine's root directory, read-only with all that is mounted below it.
fn show(path: &Path, at: &Path) -> Result<(), ConfineError> {
    if let Ok(target) = fs::read_link(path) {
        return symlink(target, at).map_err(failed_at("make", at));
    }
    if !path.is_dir() {
        return Ok(());
    }
    directory(at)?;
    mount_bind_recursive(path, at).map_err(failed_at("show", path))?;
    let mounts = mounts_below(at)?;
    mounts.iter().try_for_each(|mounted| make_read_only(&mounted.path, &mounts))
}

/// Makes the mount at `path` read-only, which is one of `mounts`.
fn make_read_only(path: &Path, mounts: &[mounted::Mounted]) -> Result<(), ConfineError> {
    // Several mounts at one place: the last is the one that is seen.
    let Some(mounted) = mounts.iter().rev().find(|mounted| mounted.path == path) else { return Ok(()) };
    let flags = mounted.flags | MountFlags::BIND | MountFlags::RDONLY;
    match mount_remount(path, flags, "") {
        // What this account cannot reach, its scripts cannot write to either.
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::NOENT) => Ok(()),
        result => result.map_err(failed_at("make read-only", path)),
    }
}

fn mounts_below(top: &Path) -> Result<Vec<mounted::Mounted>, ConfineError> {
    let text = fs::read("/proc/self/mountinfo").map_err(failed("list the mounts"))?;
    Ok(mounted::below(top, &text))
}

fn make_devices(at: &Path) -> Result<(), ConfineError> {
    directory(at)?;
    memory(at, "0755")?;
    for name in DEVICES {
        let device = at.join(name);
        File::create(&device).map_err(failed_at("make", &device))?;
        mount_bind(Path::new("/dev").join(name), &device).map_err(failed_at("show", &device))?;
    }
    for (name, target) in STREAMS {
        let link = at.join(name);
        symlink(target, &link).map_err(failed_at("make", &link))?;
    }
    directory(&at.join("shm"))?;
    memory(&at.join("shm"), "1777")?;
    let terminals = at.join("pts");
    directory(&terminals)?;
    // A machine without them has none inside, either.
    if mount("devpts", &terminals, "devpts", MountFlags::NOSUID, c"newinstance,ptmxmode=0666,mode=620")
        .is_ok()
    {
        symlink("pts/ptmx", at.join("ptmx")).map_err(failed_at("make", &at.join("ptmx")))?;
    }
    Ok(())
}

/// Shows the processes of the script; where the machine hides parts of its own, those of the machine, read-only.
fn make_processes(at: &Path) -> Result<(), ConfineError> {
    directory(at)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if mount("proc", at, "proc", flags, None).is_ok() {
        return Ok(());
    }
    mount_bind_recursive("/proc", at).map_err(failed_at("show", at))?;
    make_read_only(at, &mounts_below(at)?)
}

fn directory(path: &Path) -> Result<(), ConfineError> {
    fs::create_dir(path).map_err(failed_at("make", path))
}

/// Mounts an empty file system in memory.
fn memory(at: &Path, mode: &str) -> Result<(), ConfineError> {
    let options = std::ffi::CString::new(format!("mode={mode}")).unwrap_or_default();
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", at, "tmpfs", flags, &*options).map_err(failed_at("mount a file system in memory at", at))
}

/// Makes `top` the root directory, and lets go of the old one.
fn move_to(top: &Path) -> Result<(), ConfineError> {
    let moved = failed_at("move to", top);
    let step = || {
        chdir(top)?;
        // The old root is put over the new one, and taken away from there.
        pivot_root(".", ".")?;
        unmount(".", UnmountFlags::DETACH)?;
        chdir("/")
    };
    step().map_err(moved)
}

/// Brings the loop-back interface up where a tool for it is there, since tests talk to themselves over it.
fn bring_up_loop_back() {
    const WAYS: [&[&str]; 2] = [&["ip", "link", "set", "lo", "up"], &["ifconfig", "lo", "up"]];
    for way in WAYS {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).env("PATH", crate::run::SearchPath::FIXED);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().is_ok_and(|status| status.success()) {
            return;
        }
    }
}
