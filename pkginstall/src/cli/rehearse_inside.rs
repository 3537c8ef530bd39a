//! `pkginstall rehearse-inside`: what `rehearse` starts to run something in a network of its own. Nobody else calls it.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};

use super::Context;
use super::start::at_site;
use crate::configure::Accept;
use crate::upgrade::{self, InsideRequest, RehearsalNetwork};

/// The arguments of `rehearse-inside`.
#[derive(Debug, Args)]
pub(super) struct RehearseInside {
    #[arg(value_name = "SERVICE")]
    service: ServiceCoordinate,
    #[arg(value_name = "PACKAGE")]
    package: PackageCoordinate,
    #[arg(long, value_name = "NETWORK")]
    network: RehearsalNetwork,
    #[arg(long, value_name = "SIDE")]
    accept: Option<Accept>,
    #[arg(last = true, value_name = "PARAMETER")]
    parameters: Vec<String>,
}

pub(super) fn run(args: &RehearseInside, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let request = InsideRequest {
        service: args.service.clone(),
        package: args.package.clone(),
        parameters: args.parameters.clone(),
        accept: args.accept,
        network: args.network,
    };
    let end = at_site(context, |site| Ok::<_, Failure>(upgrade::run_inside(site, &request)))?;
    context.report.data(&end, String::new);
    Ok(Exit::Ok)
}
