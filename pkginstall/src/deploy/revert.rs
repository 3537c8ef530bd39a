//! The way back of a deployment: every service that was touched becomes what it was, the last one first.
//!
//! Every step can be repeated, so a crash in here is recovered by beginning anew. A service that cannot be put back hinders no
//! other one; it is tried again by the next command, a few times, and then said for good.

use camino::Utf8PathBuf;
use copkg_spec::command::Failure;
use copkg_spec::coordinate::ServiceCoordinate;

use super::change::{DeploymentChange, Progress, ServiceStep};
use super::store::FailureRecord;
use super::{Act, DeployError, DeploymentStore, Owned, RolledBack};
use crate::conditions;
use crate::configure;
use crate::generation::{Cause, Generations, Number, Trial};
use crate::host::reserve;
use crate::interrupt::Undisturbed;
use crate::service::{self, ServiceError, Site, State};
use crate::upgrade::{self, Keep, Reload, Request, Restore, Slot, Target, WayBack};

/// How often a service is put back before that is given up: after that somebody has to look.
const ATTEMPTS: u32 = 3;

/// Rolls back a change that failed, and says what came of it; and whether nothing is left to do.
pub(super) fn after_failure(
    site: &mut Site<'_>,
    mut change: DeploymentChange,
    at: Option<ServiceCoordinate>,
    error: DeployError,
) -> (DeployError, bool) {
    let mut record = FailureRecord::of(&Failure::of(&error), error.blame());
    record.service.clone_from(&at);
    record.logs = at.as_ref().and_then(|service| logs_of(site, &change, service)).into_iter().collect();
    let logs = record.logs.clone();
    let (name, number) = (change.name.clone(), change.to);
    let (services, is_finished) = match revert(site, &mut change, record) {
        Ok(returned) => (returned.services, returned.is_finished),
        Err(other) => {
            site.warn(format!("the way back was not finished: {}", Failure::of(&other)));
            let error = Some(Failure::of(&other).message);
            let what = "not looked at yet".to_owned();
            let touched = change.steps.iter().filter(|step| step.progress != Progress::Waiting);
            let service = |step: &ServiceStep| step.service.clone();
            let all = touched.map(|step| RolledBack {
                service: service(step),
                what: what.clone(),
                error: error.clone(),
            });
            (all.collect(), false)
        }
    };
    let source = Box::new(error);
    (DeployError::Failed { name, number, at, services, logs, is_finished, source }, is_finished)
}

/// What came of a way back.
#[derive(Debug)]
pub(super) struct Returned {
    pub(super) services: Vec<RolledBack>,
    pub(super) is_finished: bool,
}

/// Rolls a change back. The lock of the deployment is held. Why it was rolled back first is what is recorded, whoever ends it.
///
/// # Errors
/// When the journal or the records refuse; the change stays, and the next command tries again.
pub(super) fn revert(
    site: &mut Site<'_>,
    change: &mut DeploymentChange,
    failure: FailureRecord,
) -> Result<Returned, DeployError> {
    let _undisturbed = Undisturbed::begin();
    reserve::spend(site.prefix);
    let mut failure = change.failure.get_or_insert(failure).clone();
    change.begin_way_back(site.prefix)?;
    let mut services = Vec::new();
    for step in change.steps.iter().rev().filter(|step| step.progress != Progress::Waiting) {
        let service = step.service.clone();
        services.push(match put_back(site, step) {
            Ok(what) => RolledBack { service, what, error: None },
            Err(error) => {
                let failure = Failure::of(&error);
                site.warn(format!("{service} could not be put back: {failure}"));
                let error = Some(failure.in_one_line());
                RolledBack { service, what: "not put back".into(), error }
            }
        });
    }
    let is_back = services.iter().all(|one| one.error.is_none());
    if !is_back && change.attempts < ATTEMPTS {
        return Ok(Returned { services, is_finished: false });
    }
    let (prefix, now) = (site.prefix, (site.clock)());
    let store = DeploymentStore::of(prefix, &change.name);
    failure.services.clone_from(&services);
    store.fail(change.to, &failure, now)?;
    let from = change.from.map(|number| store.read(number)).transpose()?;
    let keep = store.read(change.to)?.desired.keep_retired;
    let until = now.checked_add(keep).unwrap_or(jiff::Timestamp::MAX);
    let owned = Owned::read(prefix, &change.name)?;
    owned.settle(prefix, from.as_ref().map(|from| &from.desired), until).write(prefix, &change.name)?;
    change.close(prefix)?;
    Ok(Returned { services, is_finished: true })
}

/// Makes a service what it was, and says what that is.
fn put_back(site: &mut Site<'_>, step: &ServiceStep) -> Result<String, DeployError> {
    let service = &step.service;
    recover(site, service)?;
    if step.act != Act::Retire {
        configure::replace_values(site.prefix, service, step.values.as_deref())?;
        conditions::replace_deployed(site.prefix, service, step.conditions.as_deref())
            .map_err(ServiceError::from)?;
    }
    let now = Generations::of(site.prefix, service).current_number().map_err(ServiceError::from)?;
    let mut what = "is what it was".to_owned();
    if let Some(before) = step.before.filter(|before| Some(*before) != now) {
        let done = upgrade::upgrade(site, &way_back(site, step, before))?;
        what = format!("is generation {before} again");
        if let Some(aside) = done.set_aside {
            what = format!("{what}; {aside}");
        }
    }
    let runs = match service::view(site.prefix, service) {
        Err(ServiceError::NeverStarted { .. }) => return Ok(what),
        view => view?.state == State::Running,
    };
    if runs && !step.ran {
        service::stop(site, service)?;
        return Ok(format!("{what}, and stopped"));
    }
    if !runs && step.ran {
        let request = service::recorded_request(site, service)?;
        service::start(site, &request)?;
        return Ok(format!("{what}, and started again"));
    }
    Ok(what)
}

/// Ends what a change of the service itself left half done.
fn recover(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<(), DeployError> {
    let _lock = site.lock(service)?;
    Ok(upgrade::recover(site, service)?)
}

fn way_back(site: &Site<'_>, step: &ServiceStep, before: Number) -> Request {
    let is_kept = || {
        let slot = Slot::of(before).to_string();
        site.prefix.kept(&step.service).join(slot).join("data").is_dir()
    };
    let restore = match step.way_back {
        WayBack::Restored if is_kept() => Restore::Data,
        _ => Restore::Nothing,
    };
    Request {
        service: step.service.clone(),
        target: Target::Generation(before),
        cause: Cause::Rollback,
        reason: "its deployment was rolled back".into(),
        keep: Keep::Logs,
        restore,
        on_return: None,
        accept: None,
        reload: Reload::Never,
        asked: None,
    }
}

/// Finds where the output of the generation of a service is kept that failed in this change.
fn logs_of(site: &Site<'_>, change: &DeploymentChange, service: &ServiceCoordinate) -> Option<Utf8PathBuf> {
    let generations = Generations::of(site.prefix, service);
    let last = *generations.list().ok()?.last()?;
    let outcome = generations.outcome(last).ok()?;
    let is_of_this = outcome.state == Trial::Failed && outcome.since >= change.started;
    Some(generations.log(last)).filter(|log| is_of_this && log.is_dir())
}
