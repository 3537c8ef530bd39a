//! Recovery: a change of a deployment whose command died is finished when it was good already, else rolled back.

use copkg_spec::command::Failure;
use copkg_spec::coordinate::{Label, PackageCoordinate};
use jiff::Timestamp;
use serde::Serialize;

use super::change::{DeploymentChange, Stage};
use super::perform::{finish, lock};
use super::store::FailureRecord;
use super::{DeployError, DeploymentStore, Owned, RolledBack, revert};
use crate::generation::Trial;
use crate::host::{self, LockError, Notice, Prefix, Wait};
use crate::service::{Site, Told};

/// A change of a deployment that was interrupted.
#[derive(Debug, Clone, Serialize)]
pub struct LeftDeployment {
    /// The deployment.
    pub deployment: Label,
    /// The package that it was to be.
    pub package: PackageCoordinate,
    /// How far it came.
    pub interrupted: String,
    /// When it was begun.
    pub started: Timestamp,
    /// What became of it; `None` when it was only looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// What became of its services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<RolledBack>,
}

impl std::fmt::Display for LeftDeployment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { deployment, package, interrupted, .. } = self;
        write!(f, "the deployment {deployment}: its change to {package} was interrupted {interrupted}")?;
        self.outcome.as_ref().map_or(Ok(()), |outcome| write!(f, "; {outcome}"))?;
        self.services.iter().try_for_each(|service| write!(f, "\n  {service}"))
    }
}

/// Says which changes of deployments were interrupted or are under way, without touching them.
///
/// # Errors
/// When the deployments cannot be listed.
pub fn left_behind(prefix: &Prefix) -> Result<Vec<LeftDeployment>, DeployError> {
    let mut left = Vec::new();
    for name in DeploymentStore::names(prefix)? {
        // One that cannot be read is named by the recovery itself.
        left.extend(DeploymentChange::read(prefix, &name).ok().flatten().map(|change| describe(&change)));
    }
    Ok(left)
}

/// A deployment that could not be recovered, and why.
pub type DeploymentNotRecovered = (Label, Failure);

/// Recovers every deployment whose change was interrupted. What another command is at work on is left to it.
///
/// # Errors
/// When the deployments cannot be listed. Those that cannot be recovered keep none of the others from it, and are returned.
pub fn recover_all(
    site: &mut Site<'_>,
) -> Result<(Vec<LeftDeployment>, Vec<DeploymentNotRecovered>), DeployError> {
    let (mut recovered, mut failed) = (Vec::new(), Vec::new());
    if host::is_idle(site.prefix) {
        return Ok((recovered, failed));
    }
    for name in DeploymentStore::names(site.prefix)? {
        match recover_unheld(site, &name) {
            Ok(left) => recovered.extend(left),
            Err(error) => failed.push((name, Failure::of(&error))),
        }
    }
    Ok((recovered, failed))
}

/// Recovers what interrupted deployments left, before another command changes services, and says so. What fails is said, too,
/// and hinders nothing.
pub fn recover_before(site: &mut Site<'_>) {
    match recover_all(site) {
        Ok((recovered, failed)) => {
            for left in recovered {
                site.note(format!("recovered: {left}"));
            }
            for (name, failure) in failed {
                site.warn(format!("the deployment {name} could not be recovered: {failure}"));
            }
        }
        Err(error) => site.warn(Failure::of(&error).to_string()),
    }
}

fn recover_unheld(site: &mut Site<'_>, name: &Label) -> Result<Option<LeftDeployment>, DeployError> {
    let wait = std::mem::replace(&mut site.wait, Wait::No);
    let held = lock(site, name);
    site.wait = wait;
    match held {
        Ok(_lock) => recover_quietly(site, name),
        Err(DeployError::Lock(LockError::Held { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Recovers a deployment, and says so. Its lock is held: a change that is found has no living command.
///
/// # Errors
/// When it cannot be recovered.
pub(super) fn recover(site: &mut Site<'_>, name: &Label) -> Result<(), DeployError> {
    if let Some(left) = recover_quietly(site, name)? {
        site.note(format!("recovered: {left}"));
    }
    Ok(())
}

fn recover_quietly(site: &mut Site<'_>, name: &Label) -> Result<Option<LeftDeployment>, DeployError> {
    let Some(mut change) = DeploymentChange::read(site.prefix, name)? else {
        abandon(site, name)?;
        close(site, name)?;
        return Ok(None);
    };
    let mut left = describe(&change);
    if change.stage == Stage::Good {
        finish(site, &change)?;
        left.outcome = Some("it was good already and is finished".into());
    } else {
        let why = format!("its command was interrupted {}", change.words());
        let returned = revert::revert(site, &mut change, FailureRecord::interrupted(why))?;
        if !returned.is_finished {
            return Err(unfinished(&change, returned.services));
        }
        left.outcome = Some("every service was rolled back".into());
        if returned.services.iter().any(|service| service.error.is_some()) {
            left.outcome = Some("it was rolled back, but for what could not be put back".into());
        }
        left.services = returned.services;
    }
    close(site, name)?;
    Ok(Some(left))
}

fn unfinished(change: &DeploymentChange, services: Vec<RolledBack>) -> DeployError {
    let why = format!("its command was interrupted {}", change.words());
    DeployError::Failed {
        name: change.name.clone(),
        number: change.to,
        at: None,
        services,
        logs: Vec::new(),
        is_finished: false,
        source: Box::new(DeployError::Verification { what: why }),
    }
}

/// Marks a generation that was made and never tried: its command died before it wrote the change down.
fn abandon(site: &Site<'_>, name: &Label) -> Result<(), DeployError> {
    let (prefix, now) = (site.prefix, (site.clock)());
    let store = DeploymentStore::of(prefix, name);
    let Some(last) = store.list()?.last().copied() else { return Ok(()) };
    if store.outcome(last)?.state != Trial::Trial {
        return Ok(());
    }
    let why = "it was interrupted before any service was touched".to_owned();
    store.fail(last, &FailureRecord::interrupted(why), now)?;
    let current = store.current()?;
    Owned::read(prefix, name)?
        .settle(prefix, current.as_ref().map(|one| &one.desired), now)
        .write(prefix, name)
}

/// Closes what dead commands left in the journal of the prefix.
fn close(site: &mut Site<'_>, name: &Label) -> Result<(), DeployError> {
    let (prefix, wait) = (site.prefix, site.wait);
    let tell = &mut *site.tell;
    let mut notice = |notice: Notice| tell(Told::Note(notice.to_string()));
    Ok(host::close_deployment(prefix, name, wait, &mut notice)?)
}

pub(super) fn describe(change: &DeploymentChange) -> LeftDeployment {
    LeftDeployment {
        deployment: change.name.clone(),
        package: change.package.clone(),
        interrupted: change.words(),
        started: change.started,
        outcome: None,
        services: Vec::new(),
    }
}
