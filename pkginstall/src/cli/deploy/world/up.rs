//! `pkginstall deploy up`: the packages are built from source, and every host of the environment is brought up on this machine.
//!
//! Each host goes through what `deploy apply` does on a host of its own; only the addresses are others.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::deployment::HostId;
use copkg_spec::keys::PublicKey;
use copkg_spec::trust::GroupPattern;

use super::super::super::Context;
use super::super::super::context::Offline;
use super::super::super::start::recover_deployments;
use super::super::apply::{Apply, apply};
use super::super::packages::LocalPackages;
use super::hosts::{HostRow, look, show};
use super::{Place, WorldArgs, command_for, on_host, waiting};
use crate::deploy::{self, DescriptionPlace, Part};
use crate::host::{Catalogue, Effect};
use crate::interrupt;
use crate::trust::{self, Purpose};
use crate::world::{BuildRequest, World, build, publisher};

/// The arguments of `deploy up`.
#[derive(Debug, Args)]
#[command(
    after_help = "For development, and without root: the same files go to production with `deploy apply`. Packages come from `build` of deployment.toml, from --packages, or from --repo."
)]
pub(in super::super) struct UpArgs {
    #[command(flatten)]
    world: WorldArgs,
    /// The hosts to bring up, joined by commas; all when left out
    #[arg(long, value_name = "HOST,…", value_delimiter = ',', value_parser = host_or_all)]
    hosts: Vec<Option<HostId>>,
    #[command(flatten)]
    pub(in super::super) packages: PackageArgs,
}

/// Where the packages of a world come from.
#[derive(Debug, Args)]
pub(in super::super) struct PackageArgs {
    /// Do not run `build`: the packages of the last time are used
    #[arg(long, conflicts_with = "packages")]
    no_build: bool,
    /// A directory with package files, instead of running `build`
    #[arg(long, value_name = "DIR")]
    packages: Vec<Utf8PathBuf>,
    /// A public key that signed them, or its file; the world's own key when left out
    #[arg(long, value_name = "KEY|FILE", requires = "packages")]
    trust: Vec<String>,
    /// The repository to ask: its URL, directory, or name in the configuration
    #[arg(long, value_name = "URL")]
    pub(in super::super) repo: Option<String>,
    #[command(flatten)]
    offline: Offline,
}

/// Parses the name of a host; `all` is every host.
fn host_or_all(text: &str) -> Result<Option<HostId>, copkg_spec::coordinate::CoordinateError> {
    if text == "all" { Ok(None) } else { text.parse().map(Some) }
}

pub(in super::super) fn run(args: &UpArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let place = args.world.place(context)?;
    let wait = context.wait();
    let about = (&place.deployment, &place.environment);
    let world = World::make(&place.root, &place.directory, about, (wait, &mut waiting(context)))?;
    let all = args.hosts.contains(&None);
    let asked: Vec<HostId> = if all { Vec::new() } else { args.hosts.iter().flatten().cloned().collect() };
    let hosts = world.chosen(&asked)?;
    let supply = args.packages.supply(context, &world, &place)?;
    let mut changed = false;
    for host in &hosts {
        interrupt::check()?;
        changed |= bring_up(context, (&world, &place), host, &supply)?;
    }
    let rows = rows(context, &world)?;
    let exit = show(context, &world, changed, &rows);
    context.report.note(format!("next: {}", command_for(world.root())));
    Ok(exit)
}

/// The packages of a world, and whose signature counts for them.
pub(super) struct Supply<'a> {
    local: LocalPackages,
    keys: Vec<PublicKey>,
    args: &'a PackageArgs,
}

impl PackageArgs {
    /// Builds the packages, or finds those that are given.
    pub(super) fn supply<'a>(
        &'a self,
        context: &mut Context<'_>,
        world: &World,
        place: &Place,
    ) -> Result<Supply<'a>, Failure> {
        let here = context.working_directory().to_owned();
        if !self.packages.is_empty() {
            let directories: Vec<Utf8PathBuf> = self.packages.iter().map(|path| here.join(path)).collect();
            let given = self.trust.iter().map(|key| trust::read_key(key, &here));
            let mut keys = given.collect::<Result<Vec<_>, _>>()?;
            if keys.is_empty() {
                keys.push(publisher(world)?.1);
            }
            return Ok(Supply { local: LocalPackages::read(context, &directories)?, keys, args: self });
        }
        let (key, public) = publisher(world)?;
        if let (false, Some(command)) = (self.no_build, &place.deployment.build) {
            context.report.note(format!("building the packages: {command}"));
            let request = BuildRequest {
                command,
                directory: &place.directory,
                key: &key,
                program: context.ambient.program.as_deref(),
                path: context.ambient.environment.get("PATH").map(String::as_str),
            };
            build(world, &request)?;
        }
        let built: Vec<Utf8PathBuf> =
            Some(world.packages()).filter(|path| path.is_dir()).into_iter().collect();
        Ok(Supply { local: LocalPackages::read(context, &built)?, keys: vec![public], args: self })
    }
}

/// Makes a host what the environment says; tells whether that changed anything.
pub(super) fn bring_up(
    context: &mut Context<'_>,
    (world, place): (&World, &Place),
    host: &HostId,
    supply: &Supply<'_>,
) -> Result<bool, Failure> {
    context.report.note(format!("{host} ({})", world.addresses()[host]));
    let part = Part {
        environment: Some(place.environment.name.clone()),
        host: Some(host.clone()),
        host_name: None,
        name: None,
        addresses: world.addresses().clone(),
    };
    let directory = DescriptionPlace::Directory(place.directory.clone());
    on_host(context, world, (host, supply.args.repo.as_deref()), |context| {
        recover_deployments(context)?;
        pin(context, supply)?;
        let described = deploy::describe(&context.prefix()?, &directory, &part)?;
        let request = Apply {
            described: &described,
            local: &supply.local,
            network: supply.args.offline.network(),
            plan: None,
            yes: true,
            brief: true,
            reason: "deploy up",
            junit: None,
        };
        let (_, applied) = apply(context, &request)?;
        Ok(applied.to.is_some())
    })
}

/// Lets the keys of the local packages speak for the groups of these packages on this host.
fn pin(context: &mut Context<'_>, supply: &Supply<'_>) -> Result<(), Failure> {
    let (prefix, wait) = (context.prefix()?, context.wait());
    let groups: BTreeSet<_> = supply.local.groups().cloned().collect();
    if groups.is_empty() {
        return Ok(());
    }
    let mut tell = |notice: crate::host::Notice| context.report.note(notice.to_string());
    let catalogue = Catalogue::lock(&prefix, wait, &mut tell)?;
    for group in groups {
        let pattern = GroupPattern::from(group);
        trust::add(&catalogue, Purpose::Packages, &pattern, &supply.keys, None, Effect::Real)?;
    }
    Ok(())
}

/// Looks at every host of the world.
pub(super) fn rows(context: &mut Context<'_>, world: &World) -> Result<Vec<HostRow>, Failure> {
    world
        .hosts()
        .iter()
        .map(|host| on_host(context, world, (host, None), |at| look(at, world, host)))
        .collect()
}
