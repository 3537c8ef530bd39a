//! A confinement by Landlock: the kernel refuses every write outside of the scratch directory, and root becomes nobody.
//!
//! Landlock says nothing of modes, owners and dates: those of other accounts' files are safe from nobody, and a user who is
//! not root keeps the right to change those of his own.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::ExitStatus;

use copkg_spec::recipe::Network;
use landlock::{
    ABI, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetError, path_beneath_rules,
};
use nix::sched::{CloneFlags, unshare};
use rustix::process::geteuid;

use super::{ConfineError, Confined, NOBODY, failed, failed_at};

/// The first version that lets files be moved from one directory of the scratch directory to another.
const LEAST: ABI = ABI::V2;
/// The version with everything that is refused where the kernel knows it.
const MOST: ABI = ABI::V5;

const DEVICES: [&str; 8] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
];

pub(super) fn run(confined: &Confined) -> Result<ExitStatus, ConfineError> {
    if confined.network == Network::Closed {
        unshare(CloneFlags::CLONE_NEWNET).map_err(failed("close the network"))?;
    }
    restrict(&confined.scratch)
        .map_err(std::io::Error::other)
        .map_err(failed("restrict itself with Landlock"))?;
    let mut program = confined.program();
    program.current_dir(&confined.scratch);
    if geteuid().is_root() {
        program.uid(NOBODY).gid(NOBODY);
    }
    Err(failed_at("start the script in", &confined.scratch)(program.exec()))
}

fn restrict(scratch: &Path) -> Result<(), RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_write(LEAST))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(MOST))?
        .create()?
        .add_rules(path_beneath_rules([scratch], AccessFs::from_write(MOST)))?
        .add_rules(path_beneath_rules(
            DEVICES,
            AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev,
        ))?
        .restrict_self()
        .map(|_| ())
}
