//! `pkginstall rollback`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;
use serde_json::json;

use super::Context;
use super::start::at_site;
use super::upgrade::report;
use crate::generation::{Cause, Number};
use crate::upgrade::{self, Keep, Reload, Request, Restore, Target};

/// The arguments of `rollback`.
#[derive(Debug, Args)]
#[command(after_help = "Fetches nothing, and needs no space unless the package migrates its data down.")]
pub(super) struct Rollback {
    /// The service: instance.service.user.cell
    #[arg(value_name = "SERVICE")]
    service: ServiceCoordinate,
    /// The generation to go back to; the last good one before this one when left out
    #[arg(long, value_name = "NUMBER")]
    to: Option<Number>,
    /// Go back to the data that it left, too; what was written since is set aside
    #[arg(long)]
    restore_data: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "rolled back")]
    reason: String,
    /// Check everything, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Rollback, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let request = Request {
        service: args.service.clone(),
        target: args.to.map_or(Target::LastGood, Target::Generation),
        cause: Cause::Rollback,
        reason: args.reason.clone(),
        keep: Keep::Logs,
        restore: if args.restore_data { Restore::Data } else { Restore::Nothing },
        accept: None,
        reload: Reload::Never,
        asked: None,
    };
    if args.dry_run {
        let would = at_site(context, |site| upgrade::check(site, &request))?;
        let document = json!({ "changed": false, "service": args.service, "would_change_to": would });
        context.report.data(&document, || match &would {
            Some(package) => format!("{} would go back to {package}", args.service),
            None => format!("{} is that already", args.service),
        });
        return Ok(Exit::Ok);
    }
    let done = at_site(context, |site| upgrade::upgrade(site, &request))?;
    report(context, &done, "is that already");
    Ok(Exit::Ok)
}
