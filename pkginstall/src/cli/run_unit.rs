//! `pkginstall run-unit`: the main process of a unit. systemd runs it, and nobody else.
//!
//! It reads no configuration: the account of a service may not be allowed to.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Failure, Report};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::manifest::Signal;

use super::context::{Ambient, Place};
use crate::host::{Prefix, PrefixError};
use crate::process::StartId;
use crate::service::{ServiceError, TrackRequest, TrackerSurroundings, UMASK, track};

/// The arguments of `run-unit`.
#[derive(Debug, Args)]
pub(super) struct RunUnit {
    #[arg(value_name = "SERVICE")]
    service: ServiceCoordinate,
    #[arg(value_name = "PACKAGE")]
    package: PackageCoordinate,
    #[arg(long, value_name = "ID", value_parser = start_id)]
    start_id: Option<StartId>,
    #[arg(long, value_name = "SCRIPT")]
    start: Utf8PathBuf,
    #[arg(long, value_name = "SCRIPT")]
    stop: Utf8PathBuf,
    #[arg(long, value_name = "DIRECTORY", default_value = "log")]
    output: String,
    #[arg(long, value_name = "SECONDS")]
    start_timeout: u32,
    #[arg(long, value_name = "MILLISECONDS")]
    settle_milliseconds: u32,
    #[arg(long, value_name = "SECONDS")]
    stop_timeout: u32,
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Signal,
    #[arg(long, value_name = "SIGNAL")]
    reload_signal: Option<Signal>,
    #[arg(last = true, value_name = "PARAMETER")]
    parameters: Vec<String>,
}

fn start_id(text: &str) -> Result<StartId, &'static str> {
    StartId::parse(text).ok_or("it is not 32 hexadecimal digits")
}

pub(super) fn run(
    args: &RunUnit,
    place: &Place,
    report: &mut Report,
    ambient: &Ambient,
) -> Result<Exit, Failure> {
    let prefix = Prefix::at(place.prefix.as_ref().ok_or(PrefixError::NotSet)?)?;
    // A unit that was written while the service was stopped has no mark of a start.
    let start_id =
        args.start_id.clone().map_or_else(StartId::random, Ok).map_err(|_| ServiceError::Random)?;
    let umask = ambient.environment.get(UMASK).cloned();
    let request = TrackRequest {
        service: args.service.clone(),
        package: args.package.clone(),
        parameters: args.parameters.clone(),
        start_id,
        start: args.start.clone(),
        stop: args.stop.clone(),
        output: args.output.clone(),
        start_timeout_seconds: args.start_timeout,
        settle: Duration::from_millis(args.settle_milliseconds.into()),
        stop_timeout: Duration::from_secs(args.stop_timeout.into()),
        stop_signal: args.stop_signal,
        reload_signal: args.reload_signal,
        umask: umask.unwrap_or_else(|| "0022".into()),
    };
    let mut around = TrackerSurroundings {
        prefix: &prefix,
        environment: &ambient.environment,
        user: ambient.user,
        warn: &mut |text| report.warn(text),
    };
    track(&request, &mut around)?;
    Ok(Exit::Ok)
}
