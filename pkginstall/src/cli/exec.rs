//! `pkginstall exec`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;

use super::Context;
use super::start::at_site;
use crate::service::{self, ServiceError};

/// The arguments of `exec`.
#[derive(Debug, Args)]
#[command(
    after_help = "It runs as the service's user, with its environment, in its runtime directory:\n  pkginstall exec 1.web.prod.osl -- sh -c 'du -sh data'"
)]
pub(super) struct Exec {
    /// The service: instance.service.user.cell
    #[arg(value_name = "SERVICE")]
    service: ServiceCoordinate,
    /// The command, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Returns only when the command cannot be run.
pub(super) fn run(args: &Exec, context: &mut Context<'_>) -> Result<Exit, Failure> {
    at_site(context, |site| {
        let error = service::exec(site, &args.service, &args.command);
        Err::<Exit, ServiceError>(error)
    })
}
