//! Makes a running service read its configuration again, without stopping it.

use std::collections::BTreeMap;
use std::time::Duration;

use copkg_spec::coordinate::ServiceCoordinate;

use super::look::{Look, State};
use super::stop::signal_named;
use super::{
    Change, HookRequest, InstalledService, OptionalScript, Outcome, ServiceError, ServiceRecord, Site,
    run_hook,
};
use crate::hook::HookEnd;
use crate::interrupt;
use crate::process::Whereabouts;
use crate::unit;

/// Reloads a service: by the `reload` script of its package, else by the signal that its recipe names.
///
/// # Errors
/// When it does not run, its package has no way to reload, or the script fails.
pub fn reload(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Outcome, ServiceError> {
    let _lock = site.lock(service)?;
    interrupt::check()?;
    reload_locked(site, service)
}

/// Reloads a service. Its lock is held.
pub(crate) fn reload_locked(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
) -> Result<Outcome, ServiceError> {
    let (record, installed, look) = reloadable(site, service)?;
    if let Some(managed) = unit::managed(site.prefix, service)? {
        unit::reload(&managed)?;
    } else if installed.service.reload.is_some() {
        run_script(site, &record, &installed)?;
    } else if let Some(signal) = installed.service.reload_signal {
        for process in &look.processes {
            if let Whereabouts::Alive(handle) = process.open()? {
                handle.signal(signal_named(signal))?;
            }
        }
    }
    Ok(Outcome { change: Change::Changed, view: super::view(site.prefix, service)? })
}

/// Says what a reload would do.
///
/// # Errors
/// When it is not possible.
pub fn check_reload(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Outcome, ServiceError> {
    reloadable(site, service)?;
    Ok(Outcome { change: Change::Changed, view: super::view(site.prefix, service)? })
}

/// Tells whether the package that `service` runs can be reloaded.
pub(crate) fn can_reload(installed: &InstalledService) -> bool {
    installed.service.reload.is_some() || installed.service.reload_signal.is_some()
}

fn reloadable(
    site: &Site<'_>,
    service: &ServiceCoordinate,
) -> Result<(ServiceRecord, InstalledService, Look), ServiceError> {
    let record = ServiceRecord::read(site.prefix, service)?;
    let record = record.ok_or_else(|| ServiceError::NeverStarted { service: service.clone() })?;
    let look = Look::at(site.prefix, service, Some(&record))?;
    if look.state != State::Running {
        return Err(ServiceError::NotRunning { service: service.clone() });
    }
    let installed = InstalledService::open(site.prefix, &record.package)?;
    if !can_reload(&installed) {
        return Err(ServiceError::NotReloadable { service: service.clone(), package: record.package });
    }
    Ok((record, installed, look))
}

fn run_script(
    site: &mut Site<'_>,
    record: &ServiceRecord,
    installed: &InstalledService,
) -> Result<(), ServiceError> {
    let request = HookRequest {
        service: &record.service,
        package: &record.package,
        script: OptionalScript::Reload,
        arguments: record.parameters.clone(),
        environment: BTreeMap::new(),
        limit: Duration::from_secs(installed.service.start_timeout_seconds.into()),
    };
    let Some(ran) = run_hook(site, &request)? else { return Ok(()) };
    let how = match ran.end {
        HookEnd::Ended(ended) if ended.is_success() => return Ok(()),
        HookEnd::Ended(ended) => format!("ended with {ended}"),
        HookEnd::TimedOut => format!("had not ended after {} s", request.limit.as_secs()),
        HookEnd::Interrupted => return Ok(interrupt::check()?),
    };
    Err(ServiceError::ReloadFailed {
        service: record.service.clone(),
        how,
        output: super::failure::LastLines(ran.last_lines),
    })
}
