//! Another configuration for the same package: reloaded where the service can, else restarted. Both go the way of every
//! change: a new generation, a journal, a trial, and back when that fails.

use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::manifest::OnReturn;

use super::perform::{Reload, Request, Target, upgrade};
use super::plan::{Keep, Restore};
use super::{UpgradeError, recover};
use crate::conditions;
use crate::configure::{self, Accept, Ground, Rendered};
use crate::generation::{Cause, Generation, Generations};
use crate::service::{InstalledService, ServiceError, Site, State};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Reconfiguration {
    /// The service.
    pub service: ServiceCoordinate,
    /// Whose side is taken where changes contradict one another.
    pub accept: Option<Accept>,
    /// Whether it may be reloaded.
    pub way: Way,
    /// What becomes of the data should it not be well; it stays when left out.
    pub on_return: Option<OnReturn>,
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
    let installed = InstalledService::open(site.prefix, &current.package)?;
    let conditions = conditions::resolve(site.prefix, service, &installed.service.conditions)
        .map_err(ServiceError::from)?;
    let same_conditions = conditions == current.conditions;
    if same_conditions && read(&old)? == read(&draft.etc())? {
        return Ok(Reconfigured::Unchanged);
    }
    if request.way == Way::Try {
        return Ok(Reconfigured::Different);
    }
    drop(draft);
    drop(lock);
    // Conditions are set for a process that starts.
    let way = if same_conditions { request.way } else { Way::Restart };
    let done = upgrade(site, &change(&current, request, way))?;
    Ok(if done.downtime.is_none() && done.view.state == State::Running {
        Reconfigured::Reloaded
    } else {
        Reconfigured::Restarted
    })
}

fn change(current: &Generation, request: &Reconfiguration, way: Way) -> Request {
    Request {
        service: request.service.clone(),
        target: Target::Package { package: current.package.clone(), parameters: None },
        cause: Cause::Configure,
        reason: request.reason.clone(),
        keep: Keep::Logs,
        restore: Restore::Nothing,
        on_return: request.on_return,
        accept: request.accept,
        asked: current.asked.clone(),
        reload: if way == Way::Gentle { Reload::Enough } else { Reload::Never },
    }
}
