//! The survey: what has to be done to each service, found out while everything runs.
//!
//! Whatever can be wrong with a service is found here: an owner, a value, a template, a conflict with a change by hand, a start
//! that is not possible, data that could not be brought back.

use copkg_spec::coordinate::{Label, ServiceCoordinate};
use copkg_spec::manifest::OnReturn;
use serde::Serialize;

use super::observe::{Fingerprint, Observed};
use super::perform::{ApplyRequest, RestoreData};
use super::preview::preview;
use super::store::ServiceGenerations;
use super::{
    Act, Base, DeployError, DeploymentGeneration, DeploymentStore, Desired, DesiredService, Owned, Owners,
    ServicePreview,
};
use crate::generation::{Cause, Generations, Number, Trial};
use crate::receipts;
use crate::service::{self, ServiceError, Site, StartRequest, Told};
use crate::upgrade::{self, Keep, Reload, Request, Restore, Slot, Target, WayBack};

/// What a change of a deployment would do.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The generation that it is.
    pub from: Option<DeploymentGeneration>,
    /// What it is to be.
    pub desired: Desired,
    /// What all of this was found against.
    pub base: Base,
    /// What is done to each service, in order; first what is stopped for good, the last first.
    pub steps: Vec<SurveyedService>,
}

/// What is done to one service.
#[derive(Debug, Clone, Serialize)]
pub struct SurveyedService {
    /// The service.
    pub service: ServiceCoordinate,
    /// What is done.
    pub act: Act,
    /// Whether it is stopped for it; `None` where its package is not here yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stops: Option<bool>,
    /// What differs.
    #[serde(flatten)]
    pub preview: ServicePreview,
    /// Its generation before.
    #[serde(skip)]
    pub(super) before: Option<Number>,
    #[serde(skip)]
    pub(super) values: Option<String>,
    #[serde(skip)]
    pub(super) conditions: Option<String>,
    #[serde(skip)]
    pub(super) ran: bool,
    #[serde(skip)]
    pub(super) way_back: WayBack,
    /// How it is changed; `None` where it is not, or its package is not here yet.
    #[serde(skip)]
    pub(super) request: Option<Request>,
}

impl Survey {
    /// Tells whether no service changes, and the deployment says the same as before.
    pub fn is_nothing(&self) -> bool {
        let same = self.from.as_ref().is_some_and(|from| from.desired.is_same(&self.desired));
        same && self.steps.iter().all(|step| !step.act.is_something())
    }
}

/// What leads to the services: where generations that they had are brought back, and with which data.
#[derive(Debug, Clone, Default)]
struct Leading {
    generations: ServiceGenerations,
    restore: RestoreData,
}

/// Finds out what making the deployment `desired` would do.
///
/// # Errors
/// When it is not possible.
pub fn survey(site: &mut Site<'_>, desired: Desired) -> Result<Survey, DeployError> {
    survey_leading(site, desired, &Leading::default())
}

/// Finds out what a change would do, which may bring back an earlier generation.
///
/// # Errors
/// When it is not possible.
pub fn survey_for(site: &mut Site<'_>, request: &ApplyRequest) -> Result<Survey, DeployError> {
    let store = DeploymentStore::of(site.prefix, &request.desired.name);
    let generations = request.bring_back.map(|number| store.services(number)).transpose()?;
    let leading = Leading { generations: generations.unwrap_or_default(), restore: request.restore };
    survey_leading(site, request.desired.clone(), &leading)
}

fn survey_leading(site: &mut Site<'_>, desired: Desired, leading: &Leading) -> Result<Survey, DeployError> {
    let store = DeploymentStore::of(site.prefix, &desired.name);
    let from = store.current()?;
    refuse_another(from.as_ref(), &desired)?;
    let owned = Owned::read(site.prefix, &desired.name)?;
    let others = Owners::read(site.prefix, Some(&desired.name))?;
    let (mut steps, mut prints) = (Vec::new(), Vec::new());
    let before = from.iter().flat_map(|from| from.desired.services.iter().rev());
    for gone in before.filter(|gone| desired.service(&gone.service).is_none()) {
        steps.extend(leave(site, gone, &mut prints)?);
    }
    for wanted in &desired.services {
        refuse_taken(site, &owned, &others, &wanted.service)?;
        let one = surveyed(site, (&desired.name, wanted), leading, &mut prints);
        steps.push(one.map_err(|source| {
            let (service, source) = (wanted.service.clone(), Box::new(source));
            DeployError::Preparation { service, source }
        })?);
    }
    let base = Base::new(from.as_ref().map(|from| from.number), &prints);
    Ok(Survey { from, desired, base, steps })
}

/// Refuses a name that stands for another package or another environment here.
fn refuse_another(from: Option<&DeploymentGeneration>, desired: &Desired) -> Result<(), DeployError> {
    let Some(from) = from.map(|from| &from.desired) else { return Ok(()) };
    let (there, asked) = (from.subject(), desired.subject());
    if there == asked || from.services.is_empty() {
        return Ok(());
    }
    Err(DeployError::OtherDeployment { name: desired.name.clone(), there, asked })
}

/// Refuses a service that belongs to another deployment, or to nobody's.
fn refuse_taken(
    site: &Site<'_>,
    owned: &Owned,
    others: &Owners,
    service: &ServiceCoordinate,
) -> Result<(), DeployError> {
    let taken = |owner: String| Err(DeployError::Taken { service: service.clone(), owner });
    if let Some(owner) = others.of(service) {
        return taken(format!("the deployment {owner}"));
    }
    if owned.services.contains_key(service) {
        return Ok(());
    }
    service::refuse_started_by_hand(site.prefix, service)?;
    let generations = Generations::of(site.prefix, service);
    if let Some(current) = generations.current()? {
        return taken(format!("whoever started it by hand, {} at {:.0}", current.actor, current.created));
    }
    if site.prefix.service_record(service).exists() {
        return taken("whoever started it by hand".into());
    }
    Ok(())
}

type Prints = Vec<(String, Fingerprint)>;

/// Says what is done to a service that the deployment no longer names; nothing where it is gone already.
fn leave(
    site: &Site<'_>,
    gone: &DesiredService,
    prints: &mut Prints,
) -> Result<Option<SurveyedService>, DeployError> {
    let observed = Observed::at(site.prefix, &gone.service)?;
    prints.push((gone.service.to_string(), observed.fingerprint(site.prefix, &gone.service)?));
    if observed.view.is_none() {
        return Ok(None);
    }
    let package_before = observed.generation.as_ref().map(|before| before.package.clone());
    Ok(Some(SurveyedService {
        service: gone.service.clone(),
        act: Act::Retire,
        stops: Some(observed.runs()),
        preview: ServicePreview { package_before, ..ServicePreview::default() },
        before: observed.generation.as_ref().map(|before| before.number),
        ran: observed.should_run(),
        values: observed.values,
        conditions: observed.conditions,
        way_back: WayBack::Stays,
        request: None,
    }))
}

fn surveyed(
    site: &mut Site<'_>,
    (deployment, wanted): (&Label, &DesiredService),
    leading: &Leading,
    prints: &mut Prints,
) -> Result<SurveyedService, DeployError> {
    let observed = Observed::at(site.prefix, &wanted.service)?;
    prints.push((wanted.service.to_string(), observed.fingerprint(site.prefix, &wanted.service)?));
    let preview = preview(site, deployment, wanted, &observed)?;
    let mut surveyed = SurveyedService {
        service: wanted.service.clone(),
        act: Act::Nothing,
        stops: None,
        preview,
        before: observed.generation.as_ref().map(|before| before.number),
        ran: observed.should_run(),
        values: observed.values.clone(),
        conditions: observed.conditions.clone(),
        way_back: WayBack::Stays,
        request: None,
    };
    let is_here = receipts::read(site.prefix, &wanted.package).map_err(ServiceError::from)?;
    if let Some(receipt) = &is_here
        && receipt.digest != wanted.digest
    {
        let (service, package) = (wanted.service.clone(), wanted.package.clone());
        let why = format!("its digest is {}, not {}", receipt.digest, wanted.digest);
        return Err(DeployError::OtherPackage { service, package, why });
    }
    surveyed.act = act(wanted, &observed, &surveyed.preview);
    if is_here.is_none() {
        return Ok(surveyed);
    }
    let mut silent = |_: Told| ();
    let mut quiet = Site { tell: &mut silent, ..*site };
    match surveyed.act {
        Act::Create => {
            service::check_start(&mut quiet, &start_request(wanted))?;
            surveyed.stops = Some(false);
        }
        Act::Change => foresee(&mut quiet, wanted, leading, &observed, &mut surveyed)?,
        Act::Start => surveyed.stops = Some(false),
        Act::Nothing | Act::Retire => {}
    }
    Ok(surveyed)
}

fn act(wanted: &DesiredService, observed: &Observed, preview: &ServicePreview) -> Act {
    let Some(current) = &observed.generation else { return Act::Create };
    let same = current.package == wanted.package
        && current.digest == wanted.digest
        && preview.parameters_before.is_none()
        && !preview.is_configured_differently();
    match (same, observed.runs()) {
        (true, true) => Act::Nothing,
        (true, false) => Act::Start,
        (false, _) => Act::Change,
    }
}

/// Finds out how a service is changed, and makes sure that there is a way back from it.
fn foresee(
    site: &mut Site<'_>,
    wanted: &DesiredService,
    leading: &Leading,
    observed: &Observed,
    surveyed: &mut SurveyedService,
) -> Result<(), DeployError> {
    let mut request = request(site, wanted, leading, observed)?;
    let mut foreseen = upgrade::foresee(site, &request)?;
    if foreseen.is_some_and(|foreseen| foreseen.way_back == WayBack::Closed) {
        // A service that went well must be able to return for another one that did not.
        request.on_return = Some(OnReturn::Restore);
        foreseen = upgrade::foresee(site, &request)?;
    }
    surveyed.way_back = foreseen.map_or(WayBack::Stays, |foreseen| foreseen.way_back);
    surveyed.stops = Some(foreseen.is_some_and(|foreseen| foreseen.stops));
    surveyed.request = Some(request);
    Ok(())
}

fn request(
    site: &Site<'_>,
    wanted: &DesiredService,
    leading: &Leading,
    observed: &Observed,
) -> Result<Request, DeployError> {
    let current = observed.generation.as_ref();
    let same_package = current.is_some_and(|current| {
        current.package == wanted.package
            && service::are_same_parameters(&current.parameters, &wanted.parameters)
    });
    let earlier = earlier(site, wanted, leading, current.map(|current| current.number))?;
    let (package, parameters) = (wanted.package.clone(), Some(wanted.parameters.clone()));
    let target = earlier.map_or(Target::Package { package, parameters }, Target::Generation);
    let restore = match (earlier, leading.restore) {
        (Some(number), RestoreData::WhatItLeft)
            if upgrade::is_data_kept(site.prefix, &wanted.service, &Slot::of(number)) =>
        {
            Restore::Data
        }
        _ => Restore::Nothing,
    };
    let cause = match (earlier, same_package) {
        (Some(_), _) => Cause::Rollback,
        (None, true) => Cause::Configure,
        (None, false) => Cause::Upgrade,
    };
    Ok(Request {
        service: wanted.service.clone(),
        target,
        cause,
        reason: String::new(),
        keep: Keep::Logs,
        restore,
        on_return: None,
        accept: None,
        reload: if cause == Cause::Configure { Reload::Enough } else { Reload::Never },
        asked: wanted.asked.clone(),
    })
}

/// Finds the generation of the service that is brought back, where it is still there and is what is recorded.
fn earlier(
    site: &Site<'_>,
    wanted: &DesiredService,
    leading: &Leading,
    current: Option<Number>,
) -> Result<Option<Number>, DeployError> {
    let Some(number) = leading.generations.get(&wanted.service).copied() else { return Ok(None) };
    let generations = Generations::of(site.prefix, &wanted.service);
    if current == Some(number) || !generations.list()?.contains(&number) {
        return Ok(None);
    }
    let there = generations.read(number)?;
    let is_it = there.package == wanted.package
        && there.digest == wanted.digest
        && service::are_same_parameters(&there.parameters, &wanted.parameters)
        && generations.outcome(number)?.state == Trial::Good;
    Ok(is_it.then_some(number))
}

/// Returns what starts a service.
pub(super) fn start_request(wanted: &DesiredService) -> StartRequest {
    StartRequest {
        package: wanted.package.clone(),
        service: wanted.service.clone(),
        parameters: wanted.parameters.clone(),
    }
}
