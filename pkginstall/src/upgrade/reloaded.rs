//! Another configuration that a running service only has to read again: nothing is stopped.

use super::change::Change;
use super::perform::{switch_beside, try_out};
use super::plan::Plan;
use super::{Step, saved};
use crate::generation::Generation;
use crate::service::{self, ServiceError, Site, State};

/// Places the files, switches and reloads, and waits until the service is good with them.
pub(super) fn attempt(
    site: &mut Site<'_>,
    plan: &Plan,
    to: &Generation,
    change: &mut Change,
) -> Result<(), ServiceError> {
    switch_beside(site, plan, to, change)?;
    change.begin(site.prefix, Step::Starting)?;
    service::reload_locked(site, &plan.service)?;
    try_out(site, to, change)
}

/// Puts the old files back below a service that runs; `false` where it died and has to be started like any other.
pub(super) fn put_back(site: &Site<'_>, change: &Change) -> Result<bool, ServiceError> {
    if service::view(site.prefix, &change.service)?.state != State::Running {
        return Ok(false);
    }
    saved::put_back(site.prefix, change)?;
    Ok(true)
}

/// Has the service read its old configuration. That it does not is said: it runs, and the next restart does it.
pub(super) fn read_again(site: &mut Site<'_>, change: &Change) {
    if let Err(error) = service::reload_locked(site, &change.service) {
        site.warn(format!("{} has its old configuration again, but: {error}", change.service));
    }
}
