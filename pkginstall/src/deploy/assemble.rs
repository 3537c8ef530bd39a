//! Puts together what a deployment is to be on this host: its description, and the packages that were found for it.
//!
//! Comes after every package is installed, or at least found. A value that a template made is read as the package declares it,
//! which needs the package; until then it stays the text that it is.

use std::collections::BTreeMap;
use std::time::Duration;

use copkg_spec::configuration::SettingValue;
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::deployment::{PackageReference, ServiceInstance};
use copkg_spec::digest::Digest;

use super::described::Described;
use super::{DeployError, Desired, DesiredService};
use crate::configure::ConfigureError;
use crate::host::Prefix;
use crate::receipts;
use crate::service::{InstalledService, ServiceError};

/// The packages of a deployment, by how the description names them.
pub type FoundPackages = BTreeMap<PackageReference, FoundPackage>;

/// A package that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPackage {
    /// The package.
    pub package: PackageCoordinate,
    /// Its digest.
    pub digest: Digest,
}

/// Puts together what the deployment is to be.
///
/// # Errors
/// When a value breaks the declaration of its setting, or an installed package cannot be read.
pub fn assemble(
    prefix: &Prefix,
    described: &Described,
    found: &FoundPackages,
) -> Result<Desired, DeployError> {
    let mut services = Vec::new();
    for instance in &described.host.services {
        services
            .extend(found.get(&instance.package).map(|found| service(prefix, instance, found)).transpose()?);
    }
    Ok(Desired {
        name: described.name.clone(),
        package: described.host.deployment.clone(),
        origin: described.origin.clone(),
        environment: described.host.environment.to_string(),
        host: described.host.host.to_string(),
        addresses: described.addresses.clone(),
        services,
        keep_retired: Duration::from_secs(u64::from(described.host.retention.removed_days) * 86_400),
        keep_generations: described.host.retention.generations,
    })
}

fn service(
    prefix: &Prefix,
    instance: &ServiceInstance,
    found: &FoundPackage,
) -> Result<DesiredService, DeployError> {
    let parameters = instance.parameters.iter();
    let parameters = parameters.map(|(name, value)| format!("--{name}={}", value.value)).collect();
    let is_here = receipts::read(prefix, &found.package).map_err(ServiceError::from)?.is_some();
    let installed = is_here.then(|| InstalledService::open(prefix, &found.package)).transpose()?;
    let mut values: BTreeMap<String, (SettingValue, String)> = BTreeMap::new();
    for (name, value) in &instance.settings {
        let place = value.origin.to_string();
        let declared = installed.as_ref().and_then(|installed| installed.service.config.get(name));
        let value =
            match declared {
                // What is not declared is refused when it is rendered, with what there is instead.
                None => value.value.clone(),
                Some(setting) => value.declared_as(name, setting).map_err(|source| {
                    ConfigureError::Invalid { place: place.clone(), key: name.to_string(), source }
                })?,
            };
        values.insert(name.to_string(), (value, place));
    }
    Ok(DesiredService {
        service: instance.service.clone(),
        package: found.package.clone(),
        digest: found.digest,
        parameters,
        values,
        limits: instance.limits,
        asked: Some(instance.package.to_string()),
        ports: instance.ports.iter().map(ToString::to_string).collect(),
        url: instance.url.clone(),
    })
}
