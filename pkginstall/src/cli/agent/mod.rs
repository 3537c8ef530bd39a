//! `pkginstall agent`: takes what follows a channel to where that leads.

mod deployment;
mod points;
mod round;
mod service;
mod turn;

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::Context;
use super::wanted::Argument;
use crate::follow::{FollowedChannel, MaintenanceWindow};

pub(super) use points::points_at;

/// The arguments of `agent`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes of --once: 0 everything is what its channel names, or waits for the window; else that of the last \
                  subscription that is not: 1 it failed, 5 the channel names nothing, 7 there is no way from here, 8 it is tried again."
)]
pub(super) struct Agent {
    /// One round, for cron: ask, fetch, apply, and end
    #[arg(long, required = true)]
    once: bool,
    /// Try at once, too, what waits after a setback
    #[arg(long, requires = "once")]
    now: bool,
    /// When changes may be made, such as "Mon-Fri 02:00-04:00" (local time) or "22:00-06:00 UTC"; at any time when left out
    #[arg(long, value_name = "WINDOW")]
    window: Vec<MaintenanceWindow>,
}

impl Agent {
    /// Tells whether it makes one round and ends.
    pub(super) fn is_one_round(&self) -> bool {
        self.once
    }
}

pub(super) fn run(args: &Agent, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let pauses = if args.now { round::Pauses::Ended } else { round::Pauses::Kept };
    round::run(context, &args.window, pauses)
}

/// Returns what `install` is asked for.
fn argument(channel: &FollowedChannel) -> Argument {
    Argument::Named(channel.wanted())
}
