//! `pkginstall deploy down`: every service of a local world is stopped, in the reverse of the order of its start.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::super::super::Context;
use super::{WorldArgs, on_host, stop_all};
use crate::service::Change;

/// The arguments of `deploy down`.
#[derive(Debug, Args)]
#[command(
    after_help = "What the services stored stays, and `deploy up` starts them again; --destroy removes all of it."
)]
pub(in super::super) struct DownArgs {
    #[command(flatten)]
    world: WorldArgs,
    /// Remove the hosts, too: packages, services, and what they stored
    #[arg(long)]
    destroy: bool,
    /// Do not ask before anything is removed
    #[arg(short, long, requires = "destroy")]
    yes: bool,
}

pub(in super::super) fn run(args: &DownArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let world = args.world.open(context)?;
    if args.destroy && !args.yes {
        context.confirm(&format!("Remove {} with everything that was stored? [y/N] ", world.root()))?;
    }
    let (mut stopped, mut last) = (Vec::new(), None);
    for host in world.hosts().iter().rev() {
        match on_host(context, &world, (host, None), stop_all) {
            Ok(outcomes) => stopped.extend(outcomes.into_iter().map(|outcome| (host.clone(), outcome))),
            Err(failure) => {
                if let Some(failure) = last.replace(failure) {
                    context.report.warn(failure.to_string());
                }
            }
        }
    }
    if let Some(failure) = last {
        return Err(failure);
    }
    stopped.retain(|(_, outcome)| outcome.change == Change::Changed);
    let root = world.root().to_owned();
    if args.destroy {
        world.remove()?;
    }
    let rows = stopped.iter().map(|(host, outcome)| json!({ "host": host, "service": outcome.view.service }));
    let rows: Vec<_> = rows.collect();
    let changed = args.destroy || !rows.is_empty();
    context.report.data(&json!({ "changed": changed, "destroyed": args.destroy, "stopped": rows }), || {
        let lines = stopped.iter().map(|(host, outcome)| format!("{host}: {} stopped", outcome.view.service));
        let end = if args.destroy { format!("{root} is removed") } else { format!("{root} is down") };
        lines.chain(std::iter::once(end)).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}
