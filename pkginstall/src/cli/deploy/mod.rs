//! `pkginstall deploy`: several services as one. One file a subcommand.

mod apply;
mod attendant;
mod check;
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
}

impl Deploy {
    /// Returns the repository that the command line names.
    pub(super) fn repository(&self) -> Option<&str> {
        match &self.command {
            DeployCommand::Plan(args) => args.source.repo.as_deref(),
            DeployCommand::Apply(args) => args.source.repo.as_deref(),
            DeployCommand::Check(args) => args.source.repo.as_deref(),
            DeployCommand::Rollback(args) => args.repo.as_deref(),
            _ => None,
        }
    }

    /// Tells whether it changes nothing and runs nothing of the prefix.
    pub(super) fn only_looks(&self) -> bool {
        matches!(self.command, DeployCommand::Status(_) | DeployCommand::History(_) | DeployCommand::Diff(_))
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
    }
}
