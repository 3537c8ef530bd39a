//! `pkginstall diff`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;

use super::Context;
use crate::answers::{self, Comparison, FileChange};
use crate::generation::Number;

/// The arguments of `diff`.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The service: instance.service.user.cell
    #[arg(value_name = "SERVICE")]
    service: ServiceCoordinate,
    /// The one generation
    #[arg(value_name = "N")]
    from: Number,
    /// The other one
    #[arg(value_name = "M")]
    to: Number,
}

pub(super) fn run(args: &Diff, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let comparison = answers::compare(&context.prefix()?, &args.service, args.from, args.to)?;
    context.report.data(&comparison, || describe(&comparison));
    Ok(Exit::Ok)
}

fn describe(comparison: &Comparison) -> String {
    let [from, to] = &comparison.packages;
    let mut lines = Vec::new();
    if !comparison.same_package {
        lines.push(format!("package        {from} → {to}"));
    }
    let line = |name: &str, change: &FileChange| format!("{name:<14} {:<8} {}", change.change, change.path);
    lines.extend(comparison.files.iter().map(|change| line("file", change)));
    for change in &comparison.configuration {
        lines.push(line("configuration", &change.file));
        match &change.diff {
            Some(diff) => lines.push(diff.trim_end().to_owned()),
            None => lines.push("  it may hold a secret, or is no text".into()),
        }
    }
    lines.extend(comparison.parameters_removed.iter().map(|p| format!("parameter      removed  {p}")));
    lines.extend(comparison.parameters_added.iter().map(|p| format!("parameter      added    {p}")));
    if lines.is_empty() {
        lines.push("no difference".into());
    }
    lines.join("\n")
}
