//! Performs a change, step by step, each written down before it is begun.

use std::time::{Duration, Instant};

use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::manifest::{Downgrade, OnReturn};

use super::change::{self, Age, Change, Manner, Was};
use super::plan::{Plan, To, number_of, plan};
use super::{
    Keep, Restore, SetAside, Slot, Step, UpgradeError, health, hooks, recover, reloaded, revert, saved,
    together, variables,
};
use crate::configure::{self, Accept, Ground};
use crate::generation::{Cause, Generation, Generations, Number};
use crate::host::{OperationId, reserve};
use crate::interrupt;
use crate::service::{self, InstalledService, RunAs, ServiceError, Site, Start, StartRequest, View};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The service.
    pub service: ServiceCoordinate,
    /// What it is to be.
    pub target: Target,
    /// What kind of change it is.
    pub cause: Cause,
    /// Why.
    pub reason: String,
    /// What becomes of a failed one.
    pub keep: Keep,
    /// Which data it is to have.
    pub restore: Restore,
    /// What becomes of the data should it fail; what the package says when left out.
    pub on_return: Option<OnReturn>,
    /// Whose side is taken where a change of the configuration by hand contradicts that of the package.
    pub accept: Option<Accept>,
    /// Whether a reload will do, where the service can.
    pub reload: Reload,
    /// What was asked for, in words: the version, the channel, the file that led to the package.
    pub asked: Option<String>,
}

/// Whether a service that runs may be reloaded instead of restarted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reload {
    /// It is stopped and started.
    #[default]
    Never,
    /// Only its configuration is another one: it is reloaded where it can be.
    Enough,
}

/// What a service is to be.
#[derive(Debug, Clone)]
pub enum Target {
    /// An installed package.
    Package {
        /// The package.
        package: PackageCoordinate,
        /// The parameters; those that it has when left out.
        parameters: Option<Vec<String>>,
    },
    /// What it is, with other data.
    Current,
    /// The nearest ancestor that was good.
    LastGood,
    /// An earlier generation.
    Generation(Number),
}

/// What came of a change.
#[derive(Debug)]
pub struct Done {
    /// The generation before.
    pub from: Option<Generation>,
    /// The generation that the service is now.
    pub to: Option<Generation>,
    /// For how long at most nothing answered; `None` where nothing ran before, or the service never stopped.
    pub downtime: Option<Duration>,
    /// Data that was set aside for it.
    pub set_aside: Option<SetAside>,
    /// How the service is now.
    pub view: View,
}

/// Changes what a service is.
///
/// # Errors
/// When it is not possible, in which case nothing was done, or when it failed and was led back.
pub fn upgrade(site: &mut Site<'_>, request: &Request) -> Result<Done, UpgradeError> {
    let _lock = site.lock(&request.service)?;
    recover(site, &request.service)?;
    match plan(site, request)? {
        Some(plan) => {
            plan.tell_of_foreign(site);
            begin(site, plan)
        }
        None => unchanged(site, &request.service),
    }
}

/// Finds out whether a change is possible, and where it leads.
///
/// # Errors
/// When it is not possible.
pub fn check(site: &mut Site<'_>, request: &Request) -> Result<Option<PackageCoordinate>, UpgradeError> {
    let Some(plan) = plan(site, request)? else { return Ok(None) };
    plan.tell_of_foreign(site);
    Ok(Some(plan.package().clone()))
}

/// What a change would do, as far as whoever changes several services must know it before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreseen {
    /// What becomes of the data on the way back.
    pub way_back: WayBack,
    /// Whether the service is stopped for it.
    pub stops: bool,
}

/// What becomes of the data when a change that went well is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WayBack {
    /// The version before goes on with what is there, or its package brings that down.
    Stays,
    /// The copy that the change takes is put back; what was written since is set aside.
    Restored,
    /// The version before cannot read it, and no copy is taken: it must be asked for.
    Closed,
}

/// Finds out what a change would do; `None` when the service is that already.
///
/// # Errors
/// When it is not possible.
pub fn foresee(site: &mut Site<'_>, request: &Request) -> Result<Option<Foreseen>, UpgradeError> {
    let Some(plan) = plan(site, request)? else { return Ok(None) };
    let way_back = if plan.slot.is_none() && plan.contract.snapshot && plan.on_return == OnReturn::Restore {
        WayBack::Restored
    } else if plan.contract.downgrade == Downgrade::Forbidden && plan.leaves_version() {
        WayBack::Closed
    } else {
        WayBack::Stays
    };
    Ok(Some(Foreseen { way_back, stops: plan.was == Was::Running && plan.manner() == Manner::StopStart }))
}

fn unchanged(site: &Site<'_>, service: &ServiceCoordinate) -> Result<Done, UpgradeError> {
    let from = Generations::of(site.prefix, service).current()?;
    Ok(Done { from, to: None, downtime: None, set_aside: None, view: service::view(site.prefix, service)? })
}

/// Starts a service as what it is not yet. Its lock is held, and nothing of it runs.
pub(crate) fn start_as(
    site: &mut Site<'_>,
    request: &StartRequest,
    reason: &str,
) -> Result<View, ServiceError> {
    let request = Request {
        service: request.service.clone(),
        target: Target::Package {
            package: request.package.clone(),
            parameters: Some(request.parameters.clone()),
        },
        cause: Cause::Start,
        reason: reason.to_owned(),
        keep: Keep::Logs,
        restore: Restore::Nothing,
        on_return: None,
        accept: None,
        reload: Reload::Never,
        asked: Some(request.package.to_string()),
    };
    match plan(site, &request)? {
        Some(plan) => {
            plan.tell_of_foreign(site);
            Ok(begin(site, plan)?.view)
        }
        None => service::view(site.prefix, &request.service),
    }
}

/// Makes the generation, writes the change down, and sees it through or back.
fn begin(site: &mut Site<'_>, plan: Plan) -> Result<Done, UpgradeError> {
    interrupt::check()?;
    reserve::take(site.prefix)?;
    let generations = Generations::of(site.prefix, &plan.service);
    let age = if number_of(&plan.to).is_some() { Age::Earlier } else { Age::New };
    let to = make(site, &generations, &plan)?;
    let found = match plan.was {
        Was::Running => variables::check_rendered(site.prefix, &plan, &to),
        Was::Stopped => Ok(()),
    };
    let mut change = match found.and_then(|()| open(site, &generations, &plan, &to, age)) {
        Ok(change) => change,
        Err(error) => {
            // Nothing was touched. What cannot be taken back either is led back by the next command.
            if change::forget(site.prefix, &plan.service).is_ok() && age == Age::New {
                let _ = generations.forget_switch(to.number);
                let _ = generations.remove(to.number);
            }
            return Err(error.into());
        }
    };
    let mut downtime = Downtime::default();
    match attempt(site, &plan, &to, &mut change, &mut downtime) {
        Ok(()) => {
            let downtime = downtime.length();
            recover::finish_now(site, &change, &to.package, downtime)?;
            let view = service::view(site.prefix, &plan.service)?;
            let set_aside = SetAside::by(site.prefix, &plan.service, &change.id);
            Ok(Done { from: plan.from, to: Some(to), downtime, set_aside, view })
        }
        Err(error) => Err(revert::after_failure(site, change, to.package, error)),
    }
}

fn make(site: &Site<'_>, generations: &Generations, plan: &Plan) -> Result<Generation, UpgradeError> {
    match &plan.to {
        To::Earlier(generation) => Ok(generation.clone()),
        To::New(proposal) => {
            let draft = generations.draft()?;
            let before = plan.from.as_ref().map(|from| generations.etc(from.number));
            let ground = Ground { service: &plan.service, before: before.as_deref() };
            let (package, parameters) = (&proposal.package, &proposal.parameters);
            configure::prepare(site, package, ground, parameters, &draft.etc(), plan.accept)?;
            Ok(draft.commit(proposal.clone())?)
        }
    }
}

fn open(
    site: &Site<'_>,
    generations: &Generations,
    plan: &Plan,
    to: &Generation,
    age: Age,
) -> Result<Change, ServiceError> {
    let from = plan.from.as_ref().map(|from| from.number);
    let change = Change {
        id: OperationId::random()?,
        service: plan.service.clone(),
        cause: plan.cause,
        from,
        to: to.number,
        target: age,
        manner: plan.manner(),
        was: plan.was,
        step: Step::Prepared,
        saved: Vec::new(),
        keep: plan.keep,
        on_return: plan.on_return,
        actor: plan.actor.clone(),
        reason: plan.reason.clone(),
        started: (site.clock)(),
        process: std::process::id(),
        owner: change::ourselves(),
        attempts: 0,
        failure: None,
    };
    // Both directions are one rename from here on.
    generations.prepare_switch(to.number)?;
    from.map_or(Ok(()), |from| generations.prepare_switch(from))?;
    change.write(site.prefix)?;
    Ok(change)
}

fn attempt(
    site: &mut Site<'_>,
    plan: &Plan,
    to: &Generation,
    change: &mut Change,
    downtime: &mut Downtime,
) -> Result<(), ServiceError> {
    match change.manner {
        Manner::StartStop => return together::attempt(site, plan, to, change),
        Manner::Reload => return reloaded::attempt(site, plan, to, change),
        Manner::StopStart => {}
    }
    if let (Was::Running, Some(from)) = (plan.was, &plan.from) {
        hooks::pre_stop(site, &plan.service, from)?;
    }
    change.begin(site.prefix, Step::Stopping)?;
    downtime.begins(plan);
    service::stop_locked(site, &plan.service)?;
    change.begin(site.prefix, Step::Saving)?;
    save(site, plan, to, change)?;
    change.begin(site.prefix, Step::Migrating)?;
    bring_over(site, plan, to)?;
    change.begin(site.prefix, Step::Switching)?;
    Generations::of(site.prefix, &plan.service).switch_to(to.number)?;
    change.begin(site.prefix, Step::Starting)?;
    start(site, to)?;
    downtime.ends();
    try_out(site, to, change)
}

/// Switches beside a service that runs on: its configuration is saved and brought over, its data is left alone.
pub(super) fn switch_beside(
    site: &Site<'_>,
    plan: &Plan,
    to: &Generation,
    change: &mut Change,
) -> Result<(), ServiceError> {
    change.begin(site.prefix, Step::Saving)?;
    save_configuration(site, plan, to, change)?;
    change.begin(site.prefix, Step::Migrating)?;
    bring_configuration(site, plan, to)?;
    change.begin(site.prefix, Step::Switching)?;
    Generations::of(site.prefix, &plan.service).switch_to(to.number)?;
    Ok(())
}

/// Waits until what was started is good, lets its clients reach it, and says so for ever.
pub(super) fn try_out(site: &mut Site<'_>, to: &Generation, change: &mut Change) -> Result<(), ServiceError> {
    change.begin(site.prefix, Step::Trial)?;
    health::wait_until_good(site, to)?;
    if change.was == Was::Running || change.cause == Cause::Start {
        hooks::admit(site, to)?;
    }
    change.commit(site.prefix)
}

/// Saves what the way back needs. Nothing is changed by it.
fn save(site: &mut Site<'_>, plan: &Plan, to: &Generation, change: &mut Change) -> Result<(), ServiceError> {
    let Some(from) = &plan.from else { return Ok(()) };
    let (prefix, service) = (site.prefix, &plan.service);
    if let Some(slot) = &plan.slot {
        change.saved.extend(saved::in_place(prefix, service, saved::DATA, slot)?);
    } else if plan.contract.snapshot {
        site.note(format!("copying the data of {service}"));
        change.saved.extend(saved::copy(prefix, service, saved::DATA, &Slot::of(from.number))?);
    }
    save_configuration(site, plan, to, change)
}

/// Saves the configuration: what an earlier generation left takes its place, or a copy stays behind.
fn save_configuration(
    site: &Site<'_>,
    plan: &Plan,
    to: &Generation,
    change: &mut Change,
) -> Result<(), ServiceError> {
    let Some(from) = &plan.from else { return Ok(()) };
    let (prefix, service) = (site.prefix, &plan.service);
    let slot = Slot::of(to.number);
    let saved = if is_earlier(plan) && saved::is_kept(prefix, service, saved::ETC, &slot) {
        saved::in_place(prefix, service, saved::ETC, &slot)?
    } else {
        saved::copy(prefix, service, saved::ETC, &Slot::of(from.number))?
    };
    change.saved.extend(saved);
    Ok(())
}

/// Brings data and configuration to what the new generation needs.
fn bring_over(site: &mut Site<'_>, plan: &Plan, to: &Generation) -> Result<(), ServiceError> {
    if let Some(slot) = &plan.slot {
        saved::exchange(site.prefix, &plan.service, saved::DATA, slot)?;
    }
    bring_configuration(site, plan, to)?;
    match &plan.migration {
        Some(migration) => {
            site.note(format!("migrating the data of {} to {}", plan.service, migration.to.version()));
            hooks::migrate(site, &plan.service, migration)
        }
        None => Ok(()),
    }
}

/// Brings the configuration to what the new generation needs.
fn bring_configuration(site: &Site<'_>, plan: &Plan, to: &Generation) -> Result<(), ServiceError> {
    let (prefix, service) = (site.prefix, &plan.service);
    let slot = Slot::of(to.number);
    if is_earlier(plan) && saved::is_kept(prefix, service, saved::ETC, &slot) {
        return saved::exchange(prefix, service, saved::ETC, &slot);
    }
    let generations = Generations::of(prefix, service);
    let before = plan.from.as_ref().map(|from| generations.etc(from.number));
    let installed = InstalledService::open(prefix, &to.package)?;
    let (run_as, _) = RunAs::resolve(&to.package, installed.service.user.as_deref(), site.user)?;
    let ground = Ground { service, before: before.as_deref() };
    configure::place(site, ground, &generations.etc(to.number), run_as.owner())
}

fn is_earlier(plan: &Plan) -> bool {
    number_of(&plan.to).is_some()
}

/// Starts a generation. Its lock is held, and nothing of the service runs.
pub(super) fn start(site: &mut Site<'_>, generation: &Generation) -> Result<(), ServiceError> {
    let request = StartRequest {
        package: generation.package.clone(),
        service: generation.service.clone(),
        parameters: generation.parameters.clone(),
    };
    Start::prepare(site, &request)?.run(site)?;
    Ok(())
}

/// For how long nothing answered, at most.
#[derive(Debug, Default)]
struct Downtime {
    began: Option<Instant>,
    ended: Option<Instant>,
}

impl Downtime {
    fn begins(&mut self, plan: &Plan) {
        self.began = (plan.was == Was::Running).then(Instant::now);
    }

    fn ends(&mut self) {
        self.ended = Some(Instant::now());
    }

    fn length(&self) -> Option<Duration> {
        Some(self.ended?.duration_since(self.began?))
    }
}
