//! `pkginstall gc`.

use std::time::Duration;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::PackageCoordinate;
use serde_json::json;

use super::Context;
use super::start::at_site;
use crate::gc::{self, Packages, Pinned, RETAINED, Survey, Sweep, Swept};
use crate::host::Effect;
use crate::receipts;

/// The arguments of `gc`.
#[derive(Debug, Args)]
pub(super) struct Gc {
    /// How many generations of each service to keep beside the current and the last good one
    #[arg(long, value_name = "NUMBER", default_value_t = RETAINED)]
    keep: usize,
    /// Remove every package that no service needs and nobody pinned, not only those of removed generations
    #[arg(long)]
    unused: bool,
    /// Say why a package is kept, and remove nothing
    #[arg(long, value_name = "COORD", conflicts_with_all = ["unused", "pin", "unpin"])]
    why: Option<PackageCoordinate>,
    /// Keep a package from now on, and remove nothing
    #[arg(long, value_name = "COORD", conflicts_with_all = ["unused", "unpin"])]
    pin: Option<PackageCoordinate>,
    /// Do not keep a package any longer only because it was pinned; removes nothing
    #[arg(long, value_name = "COORD", conflicts_with = "unused")]
    unpin: Option<PackageCoordinate>,
    /// How long to keep data that was set aside, such as 30d or 12h; until the time that was said when it was [config: `keep_data_days`]
    #[arg(long, value_name = "TIME", value_parser = time)]
    keep_data: Option<Duration>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Gc, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    if let Some(package) = &args.why {
        return explain(context, package, args.keep);
    }
    if let Some(package) = args.pin.as_ref().or(args.unpin.as_ref()) {
        let list = || gc::pins(&prefix).map(|pins| pins.contains(package));
        let wanted = args.pin.is_some();
        let changed = match (args.dry_run, wanted) {
            (true, _) => list()? != wanted,
            (false, true) => gc::pin(&prefix, package)? == Pinned::Now,
            (false, false) => gc::unpin(&prefix, package)? == Pinned::Now,
        };
        let state = if wanted { "pinned" } else { "not pinned" };
        let document = json!({ "changed": changed && !args.dry_run, "package": package, "pinned": wanted });
        context.report.data(&document, || format!("{package} is {state}"));
        return Ok(Exit::Ok);
    }
    let packages = if args.unused { Packages::Unused } else { Packages::OfGenerations };
    let sweep = Sweep { retain: args.keep, packages, keep_data: args.keep_data };
    let effect = Effect::of_dry_run(args.dry_run);
    let swept = at_site(context, |site| gc::sweep(site, sweep, effect))?;
    let changed = effect == Effect::Real && !swept.is_nothing();
    let document = json!({ "changed": changed, "dry_run": args.dry_run, "removed": swept });
    context.report.data(&document, || describe(&swept));
    if swept.is_nothing() {
        context.report.note("nothing to remove");
    }
    Ok(if swept.failed.is_empty() { Exit::Ok } else { Exit::Failure })
}

fn explain(context: &mut Context<'_>, package: &PackageCoordinate, keep: usize) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    receipts::require(&prefix, package)?;
    let reasons = Survey::of(&prefix, keep)?.reasons(package);
    context.report.data(
        &json!({ "package": package, "kept": !reasons.is_empty(), "reasons": reasons }),
        || {
            if reasons.is_empty() {
                return format!("nothing needs {package}: `pkginstall gc --unused` removes it");
            }
            reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        },
    );
    Ok(Exit::Ok)
}

/// Reads a time such as `30d`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = |error: jiff::Error| format!("{error}; such as 30d or 12h");
    let span: jiff::Span = text.parse().map_err(wrong)?;
    let time = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(wrong)?;
    Duration::try_from(time).map_err(wrong)
}

fn describe(swept: &Swept) -> String {
    let data = swept.data.iter().map(|gone| format!("data of {}, generation {}", gone.service, gone.number));
    let packages = swept.packages.iter().map(ToString::to_string);
    let generations =
        swept.generations.iter().map(|gone| format!("{}, generation {}", gone.service, gone.number));
    let set_aside =
        swept.set_aside.iter().map(|aside| format!("{}, set aside {:.0}", aside.path, aside.time));
    let edits = swept.edits.iter().map(|aside| format!("{}, set aside {:.0}", aside.path, aside.time));
    let retired =
        swept.retired.iter().map(|gone| format!("{}, which its deployment no longer names", gone.service));
    let deployments = swept
        .deployments
        .iter()
        .map(|gone| format!("the deployment {}, generation {}", gone.deployment, gone.number));
    data.chain(deployments)
        .chain(retired)
        .chain(set_aside)
        .chain(edits)
        .chain(packages)
        .chain(generations)
        .collect::<Vec<_>>()
        .join("\n")
}
