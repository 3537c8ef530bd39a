//! What a deployment is now, and how its services are.

use std::collections::BTreeMap;

use copkg_spec::command::Failure;
use copkg_spec::coordinate::{Label, PackageCoordinate, ServiceCoordinate};
use jiff::Timestamp;
use serde::Serialize;

use super::change::DeploymentChange;
use super::observe::Observed;
use super::{
    DeployError, DeploymentCause, DeploymentStore, DesiredService, LeftDeployment, Owned, Ownership, Retired,
};
use crate::configure;
use crate::generation::{Generations, Number};
use crate::host::Prefix;
use crate::service::{self, State};

/// A deployment as `deploy status` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct DeploymentStatus {
    /// Its name.
    pub deployment: Label,
    /// The package of its description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageCoordinate>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The host, as the environment names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<Number>,
    /// What led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<DeploymentCause>,
    /// Since when it is that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Its services, in the order in which they change.
    pub services: Vec<ServiceStatus>,
    /// Services that it no longer names and still keeps.
    pub retired: Vec<Retired>,
    /// A change of it that is under way or was interrupted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<LeftDeployment>,
}

/// A service of a deployment.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceStatus {
    /// The service.
    pub service: ServiceCoordinate,
    /// Whether it runs.
    pub state: State,
    /// Its generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<Number>,
    /// The package that the deployment names.
    pub package: PackageCoordinate,
    /// Where people reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What is not as the deployment says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<String>,
}

impl DeploymentStatus {
    /// Tells whether every service runs.
    pub fn is_up(&self) -> bool {
        self.services.iter().all(|one| one.state == State::Running)
    }
}

/// Looks at a deployment.
///
/// # Errors
/// When there is none of that name, or it cannot be read.
pub fn status(prefix: &Prefix, name: &Label) -> Result<DeploymentStatus, DeployError> {
    if !prefix.deployment(name).is_dir() {
        return Err(DeployError::Unknown { name: name.clone(), known: DeploymentStore::names(prefix)? });
    }
    let store = DeploymentStore::of(prefix, name);
    let current = store.current()?;
    let since = current.as_ref().map(|current| store.outcome(current.number)).transpose()?;
    let mut services = Vec::new();
    for wanted in current.iter().flat_map(|current| &current.desired.services) {
        services.push(service_status(prefix, name, wanted));
    }
    let retired = Owned::read(prefix, name)?.services.into_iter().filter_map(|(service, ownership)| {
        let Ownership::Retired { until } = ownership else { return None };
        Some(Retired { deployment: name.clone(), service, until })
    });
    let desired = current.as_ref().map(|current| &current.desired);
    Ok(DeploymentStatus {
        deployment: name.clone(),
        package: desired.map(|desired| desired.package.clone()),
        environment: desired.map(|desired| desired.environment.clone()),
        host: desired.map(|desired| desired.host.clone()),
        generation: current.as_ref().map(|current| current.number),
        cause: current.as_ref().map(|current| current.cause),
        since: since.map(|outcome| outcome.since),
        services,
        retired: retired.collect(),
        change: DeploymentChange::read(prefix, name)?.map(|change| super::recover::describe(&change)),
    })
}

fn service_status(prefix: &Prefix, name: &Label, wanted: &DesiredService) -> ServiceStatus {
    let (service, package) = (wanted.service.clone(), wanted.package.clone());
    match Observed::at(prefix, &wanted.service) {
        Ok(observed) => ServiceStatus {
            state: observed.view.as_ref().map_or(State::Stopped, |view| view.state),
            generation: observed.generation.as_ref().map(|current| current.number),
            drift: drift(prefix, (name, wanted), &observed),
            url: wanted.url.clone(),
            service,
            package,
        },
        Err(error) => ServiceStatus {
            service,
            state: State::Unknown,
            generation: None,
            url: wanted.url.clone(),
            package,
            drift: vec![Failure::of(&error).message],
        },
    }
}

/// Names what is not as the deployment says, as far as that costs nothing to find out.
fn drift(
    prefix: &Prefix,
    (deployment, wanted): (&Label, &DesiredService),
    observed: &Observed,
) -> Vec<String> {
    let mut drift = Vec::new();
    let Some(current) = &observed.generation else { return vec!["it was never started here".into()] };
    if current.package != wanted.package || current.digest != wanted.digest {
        drift.push(format!("it is {}", current.package));
    }
    if !service::are_same_parameters(&current.parameters, &wanted.parameters) {
        drift.push(format!("its parameters are {:?}", current.parameters.join(" ")));
    }
    let path = configure::values_file(prefix, &wanted.service);
    let set =
        if path.exists() { configure::read_values(&path).unwrap_or_default() } else { BTreeMap::default() };
    let same = set.len() == wanted.values.len()
        && set
            .iter()
            .all(|(name, (value, _))| wanted.values.get(name).is_some_and(|(other, _)| other == value));
    if !same {
        drift.push("its settings were changed by hand".into());
    }
    if observed.conditions != wanted.conditions_text(deployment) {
        drift.push("its limits were changed by hand".into());
    }
    let etc = Generations::of(prefix, &wanted.service).etc(current.number);
    let edits = configure::edits(prefix, &wanted.service, &etc).unwrap_or_default();
    drift.extend(edits.iter().map(|edit| format!("etc/{} was changed by hand", edit.path)));
    drift
}
