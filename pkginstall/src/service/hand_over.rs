//! Services that change hands between us and systemd: what runs is never lost on the way.

use copkg_spec::command::Failure;
use copkg_spec::coordinate::ServiceCoordinate;

use super::look::{Look, State};
use super::record::{Desired, ServiceRecord};
use super::restart::recorded_request;
use super::start::Start;
use super::stop::stop_to_start_again;
use super::{Change, Outcome, ServiceError, Site, StartRequest};
use crate::interrupt::{self, Undisturbed};
use crate::unit::{self, Activity};
use crate::upgrade;

/// Tells whether `service` has a unit and runs, but not below that: its next start hands it over.
pub(super) fn runs_without_its_unit(
    site: &Site<'_>,
    service: &ServiceCoordinate,
) -> Result<bool, ServiceError> {
    let Some(managed) = unit::managed(site.prefix, service)? else { return Ok(false) };
    if !matches!(managed.show()?.activity(), Activity::Down | Activity::Failed) {
        return Ok(false);
    }
    let record = ServiceRecord::read(site.prefix, service)?;
    Ok(Look::at(site.prefix, service, record.as_ref())?.state == State::Running)
}

/// Starts natively again what ran natively and did not start below systemd, and takes its unit away.
pub(super) fn go_back(
    site: &mut Site<'_>,
    request: &StartRequest,
    error: ServiceError,
) -> Result<Outcome, ServiceError> {
    let back = unit::forget(site, &request.service)
        .and_then(|()| Start::prepare(site, request)?.natively().run(site).map(|_| ()));
    let now = match back {
        Ok(()) => "it runs natively as before".to_owned(),
        Err(error) => format!("it does not start natively either: {}", Failure::of(&error)),
    };
    Err(ServiceError::NotHandedOver { service: request.service.clone(), now, source: Box::new(error) })
}

/// Takes the unit of `service` away; a service that runs below it is started natively. Tells whether it had one.
///
/// # Errors
/// When it cannot be stopped below systemd, or not be started natively.
pub fn hand_back(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Outcome, ServiceError> {
    recorded_request(site, service)?;
    let _lock = site.lock(service)?;
    upgrade::recover(site, service)?;
    let request = recorded_request(site, service)?;
    if unit::written(site.prefix, service)?.is_none() {
        return Ok(Outcome { change: Change::Unchanged, view: super::view(site.prefix, service)? });
    }
    let record = ServiceRecord::read(site.prefix, service)?;
    let should_run = record.is_some_and(|record| record.desired == Desired::Running);
    let runs_natively = runs_without_its_unit(site, service)?;
    let is_managed = unit::managed(site.prefix, service)?.is_some();
    // Everything that can be wrong with the start is found while the service still runs.
    let start = Start::prepare(site, &request)?.natively();
    interrupt::check()?;
    let _undisturbed = Undisturbed::begin();
    if is_managed && !runs_natively {
        stop_to_start_again(site, service)?;
    }
    unit::forget(site, service)?;
    if is_managed && !runs_natively && should_run {
        start.run(site)?;
    }
    Ok(Outcome { change: Change::Changed, view: super::view(site.prefix, service)? })
}
