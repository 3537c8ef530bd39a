//! `pkginstall adopt`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};

use super::Context;
use super::start::{Form, Tense, at_site, report};
use crate::service::{self, AdoptRequest};

/// The arguments of `adopt`.
#[derive(Debug, Args)]
#[command(
    after_help = "What the start script was given follows two dashes, where the record does not have it:\n  \
                  pkginstall adopt 1.web.prod.osl --package com.example:web:1.2 -- --port=8080"
)]
pub(super) struct Adopt {
    /// The service, whose run/start.pid names what runs
    #[arg(value_name = "SERVICE")]
    service: ServiceCoordinate,
    /// The package that it runs, where pkginstall never started it or started another version
    #[arg(long, value_name = "PACKAGE")]
    package: Option<PackageCoordinate>,
    /// What the start script was given besides: --name=value …
    #[arg(last = true, value_name = "PARAMETER")]
    parameters: Vec<String>,
    /// Check everything, and take nothing over
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Adopt, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let request = AdoptRequest {
        service: args.service.clone(),
        package: args.package.clone(),
        parameters: (!args.parameters.is_empty()).then(|| args.parameters.clone()),
    };
    let outcome = if args.dry_run {
        at_site(context, |site| service::check_adopt(site, &request))?
    } else {
        at_site(context, |site| service::adopt(site, &request))?
    };
    let done = if args.dry_run { "would be adopted" } else { "adopted" };
    report(context.report, &[outcome], Tense { done, nothing: "is pkginstall's already" }, Form::One);
    Ok(Exit::Ok)
}
