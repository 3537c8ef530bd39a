//! The environment of the scripts below systemd: what the unit says, what `start` gives them, and nothing about the tracker itself.

use std::collections::BTreeMap;

use super::{Surroundings, TrackRequest};
use crate::process::StartId;
use crate::runtime::RuntimeDirectory;
use crate::service::RunAs;
use crate::service::account::name_and_home;
use crate::service::environment::environment;

/// The variable in which the shell before us says the umask of the unit: ours is our own.
pub(crate) const UMASK: &str = "COPKG_UNIT_UMASK";

/// What systemd and the shell before us set for this process and nobody else.
const OURS: [&str; 18] = [
    UMASK,
    "FDSTORE",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "MAINPID",
    "MANAGERPID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "NOTIFY_SOCKET",
    "OLDPWD",
    "PWD",
    "SHELL",
    "SHLVL",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Returns the environment of the scripts. What `Environment=` and `EnvironmentFile=` of the unit and of a drop-in set is in it.
pub(super) fn of_scripts(
    around: &Surroundings<'_>,
    request: &TrackRequest,
    runtime: &RuntimeDirectory,
) -> BTreeMap<String, String> {
    let of_unit = around.environment.iter().filter(|(name, _)| !OURS.contains(&name.as_str()));
    let mut all: BTreeMap<String, String> =
        of_unit.map(|(name, value)| (name.clone(), value.clone())).collect();
    let names = (&request.package, &request.service);
    all.extend(environment(
        around.environment,
        around.prefix,
        names,
        runtime,
        &RunAs::Ourselves,
        BTreeMap::new(),
    ));
    all.remove("_");
    // systemd sets them for `User=` alone.
    if let Some((name, home)) = name_and_home(around.user) {
        all.entry("HOME".into()).or_insert(home);
        all.entry("USER".into()).or_insert_with(|| name.clone());
        all.entry("LOGNAME".into()).or_insert(name);
    }
    all.insert(StartId::VARIABLE.into(), request.start_id.as_str().into());
    all
}
