//! Another configuration for the same package: reloaded where the service can, else restarted.
//!
//! A restart goes the way of every change. A reload stops nothing, so there is nothing to lead back but files: should the
//! command die between placing them and renaming the link, the service has the new files and is the old generation;
//! the next `config apply` finds them there and goes on.

use std::collections::BTreeMap;

use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::index::EntryPath;

use super::perform::{Request, Target, upgrade};
use super::plan::{Keep, Restore};
use super::{UpgradeError, health, recover};
use crate::configure::{self, Accept, ConfigureError, Ground, Rendered};
use crate::generation::{
    Actor, Cause, Event, Generation, Generations, History, Outcome, Proposal, Trial, Verdict,
};
use crate::host::OperationId;
use crate::runtime::RuntimeDirectory;
use crate::service::{self, InstalledService, RunAs, ServiceError, Site, State};

/// The largest file that is put back.
const LIMIT: u64 = 8 << 20;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Reconfiguration {
    /// The service.
    pub service: ServiceCoordinate,
    /// Whose side is taken where changes contradict one another.
    pub accept: Option<Accept>,
    /// Whether it may be reloaded.
    pub way: Way,
    /// Why.
    pub reason: String,
}

/// How a new configuration is made to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By a reload where the service can, else by a restart.
    Gentle,
    /// By a restart.
    Restart,
    /// Not at all: it is only tried whether it could be.
    Try,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reconfigured {
    /// Nothing is different.
    Unchanged,
    /// It would be different.
    Different,
    /// It was reloaded.
    Reloaded,
    /// It was restarted, or is stopped and starts with it.
    Restarted,
}

/// Renders the configuration of a service anew and makes it count.
///
/// # Errors
/// When it cannot be rendered or merged, in which case nothing was done; or the service was not well with it, in which
/// case it has the old one again.
pub fn reconfigure(site: &mut Site<'_>, request: &Reconfiguration) -> Result<Reconfigured, UpgradeError> {
    let service = &request.service;
    let lock = site.lock(service)?;
    recover(site, service)?;
    let generations = Generations::of(site.prefix, service);
    let current = generations.current()?;
    let current = current.ok_or_else(|| ServiceError::NeverStarted { service: service.clone() })?;
    let old = generations.etc(current.number);
    let draft = generations.draft()?;
    let ground = Ground { service, before: Some(&old) };
    configure::prepare(site, &current.package, ground, &current.parameters, &draft.etc(), request.accept)?;
    let read = |path| Rendered::read_from(path).map_err(ServiceError::from);
    if read(&old)? == read(&draft.etc())? {
        return Ok(Reconfigured::Unchanged);
    }
    if request.way == Way::Try {
        return Ok(Reconfigured::Different);
    }
    let installed = InstalledService::open(site.prefix, &current.package)?;
    let runs = service::view(site.prefix, service)?.state == State::Running;
    if runs && request.way == Way::Gentle && service::can_reload(&installed) {
        let to = draft.commit(proposal(site, &current, &installed, request))?;
        reload(site, &current, &to, &installed, request)?;
        return Ok(Reconfigured::Reloaded);
    }
    drop(draft);
    drop(lock);
    restart(site, &current, request)
}

fn proposal(
    site: &Site<'_>,
    current: &Generation,
    installed: &InstalledService,
    request: &Reconfiguration,
) -> Proposal {
    Proposal {
        parent: Some(current.number),
        package: current.package.clone(),
        digest: installed.digest,
        parameters: current.parameters.clone(),
        directories: installed.service.directories.clone(),
        actor: Actor::of(site.user, site.environment),
        reason: request.reason.clone(),
        created: (site.clock)(),
    }
}

fn restart(
    site: &mut Site<'_>,
    current: &Generation,
    request: &Reconfiguration,
) -> Result<Reconfigured, UpgradeError> {
    let change = Request {
        service: request.service.clone(),
        target: Target::Package { package: current.package.clone(), parameters: None },
        cause: Cause::Configure,
        reason: request.reason.clone(),
        keep: Keep::Logs,
        restore: Restore::Nothing,
        accept: request.accept,
    };
    upgrade(site, &change)?;
    Ok(Reconfigured::Restarted)
}

/// Places the files, switches and reloads; puts everything back when the service is not well with it.
fn reload(
    site: &mut Site<'_>,
    from: &Generation,
    to: &Generation,
    installed: &InstalledService,
    request: &Reconfiguration,
) -> Result<(), UpgradeError> {
    let generations = Generations::of(site.prefix, &to.service);
    let before = Before::read(site, from, to)?;
    generations.prepare_switch(to.number)?;
    generations.prepare_switch(from.number)?;
    let tried = try_reload(site, from, to, installed);
    let why = tried.as_ref().err().map(ToString::to_string);
    if tried.is_err() {
        before.put_back(site, installed)?;
        generations.switch_to(from.number)?;
        if let Err(error) = service::reload_locked(site, &to.service) {
            site.warn(format!("{} has its old configuration again, but: {error}", to.service));
        }
    }
    let (state, verdict) = match &why {
        None => (Trial::Good, Verdict::Good),
        Some(_) => (Trial::Failed, Verdict::Failed),
    };
    let time = (site.clock)();
    generations.set_outcome(to.number, &Outcome { state, since: time, why: why.clone() })?;
    let event = Event {
        change: OperationId::random()?,
        cause: Cause::Configure,
        verdict,
        time,
        actor: to.actor.clone(),
        reason: request.reason.clone(),
        from: Some(from.number),
        to: to.number,
        package: to.package.clone(),
        digest: to.digest,
        generation: generations.digest(to.number)?,
        why,
        downtime_milliseconds: None,
    };
    History::append(site.prefix, &to.service, &event)?;
    Ok(tried?)
}

fn try_reload(
    site: &mut Site<'_>,
    from: &Generation,
    to: &Generation,
    installed: &InstalledService,
) -> Result<(), ServiceError> {
    let generations = Generations::of(site.prefix, &to.service);
    let old = generations.etc(from.number);
    let ground = Ground { service: &to.service, before: Some(&old) };
    let (run_as, _) = RunAs::resolve(&to.package, installed.service.user.as_deref(), site.user)?;
    configure::place(site, ground, &generations.etc(to.number), run_as.owner())?;
    generations.switch_to(to.number)?;
    service::reload_locked(site, &to.service)?;
    health::wait_until_good(site, to)
}

/// The files as they were.
struct Before {
    service: ServiceCoordinate,
    files: BTreeMap<EntryPath, Option<Vec<u8>>>,
    modes: BTreeMap<EntryPath, u32>,
}

impl Before {
    fn read(site: &Site<'_>, from: &Generation, to: &Generation) -> Result<Self, ServiceError> {
        let generations = Generations::of(site.prefix, &to.service);
        let mut before = Self { service: to.service.clone(), files: BTreeMap::new(), modes: BTreeMap::new() };
        let Some(runtime) = RuntimeDirectory::open(site.prefix, &to.service)? else { return Ok(before) };
        for number in [to.number, from.number] {
            for (path, file) in Rendered::read_from(&generations.etc(number))?.files {
                let there = runtime.read_file(&format!("etc/{path}"), LIMIT)?;
                before.files.insert(path.clone(), there);
                before.modes.insert(path, file.mode());
            }
        }
        Ok(before)
    }

    fn put_back(&self, site: &Site<'_>, installed: &InstalledService) -> Result<(), ServiceError> {
        let (run_as, _) = RunAs::resolve(&installed.package, installed.service.user.as_deref(), site.user)?;
        let runtime = RuntimeDirectory::make(site.prefix, &self.service, run_as.owner())?;
        for (path, bytes) in &self.files {
            let place = format!("etc/{path}");
            let mode = self.modes.get(path).copied().unwrap_or(0o600);
            match bytes {
                Some(bytes) => runtime.write_file(&place, mode, run_as.owner(), bytes),
                None => runtime.remove_file(&place),
            }
            .map_err(ConfigureError::from)?;
        }
        Ok(())
    }
}
