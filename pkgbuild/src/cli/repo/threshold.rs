//! `pkgbuild repo threshold ROLE M`: changes how many keys of a role must sign.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::repository::ceremony::Speakers;

use super::decide::{Decision, reappoint};
use crate::cli::Context;
use crate::repository::AppointError;

#[derive(Debug, Args)]
pub(in crate::cli) struct Threshold {
    /// The role: root, targets, registrar, snapshot, timestamp, online (the last two), or a group
    role: String,
    /// How many of its keys must sign
    #[arg(value_name = "M")]
    needed: u32,
    #[command(flatten)]
    decision: Decision,
}

pub(super) fn run(args: &Threshold, context: &mut Context) -> Result<Exit, Failure> {
    args.decision.carry_out(context, |view, _| {
        reappoint(&args.role, view, |today| {
            Ok(Speakers::new(today.keys().to_vec(), args.needed).map_err(AppointError::from)?)
        })
    })
}
