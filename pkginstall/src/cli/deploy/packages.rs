//! The packages of a deployment: found, or found and installed, each with the digest that was built.

use std::convert::Infallible;

use copkg_spec::command::Failure;
use copkg_spec::deployment::{Limits, PackageChoice, PackageReference};
use copkg_spec::platform::Platform;
use serde::Serialize;

use super::super::row::Row;
use super::super::wanted::Argument;
use super::super::{Context, install};
use crate::deploy::{DeployError, Described, Desired, FoundPackage, FoundPackages, assemble};
use crate::host::Effect;
use crate::repository::Network;

/// A package of a deployment, as a plan shows it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PackageRow {
    pub(super) package: String,
    /// Bytes to fetch; 0 where it is installed.
    pub(super) fetch_bytes: u64,
    pub(super) installed: bool,
}

/// What a deployment is to be, and its packages.
pub(super) struct Obtained {
    pub(super) desired: Desired,
    pub(super) packages: Vec<PackageRow>,
}

/// Says which limits of the description nobody keeps: a deployment does not set them yet.
fn warn_of_limits(context: &mut Context<'_>, described: &Described) {
    for instance in described.host.services.iter().filter(|one| one.limits != Limits::default()) {
        let service = &instance.service;
        context.report.warn(format!(
            "the limits of {service} are not enforced: a deployment does not set limits yet; \
             `pkginstall config set {service} service.limits.memory=…` does"
        ));
    }
}

/// Finds every package, and installs it where `effect` says so: all are here before anything else is done.
pub(super) fn obtain(
    context: &mut Context<'_>,
    described: &Described,
    network: Network,
    effect: Effect,
) -> Result<Obtained, Failure> {
    let (mut found, mut packages) = (FoundPackages::new(), Vec::new());
    for instance in &described.host.services {
        let reference = &instance.package;
        if found.contains_key(reference) {
            continue;
        }
        let row = obtain_one(context, described, reference, (network, effect))?;
        packages.push(shown(&row));
        let package = FoundPackage { package: row.package, digest: row.digest };
        if let Some(locked) = described.lock.get(reference)
            && let Some((_, digest)) = locked.for_host(&Platform::host())
            && digest != package.digest
        {
            let why = format!("its digest is {}, the deployment was built with {digest}", package.digest);
            let (service, package) = (instance.service.clone(), package.package);
            return Err(DeployError::OtherPackage { service, package, why }.into());
        }
        found.insert(reference.clone(), package);
    }
    warn_of_limits(context, described);
    let desired = assemble(&context.prefix()?, described, &found)?;
    Ok(Obtained { desired, packages })
}

/// Finds the packages that a recorded generation names, and installs them.
pub(super) fn obtain_recorded(
    context: &mut Context<'_>,
    desired: &Desired,
    network: Network,
) -> Result<(), Failure> {
    let mut seen = Vec::new();
    for one in &desired.services {
        if seen.contains(&&one.package) {
            continue;
        }
        seen.push(&one.package);
        let row = install::obtain_row(context, &argument(&one.package.to_string()), network, Effect::Real)?;
        if row.digest != one.digest {
            let why = format!("its digest is {}, it was {}", row.digest, one.digest);
            let (service, package) = (one.service.clone(), one.package.clone());
            return Err(DeployError::OtherPackage { service, package, why }.into());
        }
    }
    Ok(())
}

fn obtain_one(
    context: &mut Context<'_>,
    described: &Described,
    reference: &PackageReference,
    (network, effect): (Network, Effect),
) -> Result<Row, Failure> {
    let name = format!("{}:{}", reference.group, reference.id);
    let locked = described.lock.get(reference).map(|locked| locked.version.clone());
    let text = match (&reference.choice, locked) {
        (_, Some(version)) => format!("{name}:{version}"),
        (PackageChoice::Version(version), None) => format!("{name}:{version}"),
        (PackageChoice::Channel(channel) | PackageChoice::Follow(Some(channel)), None) => {
            format!("{name}@{channel}")
        }
        (PackageChoice::Follow(None), None) => name,
    };
    install::obtain_row(context, &argument(&text), network, effect)
}

fn argument(text: &str) -> Argument {
    text.parse().unwrap_or_else(|never: Infallible| match never {})
}

fn shown(row: &Row) -> PackageRow {
    let installed = row.outcome != "would_install";
    let bytes = row.fetch.as_ref().map_or(0, |fetch| fetch.bytes);
    PackageRow { package: row.package.to_string(), fetch_bytes: if installed { 0 } else { bytes }, installed }
}
