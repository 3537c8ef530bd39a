//! The packages of a deployment: found, or found and installed, each with the digest that was built.

use std::collections::BTreeMap;
use std::convert::Infallible;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::Failure;
use copkg_spec::coordinate::{Group, PackageCoordinate, Version};
use copkg_spec::deployment::{PackageChoice, PackageReference};
use copkg_spec::platform::Platform;
use serde::Serialize;

use super::super::row::Row;
use super::super::wanted::{Argument, Item, expand};
use super::super::{Context, install};
use crate::deploy::{DeployError, Described, Desired, FoundPackage, FoundPackages, assemble};
use crate::fetch::{Location, Span};
use crate::host::Effect;
use crate::repository::Network;
use crate::verify::{Expected, read_head};

/// A package of a deployment, as a plan shows it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PackageRow {
    pub(super) package: String,
    /// Bytes to fetch; 0 where it is installed.
    pub(super) fetch_bytes: u64,
    pub(super) installed: bool,
}

/// Package files of directories, by the packages that they hold.
#[derive(Debug, Default)]
pub(super) struct LocalPackages(BTreeMap<PackageCoordinate, Utf8PathBuf>);

impl LocalPackages {
    /// Reads the heads of the package files in `directories` that run on this host. Nothing is believed of them yet: they are
    /// verified when they are installed.
    pub(super) fn read(context: &Context<'_>, directories: &[Utf8PathBuf]) -> Result<Self, Failure> {
        let mut found = BTreeMap::new();
        let fetcher = context.fetcher();
        for directory in directories {
            let items = expand(&[Argument::Path(directory.clone())], directory, &Platform::host())?;
            for item in items {
                let Item::File(path) = item else { continue };
                let mut stream = fetcher.open(&Location::File(path.clone()), None, Span::HEAD)?;
                let head =
                    read_head(&mut stream.beyond(), path.as_str(), &Expected::RunsOn(Platform::host()))?;
                found.insert(head.unverified_manifest().coordinate(), path);
            }
        }
        Ok(Self(found))
    }

    /// Returns the groups of the packages.
    pub(super) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.0.keys().map(PackageCoordinate::group)
    }

    /// Finds the file of a package: the version that is locked or asked for, or for a channel the newest one.
    pub(super) fn find(&self, reference: &PackageReference, locked: Option<&Version>) -> Option<&Utf8Path> {
        let version = locked.or(match &reference.choice {
            PackageChoice::Version(version) => Some(version),
            PackageChoice::Channel(_) | PackageChoice::Follow(_) => None,
        });
        let is_it = |package: &PackageCoordinate| {
            *package.group() == reference.group
                && *package.id() == reference.id
                && version.is_none_or(|version| package.version() == version)
        };
        let files = self.0.iter().filter(|(package, _)| is_it(package));
        let newest = files.max_by(|(one, _), (other, _)| one.version().cmp(other.version()));
        newest.map(|(_, path)| path.as_path())
    }
}

/// What a deployment is to be, and its packages.
pub(super) struct Obtained {
    pub(super) desired: Desired,
    pub(super) packages: Vec<PackageRow>,
}

/// Where packages come from, and whether they are installed.
pub(super) struct Supply<'a> {
    /// Package files that are taken before any repository is asked.
    pub(super) local: &'a LocalPackages,
    pub(super) network: Network,
    pub(super) effect: Effect,
}

/// Finds every package, and installs it where `supply` says so: all are here before anything else is done.
pub(super) fn obtain(
    context: &mut Context<'_>,
    described: &Described,
    supply: &Supply<'_>,
) -> Result<Obtained, Failure> {
    let (mut found, mut packages) = (FoundPackages::new(), Vec::new());
    for instance in &described.host.services {
        let reference = &instance.package;
        if found.contains_key(reference) {
            continue;
        }
        let row = obtain_one(context, described, reference, supply)?;
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
    supply: &Supply<'_>,
) -> Result<Row, Failure> {
    let name = format!("{}:{}", reference.group, reference.id);
    let locked = described.lock.get(reference).map(|locked| locked.version.clone());
    if let Some(file) = supply.local.find(reference, locked.as_ref()) {
        let file = Argument::Path(file.to_owned());
        return install::obtain_row(context, &file, supply.network, supply.effect);
    }
    let text = match (&reference.choice, locked) {
        (_, Some(version)) => format!("{name}:{version}"),
        (PackageChoice::Version(version), None) => format!("{name}:{version}"),
        (PackageChoice::Channel(channel) | PackageChoice::Follow(Some(channel)), None) => {
            format!("{name}@{channel}")
        }
        (PackageChoice::Follow(None), None) => name,
    };
    install::obtain_row(context, &argument(&text), supply.network, supply.effect)
}

fn argument(text: &str) -> Argument {
    text.parse().unwrap_or_else(|never: Infallible| match never {})
}

fn shown(row: &Row) -> PackageRow {
    let installed = row.outcome != "would_install";
    let bytes = row.fetch.as_ref().map_or(0, |fetch| fetch.bytes);
    PackageRow { package: row.package.to_string(), fetch_bytes: if installed { 0 } else { bytes }, installed }
}
