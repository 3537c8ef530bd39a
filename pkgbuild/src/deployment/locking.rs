//! Resolves every package of a deployment to its digests, and holds the deployment against those whose manifests are at hand.

use std::collections::{BTreeMap, BTreeSet};

use copkg_spec::deployment::{DescriptionError, HostDeployment, Lock, PackageReference};
use copkg_spec::manifest::Service;

use super::{Catalogue, DeploymentDirectory, DeploymentError};

/// The lock of a deployment, and what its packages say.
#[derive(Debug, Default)]
pub struct Locked {
    /// The lock.
    pub lock: Lock,
    /// Each package that nobody should take any more, with the reason.
    pub yanked: Vec<(PackageReference, String)>,
    services: BTreeMap<PackageReference, Service>,
}

/// Finds every package that is not followed.
///
/// # Errors
/// All packages that are nowhere; settings and parameters that a package does not take, or lacks.
pub fn lock(
    described: &DeploymentDirectory,
    catalogue: &mut Catalogue<'_>,
) -> Result<Locked, DeploymentError> {
    let references = described.deployment.services.values().map(|service| &service.package);
    let references: BTreeSet<&PackageReference> = references.filter(|package| package.is_locked()).collect();
    let mut locked = Locked::default();
    let mut missing = Vec::new();
    for reference in references {
        match catalogue.find(reference)? {
            Ok(found) => {
                locked.yanked.extend(found.yanked.map(|reason| (reference.clone(), reason)));
                locked.services.extend(found.service.map(|service| (reference.clone(), service)));
                locked.lock.insert(reference.clone(), found.package);
            }
            Err(instead) => missing.push((reference.to_string(), instead)),
        }
    }
    if !missing.is_empty() {
        return Err(DeploymentError::Missing { packages: missing });
    }
    check(&described.hosts(), &locked.services)?;
    Ok(locked)
}

fn check(
    hosts: &[HostDeployment],
    services: &BTreeMap<PackageReference, Service>,
) -> Result<(), DescriptionError> {
    let instances = hosts.iter().flat_map(|host| &host.services);
    let mistakes = instances
        .filter_map(|instance| Some(instance.check_against(services.get(&instance.package)?)))
        .flatten();
    DescriptionError::of(mistakes.collect()).map_or(Ok(()), Err)
}
