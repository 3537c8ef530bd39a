//! The texts of the units of a whole prefix: the recovery, and the target that all services are started with.

use camino::Utf8Path;
use copkg_spec::coordinate::ServiceCoordinate;

use super::names::recovery_name;
use super::places::Places;
use super::quoting::{command, plain};
use super::{Manager, UnitError, launcher, target_name, unit_name};
use crate::host::Prefix;

/// Writes the unit that puts right, before any service is started at boot, what a crash left.
pub(super) fn recovery(prefix: &Prefix, program: &Utf8Path) -> Result<String, UnitError> {
    let rest = ["--lock-timeout", "0", "recover", "--boot"];
    let mut words = launcher::words(prefix, program);
    words.extend(rest.map(str::to_owned));
    Ok(format!(
        "# Made by pkginstall for all services of a prefix; it is written anew.\n[Unit]\n\
         Description=Recovery of the services below {root}\nRequiresMountsFor={mounts}\nAfter=local-fs.target\nPartOf={target}\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=900\nExecStart={command}\n",
        root = plain(prefix.root().as_str())?,
        mounts = Places::of(prefix, program).mounts()?,
        target = target_name(prefix),
        command = command(&words)?,
    ))
}

/// Writes the target of a prefix: `services` are started with it.
pub(super) fn target(
    prefix: &Prefix,
    services: &[ServiceCoordinate],
    manager: Manager,
) -> Result<String, UnitError> {
    let services = services.iter().map(|service| unit_name(prefix, service));
    let units: Vec<String> = std::iter::once(recovery_name(prefix)).chain(services).collect();
    let wanted_by = match manager {
        Manager::System => "multi-user.target",
        Manager::User => "default.target",
    };
    Ok(format!(
        "# Made by pkginstall for all services of a prefix; it is written anew.\n[Unit]\nDescription=Services below {}\n\
         Wants={}\n\n[Install]\nWantedBy={wanted_by}\n",
        plain(prefix.root().as_str())?,
        units.join(" "),
    ))
}
