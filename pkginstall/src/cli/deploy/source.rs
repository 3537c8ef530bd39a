//! Which deployment, in which environment, on which host: what `plan` and `apply` are given.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use copkg_spec::command::Failure;
use copkg_spec::coordinate::{Label, PackageCoordinate};
use copkg_spec::deployment::{FILE_NAME, HostId};

use super::super::context::Offline;
use super::super::wanted::Argument;
use super::super::{Context, install};
use super::packages::LocalPackages;
use super::plan_file::PlanFile;
use crate::deploy::{self, Described, DescriptionPlace, HostAddresses, Part};
use crate::host::Effect;
use crate::repository::Network;

/// The options that say which deployment it is.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The environment; the only one when left out
    #[arg(long, value_name = "NAME")]
    pub(super) env: Option<Label>,
    /// This host, as the environment names it; the one with this host's name, or the only one, when left out
    #[arg(long, value_name = "HOST")]
    pub(super) host: Option<HostId>,
    /// The name of the deployment here; the id of its package when left out
    #[arg(long = "as", value_name = "NAME")]
    pub(super) name: Option<Label>,
    /// The repository to ask: its URL, directory, or name in the configuration [env: `COPKG_REPO`]
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    /// A directory with package files, which are taken before any repository is asked
    #[arg(long, value_name = "DIR")]
    packages: Vec<Utf8PathBuf>,
    #[command(flatten)]
    offline: Offline,
}

impl Source {
    /// Returns whether servers are asked.
    pub(super) fn network(&self) -> Network {
        self.offline.network()
    }

    /// Returns the package files that are taken before any repository is asked.
    pub(super) fn local(&self, context: &Context<'_>) -> Result<LocalPackages, Failure> {
        let here = context.working_directory();
        let directories: Vec<Utf8PathBuf> = self.packages.iter().map(|path| here.join(path)).collect();
        LocalPackages::read(context, &directories)
    }

    /// Finds the description of `what` and resolves it. One in a package is installed for that; nothing else is.
    pub(super) fn describe(&self, context: &mut Context<'_>, what: &str) -> Result<Described, Failure> {
        let place = place(context, what, self.network())?;
        let part = Part {
            environment: self.env.clone(),
            host: self.host.clone(),
            host_name: host_name(),
            name: self.name.clone(),
            addresses: HostAddresses::default(),
        };
        Ok(deploy::describe(&context.prefix()?, &place, &part)?)
    }
}

/// Resolves the description that a plan was made of.
pub(super) fn describe_planned(
    context: &Context<'_>,
    place: &DescriptionPlace,
    plan: &PlanFile,
) -> Result<Described, Failure> {
    let part = Part {
        environment: Some(plan.environment.clone()),
        host: Some(plan.host.clone()),
        host_name: None,
        name: Some(plan.deployment.clone()),
        addresses: HostAddresses::default(),
    };
    Ok(deploy::describe(&context.prefix()?, place, &part)?)
}

/// Finds where the description of `what` lies: a directory, a package file, or a package of a repository.
pub(super) fn place(
    context: &mut Context<'_>,
    what: &str,
    network: Network,
) -> Result<DescriptionPlace, Failure> {
    if let Some(directory) = directory(context.working_directory(), what) {
        return Ok(DescriptionPlace::Directory(directory));
    }
    package(context, what, network)
}

/// Installs the description that a coordinate or a package file names.
pub(super) fn package(
    context: &mut Context<'_>,
    what: &str,
    network: Network,
) -> Result<DescriptionPlace, Failure> {
    let argument: Argument = what.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
    let package: PackageCoordinate = install::obtain_one(context, &argument, network, Effect::Real)?;
    Ok(DescriptionPlace::Package(package))
}

/// Takes `what` as a directory with a description, if it is one.
fn directory(here: &Utf8Path, what: &str) -> Option<Utf8PathBuf> {
    let path: Utf8PathBuf = here.join(what).components().collect();
    path.join(FILE_NAME).is_file().then_some(path)
}

/// Returns the name of this host.
pub(in crate::cli) fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned())
}
