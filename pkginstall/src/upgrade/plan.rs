//! What a change would do, found out before anything is done.

use clap::ValueEnum;
use copkg_spec::conditions::Conditions;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::manifest::{Downgrade, OnReturn, Strategy, Upgrade};
use serde::{Deserialize, Serialize};

use super::change::{Manner, Was};
use super::perform::{Reload, Request, Target};
use super::saved::DataPlan;
use super::{Slot, UpgradeError, aside, saved, variables};
use crate::conditions;
use crate::configure::Accept;
use crate::generation::{Actor, Cause, Generation, Generations, History, Number, Proposal, Trial};
use crate::host::{self, Prefix};
use crate::service::{self, InstalledService, ServiceError, Site, Start, StartRequest, State};
use crate::unit;

/// What becomes of what a failed generation stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// It is removed; its output is kept.
    #[default]
    Logs,
    /// Its data and configuration are kept, too.
    Everything,
}

/// Which data a change leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Restore {
    /// What is there now.
    #[default]
    Nothing,
    /// What the generation left when another took its place.
    Data,
    /// What is kept under this name.
    Of(Slot),
}

/// A change that was found possible.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) service: ServiceCoordinate,
    pub(super) cause: Cause,
    pub(super) from: Option<Generation>,
    pub(super) to: To,
    pub(super) was: Was,
    /// Whether a reload will do.
    pub(super) reload: Reload,
    /// Whether systemd runs it: one unit is one service, so none runs beside another.
    pub(super) by_systemd: bool,
    /// How the package is upgraded that says how this change goes.
    pub(super) contract: Upgrade,
    pub(super) migration: Option<Migration>,
    /// Which data is brought back.
    pub(super) slot: Option<Slot>,
    pub(super) on_return: OnReturn,
    pub(super) keep: Keep,
    pub(super) accept: Option<Accept>,
    pub(super) actor: Actor,
    pub(super) reason: String,
}

/// What a change leads to.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub(super) enum To {
    New(Proposal),
    Earlier(Generation),
}

/// A call of a package's `migrate`.
#[derive(Debug, Clone)]
pub(super) struct Migration {
    /// The package whose script knows both versions.
    pub(super) package: PackageCoordinate,
    pub(super) from: PackageCoordinate,
    pub(super) to: PackageCoordinate,
}

impl Plan {
    /// Returns the package that the service is to run.
    pub(super) fn package(&self) -> &PackageCoordinate {
        self.to.package()
    }

    /// Tells whether another version of a package that runs already is to read its data.
    pub(super) fn leaves_version(&self) -> bool {
        self.from.as_ref().is_some_and(|from| from.package != *self.package())
    }

    /// Says how it goes about it.
    pub(super) fn manner(&self) -> Manner {
        let leaves_data = self.slot.is_none() && !self.contract.snapshot;
        let runs_on = self.was == Was::Running && self.from.is_some() && leaves_data;
        if runs_on && self.reload == Reload::Enough {
            Manner::Reload
        } else if runs_on && self.contract.strategy == Strategy::StartStop && !self.by_systemd {
            Manner::StartStop
        } else {
            Manner::StopStart
        }
    }
}

/// Finds out what `request` asks for. `None` when the service is that already.
pub(super) fn plan(site: &mut Site<'_>, request: &Request) -> Result<Option<Plan>, UpgradeError> {
    let service = &request.service;
    let generations = Generations::of(site.prefix, service);
    let from = generations.current()?;
    let to = target(site, request, &generations, from.as_ref())?;
    let (package, parameters) = match &to {
        To::New(proposal) => (proposal.package.clone(), proposal.parameters.clone()),
        To::Earlier(generation) => (generation.package.clone(), generation.parameters.clone()),
    };
    let slot = slot(request, &to);
    // Another configuration is no other package, and neither is other data.
    if request.cause != Cause::Configure && slot.is_none() && is_current(&to, from.as_ref()) {
        return Ok(None);
    }
    // Everything that can be wrong with the start is found while the old one runs.
    let start = StartRequest { package: package.clone(), service: service.clone(), parameters };
    Start::prepare(site, &start)?.check_limits(site, to.conditions())?;
    let was = was(site.prefix, service)?;
    if was == Was::Running {
        variables::check_unmade(site.prefix, service, &to)?;
    }
    // Whoever wrote the data that it gets decides what must be done to it.
    let writer = writer(site.prefix, service, slot.as_ref(), from.as_ref())?;
    let direction = Direction::between(writer.as_ref(), &package);
    let installed = InstalledService::open(site.prefix, &package)?;
    installed.check_optional_scripts(site.prefix)?;
    let leaving = writer.as_ref().filter(|_| direction == Direction::Down);
    // On the way down it is the higher version that knows what it did to the data.
    let decides = match leaving {
        Some(writer) => InstalledService::open(site.prefix, writer)?,
        None => installed,
    };
    decides.check_optional_scripts(site.prefix)?;
    let contract = decides.service.upgrade();
    if let Some(from) = leaving.filter(|_| contract.downgrade == Downgrade::Forbidden) {
        return Err(UpgradeError::DowngradeForbidden { from: from.clone(), to: package });
    }
    let on_return = on_return(request, &contract, &package)?;
    let calls = match direction {
        Direction::Up => decides.service.migrate.is_some(),
        Direction::Down => contract.downgrade == Downgrade::Hook,
        Direction::Same | Direction::Elsewhere => false,
    };
    let migration = writer.filter(|_| calls).map(|from| Migration {
        package: decides.package.clone(),
        from,
        to: package.clone(),
    });
    if let (Some(slot), Some(migration)) = (&slot, &migration) {
        let (writer, slot) = (migration.from.clone(), slot.clone());
        return Err(UpgradeError::OfAnotherVersion {
            service: service.clone(),
            slot,
            writer: Box::new(writer),
            package,
        });
    }
    let asked = request.on_return == Some(OnReturn::Restore) && from.is_some();
    let snapshot = slot.is_none() && (asked || contract.snapshot && changes_data(direction, &contract));
    let contract = Upgrade { snapshot, ..contract };
    let plan = Plan {
        service: service.clone(),
        cause: request.cause,
        from,
        to,
        was,
        reload: reload(request, was, &package, site.prefix)?,
        by_systemd: unit::managed(site.prefix, service).map_err(ServiceError::from)?.is_some(),
        contract,
        migration,
        slot,
        on_return,
        keep: request.keep,
        accept: request.accept,
        actor: Actor::of(site.user, site.environment),
        reason: request.reason.clone(),
    };
    plan.check_data(site.prefix)?;
    // The change is appended to it at the end.
    History::read(site.prefix, service)?;
    Ok(Some(plan))
}

impl To {
    /// Returns the package that the service is to run.
    pub(super) fn package(&self) -> &PackageCoordinate {
        match self {
            Self::New(proposal) => &proposal.package,
            Self::Earlier(generation) => &generation.package,
        }
    }

    /// Returns the conditions under which it is to run.
    pub(super) fn conditions(&self) -> &Conditions {
        match self {
            Self::New(proposal) => &proposal.conditions,
            Self::Earlier(generation) => &generation.conditions,
        }
    }
}

impl Plan {
    /// Says what was written into the package that the service leaves: the next one does not have it.
    pub(super) fn tell_of_foreign(&self, site: &mut Site<'_>) {
        let Some(left) = self.from.as_ref().map(|from| &from.package).filter(|left| *left != self.package())
        else {
            return;
        };
        // Where that cannot be found out, an upgrade does not depend on it.
        let names = host::foreign(site.prefix, left).unwrap_or_default();
        if !names.is_empty() {
            let names = host::shown(&names);
            site.warn(format!(
                "files that are not the package's lie in {left}, where {} does not look for them: {names}; a service may \
                 write below its runtime directory only",
                self.package()
            ));
        }
    }

    fn check_data(&self, prefix: &Prefix) -> Result<(), UpgradeError> {
        if self.from.is_none() {
            return Ok(());
        }
        let plan = match self.slot {
            Some(_) => DataPlan::Replaced,
            None if self.contract.snapshot => DataPlan::Copied,
            None => DataPlan::Left,
        };
        saved::check(prefix, &self.service, plan)
    }
}

/// Names the data that is brought back.
fn slot(request: &Request, to: &To) -> Option<Slot> {
    match &request.restore {
        Restore::Nothing => None,
        Restore::Data => number_of(to).or_else(|| parent_of(to)).map(Slot::of),
        Restore::Of(slot) => Some(slot.clone()),
    }
}

/// What a service is, with the data that it left once, is a generation of its own.
fn parent_of(to: &To) -> Option<Number> {
    match to {
        To::New(proposal) => proposal.parent,
        To::Earlier(_) => None,
    }
}

/// Says which package wrote the data that the service is to have.
fn writer(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    slot: Option<&Slot>,
    from: Option<&Generation>,
) -> Result<Option<PackageCoordinate>, UpgradeError> {
    let Some(slot) = slot else { return Ok(from.map(|from| from.package.clone())) };
    let writer = aside::writer(prefix, service, slot)?;
    let none = || UpgradeError::NoKeptData { service: service.clone(), slot: slot.clone() };
    writer.map(Some).ok_or_else(none)
}

/// Says what becomes of the data should the change fail. It can stay only where the version before reads it.
fn on_return(
    request: &Request,
    contract: &Upgrade,
    package: &PackageCoordinate,
) -> Result<OnReturn, UpgradeError> {
    let given = request.on_return.unwrap_or(contract.on_return);
    if given == OnReturn::Keep && contract.downgrade != Downgrade::Allowed {
        return Err(UpgradeError::CannotKeep { package: package.clone(), downgrade: contract.downgrade });
    }
    Ok(given)
}

/// Finds the generation, or says what makes a new one.
fn target(
    site: &Site<'_>,
    request: &Request,
    generations: &Generations,
    from: Option<&Generation>,
) -> Result<To, UpgradeError> {
    let service = &request.service;
    let none = || UpgradeError::NoWayBack { service: service.clone() };
    match &request.target {
        Target::Package { package, parameters } => {
            let installed = InstalledService::open(site.prefix, package)?;
            let inherited = || from.map(|from| from.parameters.clone()).unwrap_or_default();
            Ok(To::New(Proposal {
                parent: from.map(|from| from.number),
                package: package.clone(),
                digest: installed.digest,
                parameters: parameters.clone().unwrap_or_else(inherited),
                conditions: conditions::resolve(site.prefix, service, &installed.service.conditions)
                    .map_err(ServiceError::from)?,
                directories: installed.service.directories,
                asked: request.asked.clone(),
                actor: Actor::of(site.user, site.environment),
                reason: request.reason.clone(),
                created: (site.clock)(),
            }))
        }
        Target::Current => {
            let from = from.ok_or_else(none)?;
            Ok(again(site, request, from))
        }
        Target::LastGood => {
            let from = from.ok_or_else(none)?;
            Ok(To::Earlier(generations.last_good_ancestor(from.number)?.ok_or_else(none)?))
        }
        Target::Generation(number) => {
            let to = generations.read(*number)?;
            if generations.outcome(*number)?.state != Trial::Good {
                return Err(UpgradeError::NotGood { service: service.clone(), number: *number });
            }
            let is_current = from.is_some_and(|from| from.number == *number);
            if is_current && request.restore != Restore::Nothing {
                return Ok(again(site, request, &to));
            }
            Ok(To::Earlier(to))
        }
    }
}

/// What a service is, once more under a number of its own.
fn again(site: &Site<'_>, request: &Request, from: &Generation) -> To {
    To::New(Proposal {
        parent: Some(from.number),
        package: from.package.clone(),
        digest: from.digest,
        parameters: from.parameters.clone(),
        conditions: from.conditions.clone(),
        directories: from.directories.clone(),
        asked: from.asked.clone(),
        actor: Actor::of(site.user, site.environment),
        reason: request.reason.clone(),
        created: (site.clock)(),
    })
}

fn is_current(to: &To, from: Option<&Generation>) -> bool {
    let Some(from) = from else { return false };
    match to {
        To::New(new) => {
            new.package == from.package
                && new.digest == from.digest
                && service::are_same_parameters(&new.parameters, &from.parameters)
        }
        To::Earlier(to) => to.number == from.number,
    }
}

/// A service that died has nothing to reload.
fn reload(
    request: &Request,
    was: Was,
    package: &PackageCoordinate,
    prefix: &Prefix,
) -> Result<Reload, ServiceError> {
    if request.reload == Reload::Never || was == Was::Stopped {
        return Ok(Reload::Never);
    }
    let can = service::can_reload(&InstalledService::open(prefix, package)?);
    let runs = service::view(prefix, &request.service)?.state == State::Running;
    Ok(if can && runs { Reload::Enough } else { Reload::Never })
}

/// A service that should run and died is brought back, too.
fn was(prefix: &Prefix, coordinate: &ServiceCoordinate) -> Result<Was, ServiceError> {
    service::refuse_started_by_hand(prefix, coordinate)?;
    let view = match service::view(prefix, coordinate) {
        Err(ServiceError::NeverStarted { .. }) => return Ok(Was::Stopped),
        view => view?,
    };
    match view.state {
        State::Unknown => {
            Err(ServiceError::Unknown { service: coordinate.clone(), why: view.why.unwrap_or_default() })
        }
        State::Running | State::Failed => Ok(Was::Running),
        State::Stopped => Ok(Was::Stopped),
    }
}

/// Where a change leads, as far as the data is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// To a higher version.
    Up,
    /// To a lower one.
    Down,
    /// The same package.
    Same,
    /// To a package with another name, or from nothing.
    Elsewhere,
}

impl Direction {
    fn between(from: Option<&PackageCoordinate>, to: &PackageCoordinate) -> Self {
        let Some(from) = from else { return Self::Elsewhere };
        if from.group() != to.group() || from.id() != to.id() {
            return Self::Elsewhere;
        }
        match to.version().cmp(from.version()) {
            std::cmp::Ordering::Greater => Self::Up,
            std::cmp::Ordering::Less => Self::Down,
            std::cmp::Ordering::Equal => Self::Same,
        }
    }
}

fn changes_data(direction: Direction, contract: &Upgrade) -> bool {
    match direction {
        Direction::Up | Direction::Elsewhere => true,
        Direction::Down => contract.downgrade != Downgrade::Forbidden,
        Direction::Same => false,
    }
}

/// Names the generation that another leads to, for messages.
pub(super) fn number_of(to: &To) -> Option<Number> {
    match to {
        To::New(_) => None,
        To::Earlier(generation) => Some(generation.number),
    }
}
