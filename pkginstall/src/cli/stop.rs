//! `pkginstall stop`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;

use super::Context;
use super::start::{Form, Tense, at_site, report};
use crate::service;

/// The arguments of `stop`.
#[derive(Debug, Args)]
pub(super) struct Stop {
    /// The services: instance.service.user.cell
    #[arg(value_name = "SERVICE", required_unless_present = "all", conflicts_with = "all")]
    services: Vec<ServiceCoordinate>,
    /// All services of the prefix
    #[arg(long)]
    all: bool,
    /// Say what would be stopped
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Stop, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let services = if args.all { service::known(&context.prefix()?)? } else { args.services.clone() };
    let (mut outcomes, mut failures) = (Vec::new(), Vec::new());
    for name in &services {
        let outcome = if args.dry_run {
            at_site(context, |site| service::check_stop(site, name))
        } else {
            at_site(context, |site| service::stop(site, name))
        };
        match outcome {
            Ok(outcome) => outcomes.push(outcome),
            // The others are stopped all the same.
            Err(failure) => failures.push(failure),
        }
    }
    let done = if args.dry_run { "would be stopped" } else { "stopped" };
    finish(context, &outcomes, failures, Tense { done, nothing: "was not running" })
}

/// Reports what was done to several services. The last failure is the command's.
pub(super) fn finish(
    context: &mut Context<'_>,
    outcomes: &[service::Outcome],
    mut failures: Vec<Failure>,
    tense: Tense,
) -> Result<Exit, Failure> {
    let last = failures.pop();
    for failure in failures {
        context.report.warn(failure.to_string());
    }
    // With --json a failure is the one document.
    if last.is_none() || !context.report.is_json() {
        report(context.report, outcomes, tense, Form::List);
    }
    last.map_or(Ok(Exit::Ok), Err)
}
