//! Performs the change of a deployment: one service after the other, each on trial, each written down before it is begun.

use copkg_spec::coordinate::{Label, ServiceCoordinate};

use super::change::{DeploymentChange, Progress, ServiceStep, Stage};
use super::store::{DeploymentDraft, ServiceGenerations};
use super::survey::{SurveyedService, start_request, survey_for};
use super::{
    Act, Base, DeployError, DeploymentCause, DeploymentGeneration, DeploymentStore, Desired, Owned, Survey,
    recover, revert,
};
use crate::conditions;
use crate::configure;
use crate::generation::{Actor, Generations, Number};
use crate::host::{Catalogue, Lock, OpenIntent, reserve};
use crate::interrupt::{self, Undisturbed};
use crate::service::{self, ServiceError, Site, Told};
use crate::upgrade;
use copkg_spec::durable;

/// What a deployment is to become.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// What it is to be.
    pub desired: Desired,
    /// What led to it.
    pub cause: DeploymentCause,
    /// Why.
    pub reason: String,
    /// What the host was when that was decided; it is not compared when left out.
    pub base: Option<Base>,
    /// The generation that is brought back.
    pub bring_back: Option<Number>,
    /// Which data its services get then.
    pub restore: RestoreData,
}

/// Which data services have when an earlier generation is brought back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RestoreData {
    /// What is there now.
    #[default]
    Nothing,
    /// What they left then, where that is kept; what was written since is set aside.
    WhatItLeft,
}

/// What came of a change.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The generation before.
    pub from: Option<Number>,
    /// The generation that the deployment is now; `None` where nothing was done.
    pub to: Option<Number>,
    /// What was done to each service.
    pub services: Vec<(ServiceCoordinate, Act)>,
}

/// Is asked while a deployment changes.
pub trait Attendant {
    /// Is asked when a service is what it is to be, and the next one has not been touched.
    ///
    /// # Errors
    /// When the change is to be given up: then it is rolled back.
    fn after_service(&mut self, service: &ServiceCoordinate) -> Result<(), DeployError> {
        let _ = service;
        Ok(())
    }

    /// Is asked when every service is what it is to be.
    ///
    /// # Errors
    /// When the deployment does not work: then it is rolled back.
    fn verify(&mut self, site: &mut Site<'_>) -> Result<(), DeployError> {
        let _ = site;
        Ok(())
    }
}

/// Attends to nothing.
impl Attendant for () {}

/// Makes a deployment what is desired: all of its services, or none.
///
/// # Errors
/// When it is not possible, in which case nothing was stopped; or when a service or the verification failed, and everything
/// that was changed was rolled back.
pub fn apply(
    site: &mut Site<'_>,
    request: &ApplyRequest,
    attendant: &mut dyn Attendant,
) -> Result<Applied, DeployError> {
    let name = &request.desired.name;
    let _lock = lock(site, name)?;
    recover::recover(site, name)?;
    let survey = survey_for(site, request)?;
    let drifted = request.base.as_ref().map(|base| base.drift_to(&survey.base)).unwrap_or_default();
    if !drifted.is_empty() {
        return Err(DeployError::Drifted { name: name.clone(), what: drifted });
    }
    let from = survey.from.as_ref().map(|from| from.number);
    if survey.is_nothing() {
        return Ok(Applied { from, to: None, services: Vec::new() });
    }
    interrupt::check()?;
    reserve::take(site.prefix)?;
    let intent = open_intent(site, &request.desired)?;
    let begun = begin(site, request, &survey);
    let (to, mut change) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            // No service was touched. What cannot be taken back is taken back by the next command.
            if recover::recover(site, name).is_ok() {
                close(site, intent);
            }
            return Err(error);
        }
    };
    match attempt(site, &survey, &mut change, attendant, &reason(&to)) {
        Ok(()) => {
            finish_now(site, &change)?;
            close(site, intent);
            let done = survey.steps.iter().filter(|step| step.act.is_something());
            let services = done.map(|step| (step.service.clone(), step.act)).collect();
            Ok(Applied { from, to: Some(to.number), services })
        }
        Err(failed) => {
            let (at, error) = *failed;
            let (error, is_finished) = revert::after_failure(site, change, at, error);
            if is_finished {
                close(site, intent);
            }
            Err(error)
        }
    }
}

/// Takes the lock of a deployment.
pub(super) fn lock(site: &mut Site<'_>, name: &Label) -> Result<Lock, DeployError> {
    let all = site.prefix.deployments();
    durable::create_dir_all(all.as_std_path()).map_err(DeployError::file("create", &all))?;
    let tell = &mut *site.tell;
    let waiting = |holder: &str| {
        tell(Told::Note(format!("waiting for {holder}, which changes the deployment {name}")));
    };
    Ok(Lock::take(&site.prefix.deployment_lock(name), site.wait, waiting)?)
}

/// Writes the intent into the journal of the prefix.
fn open_intent(site: &mut Site<'_>, desired: &Desired) -> Result<OpenIntent, DeployError> {
    let now = (site.clock)();
    let tell = &mut *site.tell;
    let mut notice = |notice: crate::host::Notice| tell(Told::Note(notice.to_string()));
    let catalogue = Catalogue::lock(site.prefix, site.wait, &mut notice)?;
    Ok(catalogue.open_deployment(&desired.name, &desired.package, now)?)
}

/// Closes the intent. Where that fails nothing but it is left, which the next command closes.
fn close(site: &mut Site<'_>, intent: OpenIntent) {
    if let Err(error) = intent.close() {
        site.warn(format!("the next command closes what is left in the journal: {error}"));
    }
}

/// Writes down the generation, whose its services are, and what each of them was.
fn begin(
    site: &Site<'_>,
    request: &ApplyRequest,
    survey: &Survey,
) -> Result<(DeploymentGeneration, DeploymentChange), DeployError> {
    let (prefix, desired, now) = (site.prefix, &request.desired, (site.clock)());
    let directory = prefix.deployment(&desired.name);
    durable::create_dir_all(directory.as_std_path()).map_err(DeployError::file("create", &directory))?;
    Owned::read(prefix, &desired.name)?.claim(desired).write(prefix, &desired.name)?;
    let parent = survey.from.as_ref().map(|from| from.number);
    let to = DeploymentStore::of(prefix, &desired.name).make(DeploymentDraft {
        parent,
        cause: request.cause,
        desired: desired.clone(),
        actor: Actor::of(site.user, site.environment),
        reason: request.reason.clone(),
        created: now,
    })?;
    let something = survey.steps.iter().filter(|step| step.act.is_something());
    let change = DeploymentChange {
        name: desired.name.clone(),
        package: desired.package.clone(),
        from: parent,
        to: to.number,
        stage: Stage::Changing,
        steps: something.map(step_of).collect(),
        started: now,
        process: std::process::id(),
        attempts: 0,
        failure: None,
    };
    change.write(prefix)?;
    Ok((to, change))
}

fn step_of(surveyed: &SurveyedService) -> ServiceStep {
    ServiceStep {
        service: surveyed.service.clone(),
        act: surveyed.act,
        before: surveyed.before,
        values: surveyed.values.clone(),
        conditions: surveyed.conditions.clone(),
        ran: surveyed.ran,
        way_back: surveyed.way_back,
        progress: Progress::Waiting,
    }
}

fn reason(to: &DeploymentGeneration) -> String {
    format!("the deployment {}, generation {}: {}", to.desired.name, to.number, to.reason)
}

/// At which service a change failed, where it was one, and why.
type FailedAt = Box<(Option<ServiceCoordinate>, DeployError)>;

fn attempt(
    site: &mut Site<'_>,
    survey: &Survey,
    change: &mut DeploymentChange,
    attendant: &mut dyn Attendant,
    reason: &str,
) -> Result<(), FailedAt> {
    let whole = |error| Box::new((None, error));
    let mut at = 0;
    for step in &survey.steps {
        if step.act.is_something() {
            let failed = |error| Box::new((Some(step.service.clone()), error));
            change.mark(site.prefix, at, Progress::Begun).map_err(failed)?;
            act_on(site, &survey.desired, step, reason).map_err(failed)?;
            change.mark(site.prefix, at, Progress::Done).map_err(failed)?;
            at += 1;
        }
        // Before the first change there is nothing to look at.
        if at > 0 && step.act != Act::Retire {
            attendant.after_service(&step.service).map_err(whole)?;
        }
    }
    change.begin_verification(site.prefix).map_err(whole)?;
    attendant.verify(site).map_err(whole)?;
    change.commit(site.prefix).map_err(whole)
}

fn act_on(
    site: &mut Site<'_>,
    desired: &Desired,
    step: &SurveyedService,
    reason: &str,
) -> Result<(), DeployError> {
    let service = &step.service;
    let Some(wanted) = desired.service(service) else {
        service::stop(site, service)?;
        return Ok(());
    };
    let values = wanted.values_text(&desired.name);
    configure::replace_values(site.prefix, service, values.as_deref())?;
    let conditions = wanted.conditions_text(&desired.name);
    conditions::replace_deployed(site.prefix, service, conditions.as_deref()).map_err(ServiceError::from)?;
    if let Some(request) = &step.request {
        upgrade::upgrade(site, &upgrade::Request { reason: reason.to_owned(), ..request.clone() })?;
    }
    if step.request.is_none() || !step.ran {
        service::start(site, &start_request(wanted))?;
    }
    Ok(())
}

/// Ends a change that was good a moment ago. A disk that refuses gets its reserve and is asked once more.
fn finish_now(site: &mut Site<'_>, change: &DeploymentChange) -> Result<(), DeployError> {
    let Err(_) = finish(site, change) else { return Ok(()) };
    reserve::spend(site.prefix);
    finish(site, change).map_err(|source| DeployError::Unfinished {
        name: change.name.clone(),
        number: change.to,
        source: Box::new(source),
    })
}

/// Ends a change that was good. Every step can be repeated.
pub(super) fn finish(site: &Site<'_>, change: &DeploymentChange) -> Result<(), DeployError> {
    let _undisturbed = Undisturbed::begin();
    let (prefix, now) = (site.prefix, (site.clock)());
    let store = DeploymentStore::of(prefix, &change.name);
    let to = store.read(change.to)?.desired;
    let mut services = ServiceGenerations::new();
    for one in &to.services {
        let number = Generations::of(prefix, &one.service).current_number().map_err(ServiceError::from)?;
        services.extend(number.map(|number| (one.service.clone(), number)));
    }
    store.commit(change.to, &services, now)?;
    let until = now.checked_add(to.keep_retired).unwrap_or(jiff::Timestamp::MAX);
    Owned::read(prefix, &change.name)?.settle(prefix, Some(&to), until).write(prefix, &change.name)?;
    change.close(prefix)?;
    // The next change takes it again; that it lacks now is no failure of this one.
    let _ = reserve::take(prefix);
    Ok(())
}
