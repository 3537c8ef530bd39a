//! Recovery: a change whose command died is finished when it was good already, else led back.

use std::time::Duration;

use copkg_spec::command::Failure;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use jiff::Timestamp;
use serde::Serialize;

use super::aside::{self, Leaving};
use super::blame::ChangeFailure;
use super::change::{self, Change, Ended, Was};
use super::error::Now;
use super::{SetAside, Slot, Step, UpgradeError, has_left_rehearsal, revert, saved, together};
use crate::generation::{Blame, Cause, Generations, History, Outcome, Trial, Verdict};
use crate::host::{LockError, Prefix, reserve};
use crate::interrupt::{self, Undisturbed};
use crate::service::{self, ServiceError, ServiceRecord, Site};
use crate::tree::names_in;
use crate::unit::Boot;

/// A change that was cut short.
#[derive(Debug, Clone, Serialize)]
pub struct Left {
    /// The service.
    pub service: ServiceCoordinate,
    /// The package that it was to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageCoordinate>,
    /// How far it came.
    pub step: Step,
    /// When it was begun.
    pub started: Timestamp,
    /// What became of it; `None` when it was only looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let package = self.package.as_ref().map(|package| format!(" to {package}")).unwrap_or_default();
        write!(f, "{}: a change{package} was cut short {}", self.service, self.step.words())?;
        self.outcome.as_ref().map_or(Ok(()), |outcome| write!(f, "; {outcome}"))
    }
}

/// Says which changes of the prefix were cut short or go on, without touching them.
///
/// # Errors
/// When the services cannot be listed.
pub fn left_behind(prefix: &Prefix) -> Result<Vec<Left>, ServiceError> {
    let mut left = Vec::new();
    for service in services(prefix)? {
        // One that cannot be read is named by the recovery itself.
        let change = Change::read(prefix, &service).ok().flatten();
        left.extend(change.map(|change| describe(prefix, &change, None)));
    }
    Ok(left)
}

/// Recovers every service whose change was cut short.
///
/// # Errors
/// When the services cannot be listed. Those that cannot be recovered keep none of the others from it, and are returned.
pub fn recover_all(site: &mut Site<'_>) -> Result<(Vec<Left>, Vec<NotRecovered>), ServiceError> {
    let (mut recovered, mut failed) = (Vec::new(), Vec::new());
    for service in services(site.prefix)? {
        if !change::is_there(site.prefix, &service) && ServiceRecord::read(site.prefix, &service).is_ok() {
            continue;
        }
        interrupt::check()?;
        let one = site.lock(&service).and_then(|_lock| recover_quietly(site, &service));
        match one {
            Ok(left) => recovered.extend(left),
            Err(ServiceError::Lock(LockError::Held { holder, .. })) if site.backends.boot == Boot::Now => {
                site.note(format!("{service} is left to {holder}, which is at work on it"));
            }
            Err(error) => failed.push((service, error.into())),
        }
    }
    Ok((recovered, failed))
}

/// Recovers a service whose change was cut short, and says so. What another command is at work on is waited for.
///
/// # Errors
/// When it cannot be recovered.
pub fn recover_one(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let _lock = site.lock(service)?;
    recover(site, service)
}

/// A service that could not be recovered, and why.
pub type NotRecovered = (ServiceCoordinate, Failure);

/// Names the services whose rehearsal was cut short and left its copy.
///
/// # Errors
/// When the services cannot be listed.
pub fn left_rehearsals(prefix: &Prefix) -> Result<Vec<ServiceCoordinate>, ServiceError> {
    Ok(services(prefix)?.into_iter().filter(|service| has_left_rehearsal(prefix, service)).collect())
}

/// Recovers a service, and says so. Its lock is held: a change that is found has no living command.
pub(crate) fn recover(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    if let Some(left) = recover_quietly(site, service)? {
        site.note(format!("recovered: {left}"));
    }
    Ok(())
}

fn recover_quietly(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<Option<Left>, ServiceError> {
    if ServiceRecord::repair(site.prefix, service, (site.clock)())? {
        site.warn(format!("the record of {service} was damaged; it was made anew from its generation"));
    }
    let Some(change) = Change::read(site.prefix, service)? else {
        abandon(site, service)?;
        return Ok(None);
    };
    crate::hook::end_leftovers(site.prefix.root())?;
    let mut left = describe(site.prefix, &change, None);
    left.outcome = Some(if change.step == Step::Good {
        finish(site, &change, None)?;
        "it was good already and is finished".to_owned()
    } else {
        let why = format!("its command was cut short {}", change.step.words());
        let id = change.id.clone();
        let failure = ChangeFailure { why, blame: Blame::Interruption };
        let now: Now = revert::revert(site, change, failure)?;
        match SetAside::by(site.prefix, service, &id) {
            Some(aside) => format!("{now}; {aside}"),
            None => now.to_string(),
        }
    });
    Ok(Some(left))
}

/// Ends a change that was good a moment ago. A disk that refuses gets its reserve and is asked once more: the change counts
/// already, so the worst that is left is that the next command has to end it.
///
/// # Errors
/// When it cannot be ended; it counts all the same.
pub(super) fn finish_now(
    site: &mut Site<'_>,
    change: &Change,
    package: &PackageCoordinate,
    downtime: Option<Duration>,
) -> Result<(), UpgradeError> {
    let Err(_) = finish(site, change, downtime) else { return Ok(()) };
    reserve::spend(site.prefix);
    finish(site, change, downtime).map_err(|source| UpgradeError::Unfinished {
        service: change.service.clone(),
        package: package.clone(),
        source: Box::new(source),
    })
}

/// Ends a change that was good. Every step can be repeated.
fn finish(site: &mut Site<'_>, change: &Change, downtime: Option<Duration>) -> Result<(), ServiceError> {
    let _undisturbed = Undisturbed::begin();
    let time = (site.clock)();
    let generations = Generations::of(site.prefix, &change.service);
    together::retire(site, change)?;
    if change.was == Was::Stopped && change.cause != Cause::Start {
        service::stop_locked(site, &change.service)?;
    }
    generations.set_outcome(change.to, &Outcome { state: Trial::Good, since: time, why: None })?;
    let downtime_milliseconds = downtime.and_then(|downtime| u64::try_from(downtime.as_millis()).ok());
    let ended = Ended { verdict: Verdict::Good, time, why: None, blame: None, downtime_milliseconds };
    History::append(site.prefix, &change.service, &change.event(site.prefix, ended)?)?;
    if let Some(from) = change.from {
        for saved in change.saved.iter().filter(|saved| !change.is_copy(saved)) {
            if saved.name == saved::DATA {
                aside::keep(site, change, &saved.of, Leaving::Good(from))?;
            } else {
                let slots = (&saved.of, &Slot::of(from));
                saved::hand_over(site.prefix, &change.service, &saved.name, slots)?;
            }
        }
    }
    change.close(site.prefix)?;
    // The next change takes it again; that it lacks now is no failure of this one.
    let _ = reserve::take(site.prefix);
    Ok(())
}

/// Marks a generation that was made and never tried: its command died before it wrote the change down.
fn abandon(site: &Site<'_>, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let generations = Generations::of(site.prefix, service);
    let Some(last) = generations.list()?.last().copied() else { return Ok(()) };
    if generations.current_number()? == Some(last) || generations.outcome(last)?.state != Trial::Trial {
        return Ok(());
    }
    let why = Some("its command was cut short before it was tried".to_owned());
    Ok(generations.set_outcome(last, &Outcome { state: Trial::Failed, since: (site.clock)(), why })?)
}

fn describe(prefix: &Prefix, change: &Change, outcome: Option<String>) -> Left {
    Left {
        service: change.service.clone(),
        package: change.package(prefix),
        step: change.step,
        started: change.started,
        outcome,
    }
}

/// Lists the services that have a record or generations: a first start may have died before the record was written.
fn services(prefix: &Prefix) -> Result<Vec<ServiceCoordinate>, ServiceError> {
    let mut services = ServiceRecord::list(prefix)?;
    let names = names_in(&prefix.services()).unwrap_or_default();
    services.extend(names.iter().filter_map(|name| name.parse::<ServiceCoordinate>().ok()));
    services.sort();
    services.dedup();
    Ok(services)
}
