//! The trial: a new generation is good when it was well for the whole of its health window.

use crate::generation::Generation;
use crate::health::{HealthRequest, Verdict, await_health};
use crate::service::{InstalledService, ServiceError, Site};
use crate::unit;

/// Waits until `generation`, which was started, is good.
pub(super) fn wait_until_good(site: &mut Site<'_>, generation: &Generation) -> Result<(), ServiceError> {
    let Generation { service, package, parameters, .. } = generation;
    let installed = InstalledService::open(site.prefix, package)?.service;
    if generation.parent.is_none() && installed.health.is_none() && installed.check.is_none() {
        // It came through its settling time, nothing says how else to ask it, and there is nothing to lead back to.
        return Ok(());
    }
    match await_health(site, &HealthRequest { service, package, parameters })? {
        // Between two looks systemd may have started it again.
        Verdict::Healthy { .. } if unit::was_restarted(site, service)? => Err(ServiceError::NotWell {
            service: service.clone(),
            why: "it ended, and systemd started it again".into(),
        }),
        Verdict::Healthy { .. } => Ok(()),
        Verdict::Unhealthy { why, .. } => Err(ServiceError::NotWell { service: service.clone(), why }),
    }
}
