//! Starts, stops and reloads a service through systemd.
//!
//! Takes the place of running the scripts ourselves where a service has a unit. The unit is written anew for each
//! start: it names the directory of the version, the parameters, and the mark by which the processes are found.

use copkg_spec::coordinate::ServiceCoordinate;

use super::managed::{Activity, Managed, managed, remember, systemctl};
use super::write::{refresh, write_service};
use super::{Boot, UnitError, target_name};
use crate::host::Prefix;
use crate::interrupt;
use crate::process::{ProcessIdentity, ProcessTable};
use crate::runtime::{RecordedPids, RuntimeDirectory};
use crate::service::{InstalledService, Run, ServiceError, ServiceRecord, Site, StartFailure};

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
    refresh(site, managed.manager)?;
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
        Ok(_) => came_up(managed, record, runtime)?,
        Err(UnitError::Failed { .. }) => Err(how_it_failed(managed)?),
        Err(error) => return Err(error.into()),
    };
    if came_up.is_err() {
        // Else it would be started again and again.
        stop(managed)?;
    }
    Ok(came_up)
}

/// Returns the processes that the main process of the unit found to be the service: it was up for its settling time.
fn came_up(
    managed: &Managed,
    record: &ServiceRecord,
    runtime: &RuntimeDirectory,
) -> Result<Started, ServiceError> {
    let shown = managed.show()?;
    let main = shown.main_pid.map(ProcessIdentity::of).transpose()?.flatten();
    let (Some(main), Activity::Up) = (main, shown.activity()) else {
        return Ok(Err(how_it_failed(managed)?));
    };
    let family = record.run.as_ref().map(Run::family).unwrap_or_default().find()?.all;
    let owner = runtime.owner()?;
    let mut processes = Vec::new();
    for pid in RecordedPids::read(runtime)?.unwrap_or_default().pids {
        let Some(identity) = ProcessIdentity::of(pid)? else { continue };
        // The file is the account's: it may name what the unit runs, or what another program of that account started for it.
        let may_be = identity.start_time() >= main.start_time() && ProcessTable::user(pid) == Some(owner);
        if family.contains(&identity) || managed.runs(pid) || may_be {
            processes.push(identity);
        }
    }
    Ok(Ok(processes))
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

/// Whether systemd was kept from starting a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeldBack {
    /// It was about to, or will not.
    Yes,
    /// The service runs, or is none of systemd's.
    No,
}

/// Keeps systemd from starting `service`, for which it waits for us. What runs stays up.
///
/// # Errors
/// When systemd cannot be asked, or refuses.
pub(crate) fn hold_back(prefix: &Prefix, service: &ServiceCoordinate) -> Result<HeldBack, UnitError> {
    let Some(managed) = managed(prefix, service)? else { return Ok(HeldBack::No) };
    if managed.show()?.activity() == Activity::Up {
        return Ok(HeldBack::No);
    }
    // That ends the job which waits; waiting for its end would be for ever.
    managed.systemctl(&["stop", "--no-block", &managed.unit])?;
    Ok(HeldBack::Yes)
}

/// Reloads the unit of a service.
///
/// # Errors
/// When systemd refuses, or the script of the package fails.
pub(crate) fn reload(managed: &Managed) -> Result<(), UnitError> {
    managed.systemctl(&["reload", &managed.unit]).map(|_| ())
}

/// Makes sure that systemd runs `service` from now on where the configuration says so: puts its unit where systemd reads it.
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
    remember(site.prefix, &record.service, manager, &site.backends.directory(manager)?)?;
    write_service(site, record, installed, manager)?;
    refresh(site, manager)?;
    systemctl(manager, &["daemon-reload"])?;
    systemctl(manager, &["enable", &target_name(site.prefix)])?;
    Ok(managed(site.prefix, &record.service)?)
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
