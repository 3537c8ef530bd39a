//! `pkginstall deploy recreate`: a host of a local world is destroyed and rebuilt from nothing, while the others serve.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::deployment::HostId;

use super::super::super::Context;
use super::hosts::show;
use super::up::{PackageArgs, bring_up, rows};
use super::{WorldArgs, on_host, stop_all, waiting};
use crate::world::World;

/// The arguments of `deploy recreate`.
#[derive(Debug, Args)]
#[command(
    after_help = "The host keeps its address. What its services stored is lost: it is rebuilt from nothing."
)]
pub(in super::super) struct RecreateArgs {
    /// The host
    #[arg(value_name = "HOST")]
    host: HostId,
    #[command(flatten)]
    world: WorldArgs,
    #[command(flatten)]
    pub(in super::super) packages: PackageArgs,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(in super::super) fn run(args: &RecreateArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let place = args.world.place(context)?;
    let about = (&place.deployment, &place.environment);
    let wait = context.wait();
    let world = World::open(&place.root, &place.directory, about, (wait, &mut waiting(context)))?;
    let host = world.chosen(std::slice::from_ref(&args.host))?.remove(0);
    if !args.yes {
        context.confirm(&format!("Destroy {host} with everything that its services stored? [y/N] "))?;
    }
    // What can fail without the host being touched comes first.
    let supply = args.packages.supply(context, &world, &place)?;
    on_host(context, &world, (&host, None), stop_all)?;
    world.destroy(&host)?;
    bring_up(context, (&world, &place), &host, &supply)?;
    let rows = rows(context, &world)?;
    Ok(show(context, &world, true, &rows))
}
