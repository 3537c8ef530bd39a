//! What becomes of services that a deployment no longer names: kept, stopped, until their time is up.

use copkg_spec::coordinate::{Label, ServiceCoordinate};
use jiff::Timestamp;
use serde::Serialize;

use super::perform::lock;
use super::{DeployError, DeploymentStore, Owned, Ownership};
use crate::generation::Number;
use crate::host::{Effect, Prefix};
use crate::service::{self, Forgotten, ServiceError, Site};

/// A service that its deployment no longer names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retired {
    /// The deployment.
    pub deployment: Label,
    /// The service.
    pub service: ServiceCoordinate,
    /// Until when it is kept.
    pub until: Timestamp,
}

/// Lists the services whose time is up.
///
/// # Errors
/// When deployments cannot be read.
pub fn expired(prefix: &Prefix, now: Timestamp) -> Result<Vec<Retired>, DeployError> {
    let mut expired = Vec::new();
    for deployment in DeploymentStore::names(prefix)? {
        for (service, ownership) in Owned::read(prefix, &deployment)?.services {
            if let Ownership::Retired { until } = ownership
                && until <= now
            {
                expired.push(Retired { deployment: deployment.clone(), service, until });
            }
        }
    }
    Ok(expired)
}

/// Forgets the services whose time is up. What they stored is set aside, as `forget` does it.
///
/// # Errors
/// When deployments cannot be read, or a service cannot be forgotten; those before it are.
pub fn forget_expired(site: &mut Site<'_>, effect: Effect) -> Result<Vec<Forgotten>, DeployError> {
    let mut forgotten = Vec::new();
    for one in expired(site.prefix, (site.clock)())? {
        let _lock = if effect == Effect::Real { Some(lock(site, &one.deployment)?) } else { None };
        let done = match effect {
            Effect::Real => service::forget(site, &one.service),
            Effect::DryRun => service::check_forget(site, &one.service),
        };
        match done {
            Ok(done) => forgotten.push(done),
            // It was forgotten by hand, or an earlier command died after that.
            Err(ServiceError::NeverStarted { .. }) => {}
            // It was started by hand since.
            Err(ServiceError::StillRuns { .. }) => continue,
            Err(error) => return Err(error.into()),
        }
        if effect == Effect::Real {
            let mut owned = Owned::read(site.prefix, &one.deployment)?;
            owned.services.remove(&one.service);
            owned.write(site.prefix, &one.deployment)?;
        }
    }
    if effect == Effect::Real {
        forget_empty(site)?;
    }
    Ok(forgotten)
}

/// Removes the generations that no deployment keeps: of each the current one stays, the last good one before it, and as many of
/// the last ones as its description says.
///
/// # Errors
/// When they cannot be read or removed; those before are gone.
pub fn prune_generations(site: &mut Site<'_>, effect: Effect) -> Result<Vec<PrunedGeneration>, DeployError> {
    let mut pruned = Vec::new();
    for deployment in DeploymentStore::names(site.prefix)? {
        let _lock = if effect == Effect::Real { Some(lock(site, &deployment)?) } else { None };
        let store = DeploymentStore::of(site.prefix, &deployment);
        let Some(current) = store.current()? else { continue };
        let good = store.last_good_ancestor(current.number)?;
        let keep = usize::from(current.desired.keep_generations);
        let old: Vec<Number> = store.list()?.into_iter().rev().skip(keep).collect();
        for number in old.into_iter().filter(|number| *number != current.number && Some(*number) != good) {
            if effect == Effect::Real {
                store.remove(number)?;
            }
            pruned.push(PrunedGeneration { deployment: deployment.clone(), number });
        }
    }
    Ok(pruned)
}

/// A generation of a deployment that went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrunedGeneration {
    /// The deployment.
    pub deployment: Label,
    /// Its number.
    pub number: Number,
}

/// Forgets the deployments that were removed and hold nothing any more.
fn forget_empty(site: &mut Site<'_>) -> Result<(), DeployError> {
    for name in DeploymentStore::names(site.prefix)? {
        let current = DeploymentStore::of(site.prefix, &name).current()?;
        let is_removed = current.is_some_and(|current| current.desired.services.is_empty());
        if is_removed && Owned::read(site.prefix, &name)?.services.is_empty() {
            let _lock = lock(site, &name)?;
            DeploymentStore::forget(site.prefix, &name)?;
        }
    }
    Ok(())
}
