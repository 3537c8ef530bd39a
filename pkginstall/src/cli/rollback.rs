//! `pkginstall rollback`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::manifest::OnReturn;
use serde_json::json;

use super::Context;
use super::start::at_site;
use super::upgrade::{on_return, report};
use crate::generation::{Cause, Number};
use crate::upgrade::{self, Keep, Reload, Request, Restore, Slot, Target};

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
    /// Bring back data that was kept under this name, which `history` lists; without --to below what the service is now
    #[arg(long, value_name = "NAME", conflicts_with = "restore_data")]
    data_of: Option<Slot>,
    /// What becomes of the data when the service was started and is not well; what the recipe says when left out
    #[arg(long, value_name = "WHAT", value_parser = on_return)]
    on_return: Option<OnReturn>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "rolled back")]
    reason: String,
    /// Check everything, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Rollback, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let target = match (args.to, &args.data_of) {
        (Some(number), _) => Target::Generation(number),
        (None, Some(_)) => Target::Current,
        (None, None) => Target::LastGood,
    };
    let restore = match &args.data_of {
        Some(slot) => Restore::Of(slot.clone()),
        None if args.restore_data => Restore::Data,
        None => Restore::Nothing,
    };
    let request = Request {
        service: args.service.clone(),
        target,
        cause: Cause::Rollback,
        reason: args.reason.clone(),
        keep: Keep::Logs,
        restore,
        on_return: args.on_return,
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
