//! `pkginstall deploy`: several services as one. One file a subcommand.

mod apply;
mod attendant;
mod check;
mod contents;
pub(super) mod converge;
mod diff;
mod history;
mod packages;
mod plan;
mod plan_file;
mod remove;
mod results;
mod rollback;
mod shown;
mod source;
mod status;
mod surveyed;
mod world;

use clap::{Args, Subcommand};
use copkg_spec::command::{Exit, Failure};

use super::{Context, interruption};

/// The arguments of `deploy`.
#[derive(Debug, Args)]
pub(super) struct Deploy {
    #[command(subcommand)]
    command: DeployCommand,
}

#[derive(Debug, Subcommand)]
enum DeployCommand {
    /// Show what an apply would do: packages, settings, rendered configuration, services in order
    Plan(plan::PlanArgs),
    /// Make the deployment what its description says: all services, or none
    Apply(apply::ApplyArgs),
    /// Show the deployments of this prefix and how their services are
    Status(status::StatusArgs),
    /// Show the generations of a deployment and how each ended
    History(history::HistoryArgs),
    /// Compare two generations of a deployment
    Diff(diff::DiffArgs),
    /// Bring back an earlier generation: all services, or none
    Rollback(rollback::RollbackArgs),
    /// Check whether this host is what a deployment asks for, and change nothing
    Check(check::CheckArgs),
    /// Check whether a deployment that is up works: its services' health, and its own commands
    Verify(check::VerifyArgs),
    /// Stop the services of a deployment; they and their data are kept until their time is up
    Remove(remove::RemoveArgs),
    /// Build the packages and bring up every host of an environment on this machine, without root
    Up(world::UpArgs),
    /// Stop every service of an environment on this machine
    Down(world::DownArgs),
    /// Destroy a host of an environment on this machine and rebuild it from nothing
    Recreate(world::RecreateArgs),
    /// Show the hosts of an environment on this machine: addresses, services, health
    Hosts(world::HostsArgs),
    /// Show what the services of an environment on this machine wrote
    Logs(world::WorldLogsArgs),
}

impl Deploy {
    /// Returns the repository that the command line names.
    pub(super) fn repository(&self) -> Option<&str> {
        match &self.command {
            DeployCommand::Plan(args) => args.source.repo.as_deref(),
            DeployCommand::Apply(args) => args.source.repo.as_deref(),
            DeployCommand::Check(args) => args.source.repo.as_deref(),
            DeployCommand::Rollback(args) => args.repo.as_deref(),
            DeployCommand::Up(args) => args.packages.repo.as_deref(),
            DeployCommand::Recreate(args) => args.packages.repo.as_deref(),
            _ => None,
        }
    }

    /// Tells whether it changes nothing and runs nothing of the prefix. Local worlds have prefixes of their own.
    pub(super) fn only_looks(&self) -> bool {
        matches!(self.command, DeployCommand::Status(_) | DeployCommand::History(_) | DeployCommand::Diff(_))
            || self.is_of_a_world()
    }

    fn is_of_a_world(&self) -> bool {
        matches!(
            self.command,
            DeployCommand::Up(_)
                | DeployCommand::Down(_)
                | DeployCommand::Recreate(_)
                | DeployCommand::Hosts(_)
                | DeployCommand::Logs(_)
        )
    }
}

pub(super) fn run(args: &Deploy, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match &args.command {
        DeployCommand::Plan(args) => {
            interruption::while_fetching(context, |context| plan::run(args, context))
        }
        DeployCommand::Apply(args) => apply::run(args, context),
        DeployCommand::Status(args) => status::run(args, context),
        DeployCommand::History(args) => history::run(args, context),
        DeployCommand::Diff(args) => diff::run(args, context),
        DeployCommand::Rollback(args) => rollback::run(args, context),
        DeployCommand::Check(args) => {
            interruption::while_fetching(context, |context| check::check(args, context))
        }
        DeployCommand::Verify(args) => check::verify(args, context),
        DeployCommand::Remove(args) => remove::run(args, context),
        DeployCommand::Up(args) => world::up(args, context),
        DeployCommand::Down(args) => world::down(args, context),
        DeployCommand::Recreate(args) => world::recreate(args, context),
        DeployCommand::Hosts(args) => world::hosts(args, context),
        DeployCommand::Logs(args) => world::logs(args, context),
    }
}
