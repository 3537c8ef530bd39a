//! `pkginstall deploy rollback`: an earlier generation is brought back, all of its services or none.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Label;

use super::super::context::Offline;
use super::super::{Context, interruption};
use super::apply::{Asked, change};
use super::history::known;
use super::packages;
use crate::deploy::{ApplyRequest, DeployError, DeploymentCause, RestoreData};
use crate::generation::{Number, Trial};

/// The arguments of `deploy rollback`.
#[derive(Debug, Args)]
#[command(
    after_help = "It is a change like any other: what it leads to gets a number of its own, and when it fails everything is as before."
)]
pub(super) struct RollbackArgs {
    /// The deployment, by its name here
    #[arg(value_name = "NAME")]
    name: Label,
    /// The generation to bring back; the last good one before this one when left out
    #[arg(long, value_name = "NUMBER")]
    to: Option<Number>,
    /// Bring back the data that its services left, too, where it is kept; what was written since is set aside
    #[arg(long)]
    restore_data: bool,
    /// The repository to ask for packages that are gone: its URL, directory, or name in the configuration [env: `COPKG_REPO`]
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    #[command(flatten)]
    offline: Offline,
    /// Do not ask; needed where nobody sits at a terminal
    #[arg(short, long)]
    yes: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "rolled back")]
    reason: String,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &RollbackArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let store = known(&prefix, &args.name)?;
    let none = || DeployError::NoWayBack { name: args.name.clone() };
    let number = match (args.to, store.current_number()?) {
        (Some(number), _) => number,
        (None, Some(current)) => store.last_good_ancestor(current)?.ok_or_else(none)?,
        (None, None) => return Err(none().into()),
    };
    let desired = store.read(number)?.desired;
    if store.outcome(number)?.state != Trial::Good {
        return Err(DeployError::NeverGood { name: args.name.clone(), number }.into());
    }
    let restore = if args.restore_data { RestoreData::WhatItLeft } else { RestoreData::Nothing };
    let request = ApplyRequest {
        desired,
        cause: DeploymentCause::Rollback,
        reason: args.reason.clone(),
        base: None,
        bring_back: Some(number),
        restore,
    };
    if !args.dry_run {
        interruption::while_fetching(context, |context| {
            packages::obtain_recorded(context, &request.desired, args.offline.network())
        })?;
    }
    let asked = Asked { dry_run: args.dry_run, yes: args.yes, question: "Roll back? [y/N] " };
    change(context, request, &asked)
}
