//! `pkginstall deploy remove`: the services of a deployment are stopped, as one; they and their data are kept for a while.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Label;

use super::super::Context;
use super::apply::{Asked, change};
use super::history::known;
use crate::deploy::{ApplyRequest, DeployError, DeploymentCause, Desired, RestoreData};

/// The arguments of `deploy remove`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is deleted: `deploy rollback` brings everything back until `gc` forgets the services, and even then what they stored is set aside."
)]
pub(super) struct RemoveArgs {
    /// The deployment, by its name here
    #[arg(value_name = "NAME")]
    name: Label,
    /// Do not ask; needed where nobody sits at a terminal
    #[arg(short, long)]
    yes: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "removed")]
    reason: String,
    /// Only say what would be stopped
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &RemoveArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let store = known(&context.prefix()?, &args.name)?;
    let none = || DeployError::NoWayBack { name: args.name.clone() };
    let current = store.current()?.ok_or_else(none)?;
    let request = ApplyRequest {
        desired: Desired { services: Vec::new(), ..current.desired },
        cause: DeploymentCause::Remove,
        reason: args.reason.clone(),
        base: None,
        bring_back: None,
        restore: RestoreData::Nothing,
    };
    let asked = Asked { dry_run: args.dry_run, yes: args.yes, question: "Remove? [y/N] " };
    change(context, request, &asked)
}
