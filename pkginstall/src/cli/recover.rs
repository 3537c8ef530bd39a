//! `pkginstall recover`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::Context;
use super::context::describe;
use crate::host::{Catalogue, Intent, Notice, Operation};

/// The arguments of `recover`.
#[derive(Debug, Args)]
pub(super) struct Recover {
    /// Only say what was left behind
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Recover, context: &mut Context) -> Result<Exit, Failure> {
    if args.dry_run { look(context) } else { recover(context) }
}

/// Says what dead commands left.
fn look(context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let (report, wait) = (&mut *context.report, context.settings.wait());
    let left = Catalogue::left_behind(&prefix, wait, &mut |notice| report.note(describe(&notice)))?;
    let document = json!({ "changed": false, "left_behind": left });
    context.report.data(&document, || left.iter().map(line).collect::<Vec<_>>().join("\n"));
    if left.is_empty() {
        context.report.note("nothing to recover");
    }
    Ok(Exit::Ok)
}

fn line(intent: &Intent) -> String {
    let what = match intent.operation {
        Operation::Install => "an installation",
        Operation::Remove => "a removal",
    };
    format!("{}: {what} was cut short, begun {}", intent.package, intent.started)
}

fn recover(context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let mut recovered = Vec::new();
    let (report, wait) = (&mut *context.report, context.settings.wait());
    Catalogue::lock(&prefix, wait, &mut |notice| match notice {
        Notice::Recovered(what) => recovered.push(what),
        waiting @ Notice::Waiting { .. } => report.note(describe(&waiting)),
    })?;
    let document = json!({ "changed": !recovered.is_empty(), "recovered": recovered });
    context
        .report
        .data(&document, || recovered.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    if recovered.is_empty() {
        context.report.note("nothing to recover");
    }
    Ok(Exit::Ok)
}
