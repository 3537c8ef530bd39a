//! Services that systemd runs: which they are, and what systemd says of them.
//!
//! A service is run by systemd when its unit is where systemd reads units. Where that is is written down with the unit, so that
//! whoever looks at a service needs to ask nobody: most services have no unit.

use std::io;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::{Manager, UnitError, unit_name};
use crate::host::Prefix;
use crate::json_file;
use crate::process::groups_of;

/// Is there where systemd is the first process: the same question as `sd_booted`.
const BOOTED: &str = "/run/systemd/system";

/// The unit of a service, as it was written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    manager: Manager,
    /// The file that systemd reads. Earlier versions had a link there, to the file in `units/`.
    #[serde(alias = "link")]
    file: Utf8PathBuf,
}

/// A service that systemd runs.
#[derive(Debug, Clone)]
pub(crate) struct Managed {
    pub(crate) manager: Manager,
    pub(crate) unit: String,
}

/// What systemd says of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    active: String,
    sub: String,
    result: String,
    /// The exit code, or the signal that ended it.
    status: String,
    /// The main process, if there is one.
    pub(crate) main_pid: Option<u32>,
    /// How often systemd started it again by itself.
    pub(crate) restarts: u32,
    /// What its main process said of its end.
    said: String,
}

/// What a unit is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    /// It is up.
    Up,
    /// It is on its way up, or down.
    Between,
    /// It ended, and systemd is about to start it again.
    Waiting,
    /// It is down because it failed.
    Failed,
    /// It is down.
    Down,
}

/// Writes down which unit `service` has and where systemd will read it.
///
/// # Errors
/// When another systemd has a unit of the service, or the file cannot be written.
pub(super) fn remember(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    manager: Manager,
    directory: &Utf8Path,
) -> Result<(), UnitError> {
    let unit = unit_name(prefix, service);
    if let Some((other, file)) = placed(prefix, service)?
        && other != manager
    {
        return Err(UnitError::OtherManager { service: service.clone(), file });
    }
    let written = Written { manager, file: directory.join(unit) };
    Ok(json_file::write(&path(prefix, service), &written)?)
}

/// Forgets, durably, that `service` has a unit.
pub(super) fn forget_written(prefix: &Prefix, service: &ServiceCoordinate) -> Result<(), UnitError> {
    let path = path(prefix, service);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed
            .and_then(|()| durable::sync_directory(path.parent().unwrap_or(&path).as_std_path()))
            .map_err(UnitError::file("remove", &path)),
    }
}

/// Finds out whether systemd runs `service`.
///
/// # Errors
/// When what was written down cannot be read.
pub(crate) fn managed(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Option<Managed>, UnitError> {
    let Some((manager, _)) = placed(prefix, service)? else { return Ok(None) };
    Ok(manager.is_here().then(|| Managed { manager, unit: unit_name(prefix, service) }))
}

/// Returns which systemd has a unit of `service` and in which file, whether or not that systemd runs now; `None` where it has none.
///
/// # Errors
/// When what was written down cannot be read.
pub(super) fn placed(
    prefix: &Prefix,
    service: &ServiceCoordinate,
) -> Result<Option<(Manager, Utf8PathBuf)>, UnitError> {
    let Some((manager, file)) = record(prefix, service)? else { return Ok(None) };
    let is_there = match file.read_link_utf8() {
        Ok(target) => target == prefix.units().join(unit_name(prefix, service)),
        Err(_) => file.is_file(),
    };
    Ok(is_there.then_some((manager, file)))
}

impl Manager {
    /// Tells whether this systemd may be asked: on a host that another program booted its files mean nothing.
    pub(super) fn is_here(self) -> bool {
        self == Self::User || Utf8Path::new(BOOTED).is_dir()
    }
}

/// Returns for which systemd a unit of `service` was written down, and where it lies when it is there.
///
/// # Errors
/// When what was written down cannot be read.
pub(super) fn record(
    prefix: &Prefix,
    service: &ServiceCoordinate,
) -> Result<Option<(Manager, Utf8PathBuf)>, UnitError> {
    Ok(written(prefix, service)?.map(|Written { manager, file }| (manager, file)))
}

/// Returns which systemd a unit of `service` was written for.
///
/// # Errors
/// When what was written down cannot be read.
pub(super) fn written_for(
    prefix: &Prefix,
    service: &ServiceCoordinate,
) -> Result<Option<Manager>, UnitError> {
    Ok(written(prefix, service)?.map(|written| written.manager))
}

fn written(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Option<Written>, UnitError> {
    Ok(json_file::read(&path(prefix, service))?)
}

impl Managed {
    /// Asks systemd about the unit.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn show(&self) -> Result<Shown, UnitError> {
        const PROPERTIES: &str =
            "--property=ActiveState,SubState,Result,ExecMainStatus,MainPID,NRestarts,StatusText";
        let said = self.systemctl(&["show", PROPERTIES, &self.unit])?;
        Ok(Shown::parse(&said))
    }

    /// Tells whether the process with the number `pid` is in the control group of the unit.
    pub(super) fn runs(&self, pid: u32) -> bool {
        groups_of(pid).lines().any(|line| line.split('/').any(|part| part == self.unit))
    }

    /// Runs `systemctl` with these words to its end, and returns what it said.
    pub(super) fn systemctl(&self, words: &[&str]) -> Result<String, UnitError> {
        systemctl(self.manager, words)
    }
}

/// Runs `systemctl` with these words to its end, and returns what it said.
pub(super) fn systemctl(manager: Manager, words: &[&str]) -> Result<String, UnitError> {
    let mut all = manager.systemctl();
    all.extend(words.iter().map(ToString::to_string));
    run(&all, manager)
}

/// Runs a command to its end, and returns what it said.
pub(super) fn run(words: &[String], manager: Manager) -> Result<String, UnitError> {
    let command = words.join(" ");
    let Some((program, arguments)) = words.split_first() else { return Ok(String::new()) };
    let output = Command::new(program).args(arguments).envs(runtime_of(manager)).output();
    let output = output.map_err(|source| UnitError::Run { command: command.clone(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(UnitError::Failed { command, said })
}

/// Says where the systemd of a user listens, which whoever came by `su` or from cron was not told.
fn runtime_of(manager: Manager) -> Option<(&'static str, String)> {
    let directory = format!("/run/user/{}", geteuid().as_raw());
    let listens = manager == Manager::User && Utf8Path::new(&directory).join("systemd/private").exists();
    listens.then_some(("XDG_RUNTIME_DIR", directory))
}

impl Shown {
    fn parse(said: &str) -> Self {
        let mut shown = Self::default();
        for (name, value) in said.lines().filter_map(|line| line.split_once('=')) {
            match name {
                "ActiveState" => value.clone_into(&mut shown.active),
                "SubState" => value.clone_into(&mut shown.sub),
                "Result" => value.clone_into(&mut shown.result),
                "ExecMainStatus" => value.clone_into(&mut shown.status),
                "MainPID" => shown.main_pid = value.parse().ok().filter(|&pid| pid != 0),
                "StatusText" => value.clone_into(&mut shown.said),
                "NRestarts" => shown.restarts = value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        shown
    }

    /// Says what the unit is doing.
    pub(crate) fn activity(&self) -> Activity {
        match (self.active.as_str(), self.sub.as_str()) {
            ("active" | "reloading", _) => Activity::Up,
            ("activating", "auto-restart" | "auto-restart-queued") => Activity::Waiting,
            ("activating" | "deactivating", _) => Activity::Between,
            ("failed", _) => Activity::Failed,
            _ => Activity::Down,
        }
    }

    /// Says in words what became of it.
    pub(crate) fn words(&self) -> String {
        // Whether the number is an exit code or a signal is in the result: `exit-code 3`, `signal 11`.
        let status = if self.result == "success" { "" } else { self.status.as_str() };
        let cause = if self.result == "oom-kill" { "out of memory; " } else { "" };
        let words = format!("{cause}systemd says: {} ({}), {} {status}", self.active, self.sub, self.result);
        let said = self.said().map(|said| format!("; {said}")).unwrap_or_default();
        format!("{}{said}", words.trim_end())
    }

    /// Returns what its main process said of its end, if it ended by itself.
    pub(crate) fn said(&self) -> Option<&str> {
        (!self.said.is_empty()).then_some(self.said.as_str())
    }
}

fn path(prefix: &Prefix, service: &ServiceCoordinate) -> Utf8PathBuf {
    prefix.service_state(service).join("unit.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_says_is_understood() {
        let said =
            "Result=success\nNRestarts=2\nMainPID=412\nActiveState=activating\nSubState=auto-restart\n";
        let shown = Shown::parse(said);
        assert_eq!((shown.activity(), shown.main_pid, shown.restarts), (Activity::Waiting, Some(412), 2));
        let down = Shown::parse("MainPID=0\nActiveState=inactive\nSubState=dead\n");
        assert_eq!((down.activity(), down.main_pid), (Activity::Down, None));
    }

    #[test]
    fn what_the_main_process_said_is_shown() {
        let said =
            "ActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus=1\nStatusText=it ended\n";
        assert_eq!(Shown::parse(said).words(), "systemd says: failed (failed), exit-code 1; it ended");
    }

    #[test]
    fn a_service_is_run_by_systemd_when_its_unit_is_where_systemd_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        let prefix = Prefix::at(&root.join("prefix")).unwrap();
        let service = "1.web.prod.osl".parse().unwrap();
        let is_managed = || managed(&prefix, &service).unwrap().is_some();
        assert!(!is_managed());
        durable::create_dir_all(prefix.service_state(&service).as_std_path()).unwrap();
        remember(&prefix, &service, Manager::User, root).unwrap();
        assert!(!is_managed(), "it is not there yet");
        let (unit, file) =
            (prefix.units().join(unit_name(&prefix, &service)), root.join(unit_name(&prefix, &service)));
        std::fs::write(&file, "[Unit]\n").unwrap();
        assert!(is_managed());
        let error = remember(&prefix, &service, Manager::System, root).unwrap_err();
        assert!(matches!(error, UnitError::OtherManager { .. }), "{error}");
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(root.join("elsewhere"), &file).unwrap();
        assert!(!is_managed(), "that is another unit");
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(unit, &file).unwrap();
        assert!(is_managed(), "an earlier version linked it");
    }
}
