//! The subcommands of local worlds: every host of an environment on this machine. One file a subcommand.

mod down;
mod hosts;
mod logs;
mod recreate;
mod up;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use copkg_spec::command::Failure;
use copkg_spec::coordinate::{Label, ServiceCoordinate};
use copkg_spec::deployment::{Deployment, Environment, HostId};

use super::super::Context;
use crate::config::Given;
use crate::deploy::{self, DeploymentStore, read_description};
use crate::host::Prefix;
use crate::service::{self, Outcome};
use crate::world::{World, WorldError, default_directory};

pub(super) use down::{DownArgs, run as down};
pub(super) use hosts::{HostsArgs, run as hosts};
pub(super) use logs::{WorldLogsArgs, run as logs};
pub(super) use recreate::{RecreateArgs, run as recreate};
pub(super) use up::{UpArgs, run as up};

use super::super::start::{at_site, recover_deployments};
use super::super::stop::each;

/// The arguments that say which world it is.
#[derive(Debug, Args)]
pub(super) struct WorldArgs {
    /// The directory with the deployment.toml
    #[arg(value_name = "DIR", default_value = ".")]
    directory: Utf8PathBuf,
    /// The environment; the only one when left out
    #[arg(long, value_name = "NAME")]
    env: Option<Label>,
    /// Where the hosts are kept; `copkg/worlds` of the user's state directory when left out
    #[arg(long, value_name = "DIR")]
    world: Option<Utf8PathBuf>,
}

/// A description, and where its hosts are kept.
struct Place {
    directory: Utf8PathBuf,
    root: Utf8PathBuf,
    deployment: Deployment,
    environment: Environment,
}

impl WorldArgs {
    fn place(&self, context: &Context<'_>) -> Result<Place, WorldError> {
        let here = context.working_directory();
        let directory: Utf8PathBuf = here.join(&self.directory).components().collect();
        let (deployment, environment) = read_description(&directory, self.env.as_ref())?;
        let root = match &self.world {
            Some(root) => here.join(root).components().collect(),
            None => default_directory(&context.ambient.environment, &deployment, &environment)?,
        };
        Ok(Place { directory, root, deployment, environment })
    }

    /// Opens the world, which is there.
    fn open(&self, context: &mut Context<'_>) -> Result<World, WorldError> {
        let Place { directory, root, deployment, environment } = self.place(context)?;
        let wait = context.wait();
        World::open(&root, &directory, (&deployment, &environment), (wait, &mut waiting(context)))
    }
}

/// Tells who is waited for.
fn waiting<'a, 'c>(context: &'a mut Context<'c>) -> impl FnMut(&str) + use<'a, 'c> {
    |holder| context.report.note(format!("waiting for {holder}, which changes the hosts"))
}

/// Does something on a host of a world, as a command with its prefix would; what fails names the host.
fn on_host<T>(
    context: &mut Context<'_>,
    world: &World,
    (host, repository): (&HostId, Option<&str>),
    act: impl FnOnce(&mut Context<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let given = Given {
        prefix: Some(world.prefix(host)),
        lock_timeout_seconds: Some(context.settings.lock_timeout_seconds.value),
        repository: repository.map(ToOwned::to_owned),
    };
    let named = |failure: Failure| Failure { message: format!("{host}: {}", failure.message), ..failure };
    let mut context = context.elsewhere(&given)?;
    act(&mut context).map_err(named)
}

/// Stops every service of a host, what was started last first; what an interrupted change left is recovered before.
fn stop_all(context: &mut Context<'_>) -> Result<Vec<Outcome>, Failure> {
    recover_deployments(context)?;
    let prefix = context.prefix()?;
    let services = in_order_of_stop(&prefix)?;
    let (outcomes, mut failures) = each(&services, |name| at_site(context, |site| service::stop(site, name)));
    let last = failures.pop();
    for failure in failures {
        context.report.warn(failure.to_string());
    }
    last.map_or(Ok(outcomes), Err)
}

/// Lists the services of a host, each before those that it comes after.
fn in_order_of_stop(prefix: &Prefix) -> Result<Vec<ServiceCoordinate>, Failure> {
    let mut services = Vec::new();
    for name in DeploymentStore::names(prefix)? {
        let named = deploy::status(prefix, &name)?.services;
        services.extend(named.into_iter().rev().map(|one| one.service));
    }
    let mut others = service::in_order(prefix, service::known(prefix)?);
    others.retain(|service| !services.contains(service));
    others.reverse();
    // What no deployment names any more depends on nothing that one names.
    others.append(&mut services);
    Ok(others)
}

/// Returns the command that works on a host of the world, for whoever wants to look there.
fn command_for(root: &Utf8Path) -> String {
    format!("pkginstall --prefix {root}/hosts/HOST …")
}
