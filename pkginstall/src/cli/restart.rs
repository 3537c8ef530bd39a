//! `pkginstall restart`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;

use super::Context;
use super::start::{Tense, at_site};
use super::stop::finish;
use crate::service;

/// The arguments of `restart`.
#[derive(Debug, Args)]
pub(super) struct Restart {
    /// The services: instance.service.user.cell; each keeps its package and its parameters
    #[arg(value_name = "SERVICE", required = true)]
    services: Vec<ServiceCoordinate>,
    /// Check everything, and restart nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Restart, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let (mut outcomes, mut failures) = (Vec::new(), Vec::new());
    for name in &args.services {
        let outcome = if args.dry_run {
            at_site(context, |site| service::check_restart(site, name))
        } else {
            at_site(context, |site| service::restart(site, name))
        };
        match outcome {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) => failures.push(failure),
        }
    }
    let done = if args.dry_run { "would be restarted" } else { "restarted" };
    finish(context, &outcomes, failures, Tense { done, nothing: "left alone" })
}
