//! `pkginstall rehearse`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;
use serde_json::json;

use super::context::Offline;
use super::start::at_site;
use super::upgrade::wanted;
use super::{Context, interruption};
use crate::configure::Accept;
use crate::host::Effect;
use crate::upgrade::{self, Rehearsed};

/// The arguments of `rehearse`.
#[derive(Debug, Args)]
#[command(
    after_help = "Copies data and configuration to a scratch prefix, migrates, starts with other ports, checks, and removes it all.\nThe service itself runs on. `upgrade --rehearsed` accepts only what passed."
)]
pub(super) struct Rehearse {
    /// The service: instance.service.user.cell
    #[arg(value_name = "SERVICE")]
    service: ServiceCoordinate,
    /// The version, or the package file, to try; the newest when left out
    #[arg(long, value_name = "VERSION|FILE")]
    to: Option<String>,
    /// The channel whose version to try
    #[arg(long, value_name = "NAME", conflicts_with = "to")]
    channel: Option<String>,
    /// The repository to ask: its URL, directory, or name in the configuration [env: `COPKG_REPO`]
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    #[command(flatten)]
    offline: Offline,
    /// Whose side to take where a change of the configuration by hand contradicts that of the package
    #[arg(long, value_name = "SIDE")]
    accept: Option<Accept>,
    /// Only say what would be rehearsed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Rehearse, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let wanted = wanted(context, &args.service, args.to.as_deref(), args.channel.as_deref())?;
    let effect = Effect::of_dry_run(args.dry_run);
    let package = interruption::obtain_one(context, &wanted, args.offline.network(), effect)?;
    if args.dry_run {
        let document = json!({ "changed": false, "service": args.service, "would_rehearse": package });
        context.report.data(&document, || format!("{}: would rehearse {package}", args.service));
        return Ok(Exit::Ok);
    }
    let rehearsed = at_site(context, |site| upgrade::rehearse(site, &args.service, &package, args.accept))?;
    let document = json!({ "changed": true, "passed": true, "rehearsal": rehearsed });
    context.report.data(&document, || describe(&rehearsed));
    Ok(Exit::Ok)
}

fn describe(rehearsed: &Rehearsed) -> String {
    let Rehearsed { service, package, digest, took_milliseconds, copied_bytes, .. } = rehearsed;
    format!(
        "{service}: {package} passed\n  digest   {digest}\n  took     {took_milliseconds} ms\n  copied   {copied_bytes} bytes"
    )
}
