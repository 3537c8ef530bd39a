//! `pkginstall stop`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;

use super::Context;
use super::select::{Selector, select};
use super::start::{Form, Tense, at_site, report};
use crate::interrupt::{self, Interrupted};
use crate::service;

/// The arguments of `stop`.
#[derive(Debug, Args)]
pub(super) struct Stop {
    /// The services, or patterns of services such as *.web.prod.*
    #[arg(value_name = "SERVICE", required_unless_present = "all", conflicts_with = "all")]
    services: Vec<Selector>,
    /// All services of the prefix
    #[arg(long)]
    all: bool,
    /// Say what would be stopped
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Stop, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mut services = select(&args.services, context)?;
    // What was started last is stopped first.
    services.reverse();
    let (outcomes, failures) = each(&services, |name| {
        if args.dry_run {
            at_site(context, |site| service::check_stop(site, name))
        } else {
            at_site(context, |site| service::stop(site, name))
        }
    });
    let done = if args.dry_run { "would be stopped" } else { "stopped" };
    finish(context, &outcomes, failures, Tense { done, nothing: "was not running" })
}

/// Does the same to several services. One that fails keeps none of the others from it.
pub(super) fn each(
    services: &[ServiceCoordinate],
    mut act: impl FnMut(&ServiceCoordinate) -> Result<service::Outcome, Failure>,
) -> (Vec<service::Outcome>, Vec<Failure>) {
    let (mut outcomes, mut failures) = (Vec::new(), Vec::new());
    for (at, service) in services.iter().enumerate() {
        if let Err(interrupted) = interrupt::check() {
            failures.push(not_begun(interrupted, &services[at..]));
            break;
        }
        match act(service) {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) => failures.push(failure),
        }
    }
    (outcomes, failures)
}

/// Says which services a signal kept a command from.
pub(super) fn not_begun(interrupted: Interrupted, services: &[ServiceCoordinate]) -> Failure {
    let names = services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let failure = Failure::of(&interrupted);
    Failure { message: format!("{}; not begun: {names}", failure.message), ..failure }
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
