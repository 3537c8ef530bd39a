//! What a service may not do below systemd. One that needs more gets a drop-in: `systemctl edit`.

use camino::Utf8Path;

use super::places::{Places, real};
use super::{Manager, UnitError, quoting};

/// What a unit of the host may not do.
const SYSTEM: &str = "\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
DevicePolicy=closed
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RemoveIPC=yes
KeyringMode=private
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
";

/// What a unit of a user may not do: only what needs no privilege to be forbidden.
const USER: &str = "\
NoNewPrivileges=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
";

/// Writes the sandbox of a service that stores in `runtime`. Nothing hides what it needs: a prefix in a home directory stays
/// visible, one in `/tmp` is no private one, and one in `/dev/shm` needs the devices of the host.
pub(super) fn sandbox(places: &Places, runtime: &Utf8Path, manager: Manager) -> Result<String, UnitError> {
    if manager == Manager::User {
        return Ok(USER.into());
    }
    let home = if places.any_below(&["/home", "/root", "/run/user"]) { "read-only" } else { "yes" };
    let no_if = |hidden: bool| if hidden { "no" } else { "yes" };
    let tmp = no_if(places.any_below(&["/tmp", "/var/tmp"]));
    let devices = no_if(places.any_below(&["/dev"]));
    let writable = quoting::list([real(runtime).as_str()])?;
    Ok(format!(
        "{SYSTEM}ProtectHome={home}\nPrivateTmp={tmp}\nPrivateDevices={devices}\nReadWritePaths={writable}\n"
    ))
}
