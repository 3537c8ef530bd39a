//! Starts, stops and reloads a service through systemd.
//!
//! Takes the place of running the scripts ourselves where the unit of a service is linked. The unit is written anew for each
//! start: it names the directory of the version, the parameters, and the mark by which the processes are found.

use std::time::{Duration, Instant};

use copkg_spec::coordinate::ServiceCoordinate;

use super::managed::{Activity, Managed, managed, remember, systemctl};
use super::write::{refresh_target, write_service};
use super::{Boot, UnitError};
use crate::interrupt;
use crate::process::{ProcessIdentity, Whereabouts};
use crate::runtime::{RecordedPids, RuntimeDirectory};
use crate::service::{InstalledService, ServiceError, ServiceRecord, Site, StartFailure};

/// How often it is asked whether someone interrupted us.
const LOOK: Duration = Duration::from_millis(200);

/// How a start through systemd went: the processes of the service.
pub(crate) type Started = Result<Vec<ProcessIdentity>, StartFailure>;

/// Starts a service through its unit. `record` says as what, and which mark its processes carry.
///
/// # Errors
/// When the unit cannot be written, or systemd not be asked.
pub(crate) fn start(
    site: &Site<'_>,
    managed: &Managed,
    record: &ServiceRecord,
    installed: &InstalledService,
    runtime: &RuntimeDirectory,
) -> Result<Started, ServiceError> {
    write_service(site, record, installed, managed.manager)?;
    refresh_target(site, managed.manager)?;
    managed.systemctl(&["daemon-reload"])?;
    if site.backends.boot == Boot::Now {
        // It waits for us: waiting for it would be for ever.
        managed.systemctl(&["start", "--no-block", &managed.unit])?;
        return Ok(Ok(Vec::new()));
    }
    if managed.show()?.activity() == Activity::Failed {
        managed.systemctl(&["reset-failed", &managed.unit])?;
    }
    let started = managed.systemctl(&["start", &managed.unit]);
    let came_up = match started {
        Ok(_) => settle(managed, installed, runtime)?,
        Err(UnitError::Failed { .. }) => Err(how_it_failed(managed)?),
        Err(error) => return Err(error.into()),
    };
    if came_up.is_err() {
        // Else it would be started again and again.
        stop(managed)?;
    }
    Ok(came_up)
}

/// Stops the unit of a service; tells whether it did anything. What is left then is no business of systemd.
///
/// # Errors
/// When systemd cannot be asked, or refuses.
pub(crate) fn stop(managed: &Managed) -> Result<Stopped, UnitError> {
    let activity = managed.show()?.activity();
    if activity == Activity::Failed {
        managed.systemctl(&["reset-failed", &managed.unit])?;
    }
    if matches!(activity, Activity::Failed | Activity::Down) {
        return Ok(Stopped::Before);
    }
    managed.systemctl(&["stop", &managed.unit])?;
    Ok(Stopped::Now)
}

/// Whether a unit was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It was.
    Now,
    /// It was down.
    Before,
}

/// Reloads the unit of a service.
///
/// # Errors
/// When systemd refuses, or the script of the package fails.
pub(crate) fn reload(managed: &Managed) -> Result<(), UnitError> {
    managed.systemctl(&["reload", &managed.unit]).map(|_| ())
}

/// Makes sure that systemd runs `service` from now on where the configuration says so: writes its unit and links it.
///
/// # Errors
/// When the unit cannot be written, or systemd refuses.
pub(crate) fn adopt(
    site: &Site<'_>,
    record: &ServiceRecord,
    installed: &InstalledService,
) -> Result<Option<Managed>, ServiceError> {
    if let Some(known) = managed(site.prefix, &record.service)? {
        return Ok(Some(known));
    }
    let Some(manager) = site.backends.of(&record.service) else { return Ok(None) };
    let unit = write_service(site, record, installed, manager)?;
    let target = refresh_target(site, manager)?;
    remember(site.prefix, &record.service, manager, &site.backends.links(manager)?)?;
    systemctl(manager, &["link", unit.as_str(), target.as_str()])?;
    systemctl(manager, &["daemon-reload"])?;
    systemctl(manager, &["enable", target.file_name().unwrap_or_default()])?;
    Ok(managed(site.prefix, &record.service)?)
}

/// Waits until what systemd started has lived for the settling time of the package.
fn settle(
    managed: &Managed,
    installed: &InstalledService,
    runtime: &RuntimeDirectory,
) -> Result<Started, ServiceError> {
    let shown = managed.show()?;
    let recorded = RecordedPids::read(runtime)?.unwrap_or_default().pids;
    let pids = if recorded.is_empty() { shown.main_pid.into_iter().collect() } else { recorded };
    let mut processes = Vec::new();
    for pid in pids {
        processes.extend(ProcessIdentity::of(pid)?);
    }
    let Some(Whereabouts::Alive(first)) = processes.first().map(ProcessIdentity::open).transpose()? else {
        return Ok(Err(how_it_failed(managed)?));
    };
    let until = Instant::now() + Duration::from_millis(installed.service.settle_milliseconds.into());
    while Instant::now() < until {
        if let Err(interrupted) = interrupt::check() {
            return Ok(Err(StartFailure::Interrupted(interrupted)));
        }
        if first.wait(until.min(Instant::now() + LOOK))? {
            return Ok(Err(how_it_failed(managed)?));
        }
    }
    Ok(Ok(processes))
}

fn how_it_failed(managed: &Managed) -> Result<StartFailure, UnitError> {
    if let Err(interrupted) = interrupt::check() {
        return Ok(StartFailure::Interrupted(interrupted));
    }
    Ok(StartFailure::Systemd(managed.show()?.words()))
}

/// Tells whether systemd had to start `service` again since it was started last.
///
/// # Errors
/// When systemd cannot be asked.
pub(crate) fn was_restarted(site: &Site<'_>, service: &ServiceCoordinate) -> Result<bool, UnitError> {
    let Some(managed) = managed(site.prefix, service)? else { return Ok(false) };
    Ok(managed.show()?.restarts > 0)
}
