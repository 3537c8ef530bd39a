//! `pkginstall repair`: fetches what `verify` finds damaged, and replaces it while services run.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::PackageCoordinate;
use serde_json::json;

use super::Context;
use super::context::Offline;
use super::install::repair_all;
use super::verify::differences;
use super::wanted::Argument;
use crate::receipts;
use crate::repository::Wanted;

/// The arguments of `repair`.
#[derive(Debug, Args)]
#[command(
    after_help = "Services may run meanwhile: what they have open stays as it is, `restart` gives them the whole files."
)]
pub(super) struct RepairArgs {
    /// The packages, as group:id:version
    #[arg(value_name = "COORD", required_unless_present_any = ["all", "from"])]
    packages: Vec<PackageCoordinate>,
    /// Every installed package
    #[arg(long, conflicts_with = "packages")]
    all: bool,
    /// Take what is damaged from this package file, where no repository has it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["packages", "all", "dry_run"])]
    from: Option<Argument>,
    /// The repository to ask: its URL, directory, or name in the configuration [env: `COPKG_REPO`]
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    #[command(flatten)]
    offline: Offline,
    /// Only say what is damaged
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &RepairArgs, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let packages = if args.all { receipts::list(&prefix)? } else { args.packages.clone() };
    let mut damaged = Vec::new();
    for package in packages {
        let found = differences(&prefix, &package)?;
        if found.is_empty() {
            context.report.note(format!("{package}: as signed"));
        } else {
            damaged.push((package, found));
        }
    }
    if args.dry_run {
        let rows: Vec<_> =
            damaged.iter().map(|(p, found)| json!({ "package": p, "differences": found })).collect();
        let lines = || damaged.iter().map(|(p, found)| format!("{p}: {} would be replaced", found.len()));
        context
            .report
            .data(&json!({ "changed": false, "packages": rows }), || lines().collect::<Vec<_>>().join("\n"));
        return Ok(Exit::Ok);
    }
    let named = damaged.into_iter().map(|(package, _)| Argument::Named(Wanted::Exactly(package)));
    let what: Vec<Argument> = args.from.clone().into_iter().chain(named).collect();
    let rows = if what.is_empty() { Vec::new() } else { repair_all(context, &what, args.offline.network())? };
    let changed = rows.iter().any(|row| row.outcome == "repaired");
    context.report.data(&json!({ "changed": changed, "packages": rows }), || {
        rows.iter().map(super::row::Row::text).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}
