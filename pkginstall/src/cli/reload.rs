//! `pkginstall reload`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::Context;
use super::select::{Selector, select};
use super::start::{Tense, at_site};
use super::stop::{each, finish};
use crate::service;

/// The arguments of `reload`.
#[derive(Debug, Args)]
pub(super) struct Reload {
    /// The services, or patterns of services such as *.web.prod.*
    #[arg(value_name = "SERVICE", required_unless_present = "all", conflicts_with = "all")]
    services: Vec<Selector>,
    /// All services of the prefix
    #[arg(long)]
    all: bool,
    /// Check everything, and reload nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Reload, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let services = select(&args.services, context)?;
    let (outcomes, failures) = each(&services, |name| {
        if args.dry_run {
            at_site(context, |site| service::check_reload(site, name))
        } else {
            at_site(context, |site| service::reload(site, name))
        }
    });
    let done = if args.dry_run { "would be reloaded" } else { "reloaded" };
    finish(context, &outcomes, failures, Tense { done, nothing: "left alone" })
}
