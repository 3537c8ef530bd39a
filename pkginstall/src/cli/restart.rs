//! `pkginstall restart`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::Context;
use super::select::{Selector, select};
use super::start::{Tense, at_site};
use super::stop::{each, finish};
use crate::service;

/// The arguments of `restart`.
#[derive(Debug, Args)]
pub(super) struct Restart {
    /// The services, or patterns of services such as *.web.prod.*; each keeps its package and its parameters
    #[arg(value_name = "SERVICE", required_unless_present = "all", conflicts_with = "all")]
    services: Vec<Selector>,
    /// All services of the prefix
    #[arg(long)]
    all: bool,
    /// Check everything, and restart nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Restart, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let services = select(&args.services, context)?;
    let (outcomes, failures) = each(&services, |name| {
        if args.dry_run {
            at_site(context, |site| service::check_restart(site, name))
        } else {
            at_site(context, |site| service::restart(site, name))
        }
    });
    let done = if args.dry_run { "would be restarted" } else { "restarted" };
    finish(context, &outcomes, failures, Tense { done, nothing: "left alone" })
}
