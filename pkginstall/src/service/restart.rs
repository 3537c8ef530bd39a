//! Restarting a service: a stop and a start under one lock, with the package and the parameters that it has.

use copkg_spec::coordinate::ServiceCoordinate;

use super::record::{Desired, ServiceRecord};
use super::start::{Start, start_locked};
use super::stop::stop_to_start_again;
use super::{Change, Outcome, ServiceError, Site, StartRequest, hand_over};
use crate::interrupt::{self, Undisturbed};
use crate::upgrade;

/// Stops a service and starts it again, with the package and the parameters that it has.
///
/// # Errors
/// When it was never started, or cannot be stopped or started.
pub fn restart(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Outcome, ServiceError> {
    recorded_request(site, service)?;
    let _lock = site.lock(service)?;
    upgrade::recover(site, service)?;
    // Read again: whoever held the lock may have changed it.
    let request = recorded_request(site, service)?;
    // Everything that can be wrong with the start is found while the service still runs.
    Start::prepare(site, &request)?.check_conditions(site)?;
    interrupt::check()?;
    // From the stop on, the way back is the way on: what was stopped is started.
    let _undisturbed = Undisturbed::begin();
    let runs_natively = hand_over::runs_without_its_unit(site, service)?;
    stop_to_start_again(site, service)?;
    let started = start_locked(site, &request, "restarted");
    if runs_natively { started.or_else(|error| hand_over::go_back(site, &request, error)) } else { started }
}

/// Starts a service if it should run and does not: asked under its lock, so that a stop that goes on meanwhile is obeyed.
///
/// # Errors
/// As [`super::start`].
pub fn start_wanted(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Outcome, ServiceError> {
    recorded_request(site, service)?;
    let _lock = site.lock(service)?;
    upgrade::recover(site, service)?;
    let record = ServiceRecord::read(site.prefix, service)?;
    if record.is_none_or(|record| record.desired != Desired::Running) {
        return Ok(Outcome { change: Change::Unchanged, view: super::view(site.prefix, service)? });
    }
    let request = recorded_request(site, service)?;
    Start::prepare(site, &request)?.run(site)
}

/// Checks whether a restart is possible, and says what it would do.
///
/// # Errors
/// When it is not possible.
pub fn check_restart(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Outcome, ServiceError> {
    let request = recorded_request(site, service)?;
    Start::prepare(site, &request)?.check_conditions(site)?;
    Ok(Outcome { change: Change::Changed, view: super::view(site.prefix, service)? })
}

/// Returns the package and the parameters that `service` was started with last.
///
/// # Errors
/// When it was never started here.
pub fn recorded_request(site: &Site<'_>, service: &ServiceCoordinate) -> Result<StartRequest, ServiceError> {
    let record = ServiceRecord::read(site.prefix, service)?;
    let record = record.ok_or_else(|| ServiceError::NeverStarted { service: service.clone() })?;
    Ok(StartRequest { package: record.package, service: record.service, parameters: record.parameters })
}
