//! `pkginstall store`: what the receiver of snapshots does.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use copkg_spec::command::{Exit, Failure};
use copkg_spec::snapshot::HostName;
use serde_json::json;

use super::Context;
use crate::snapshot::SnapshotError;
use crate::snapshot::store::{Keep, Pruned, hosts_in, prune};

/// The arguments of `store`.
#[derive(Debug, Args)]
pub(super) struct Store {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Remove what no kept snapshot needs; the last snapshot of each host is always kept
    Prune(Prune),
}

#[derive(Debug, Args)]
struct Prune {
    /// The store
    #[arg(value_name = "DIR")]
    store: Utf8PathBuf,
    /// Keep the last snapshot of each of so many days that have one, in UTC
    #[arg(long, value_name = "N")]
    keep_daily: usize,
    /// Keep the last snapshot of each of so many weeks that have one, in UTC
    #[arg(long, value_name = "N")]
    keep_weekly: usize,
    /// Only this host
    #[arg(long, value_name = "NAME")]
    host: Option<HostName>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Store, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let StoreCommand::Prune(args) = &args.command;
    let store = context.working_directory().join(&args.store);
    let keep = Keep { daily: args.keep_daily, weekly: args.keep_weekly };
    let mut hosts = hosts_in(&store)?;
    if let Some(host) = &args.host {
        hosts.retain(|found| found == host);
        if hosts.is_empty() {
            return Err(SnapshotError::UnknownHost { host: host.clone(), store: store.to_string() }.into());
        }
    }
    let (mut done, mut exit) = (Vec::new(), Exit::Ok);
    for host in &hosts {
        match prune(&store, host, keep, args.dry_run) {
            Ok(pruned) => done.push(pruned),
            // One host that is damaged, or pushes, keeps none of the others.
            Err(error) => {
                let failure = Failure::from(error);
                context.report.warn(failure.to_string());
                exit = failure.exit;
            }
        }
    }
    let changed = !args.dry_run && done.iter().any(|pruned| pruned.objects > 0 || !pruned.pruned.is_empty());
    context.report.data(&json!({ "changed": changed, "hosts": done }), || {
        done.iter().map(|pruned| line(pruned, args.dry_run)).collect::<Vec<_>>().join("\n")
    });
    Ok(exit)
}

fn line(pruned: &Pruned, dry_run: bool) -> String {
    let Pruned { host, kept, pruned, objects, bytes } = pruned;
    let removed = if dry_run { "would be removed" } else { "removed" };
    format!(
        "{host}: {} snapshots kept, {} {removed}; {objects} objects, {bytes} bytes",
        kept.len(),
        pruned.len()
    )
}
