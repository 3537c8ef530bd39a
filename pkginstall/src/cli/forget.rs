//! `pkginstall forget`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;
use serde_json::json;

use super::Context;
use super::start::at_site;
use crate::service::{self, Forgotten};

/// The arguments of `forget`.
#[derive(Debug, Args)]
#[command(after_help = "What a service stored is moved to a directory that is named, and never deleted.")]
pub(super) struct Forget {
    /// The services, each by its whole name; none of them may run
    #[arg(value_name = "SERVICE", required = true)]
    services: Vec<ServiceCoordinate>,
    /// Do not ask; needed where nobody sits at a terminal
    #[arg(short, long)]
    yes: bool,
    /// Only say what would be removed and set aside
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Forget, context: &mut Context<'_>) -> Result<Exit, Failure> {
    // All of them are looked at before the first goes.
    let mut planned = Vec::new();
    for name in &args.services {
        planned.push(at_site(context, |site| service::check_forget(site, name))?);
    }
    if args.dry_run {
        return Ok(report(context, &planned, Tense::Would));
    }
    if !args.yes {
        if context.ambient.ask.is_some() {
            for one in &planned {
                context.report.note(line(one, Tense::Would));
            }
        }
        context.confirm("Forget? [y/N] ")?;
    }
    let mut forgotten = Vec::new();
    for name in &args.services {
        forgotten.push(at_site(context, |site| service::forget(site, name))?);
    }
    Ok(report(context, &forgotten, Tense::Did))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tense {
    Would,
    Did,
}

fn report(context: &mut Context<'_>, services: &[Forgotten], tense: Tense) -> Exit {
    let document = json!({ "changed": tense == Tense::Did, "services": services });
    let lines = || services.iter().map(|one| line(one, tense)).collect::<Vec<_>>().join("\n");
    context.report.data(&document, lines);
    Exit::Ok
}

fn line(one: &Forgotten, tense: Tense) -> String {
    let (forgotten, is_in) = match tense {
        Tense::Would => ("would be forgotten", "would be set aside in"),
        Tense::Did => ("forgotten", "is set aside in"),
    };
    let unit = one.unit.as_ref().map(|unit| format!(", with its unit {unit}")).unwrap_or_default();
    let stored = match &one.set_aside {
        Some(place) => format!("; what it stored {is_in} {place}"),
        None => "; it stored nothing".into(),
    };
    format!("{} {forgotten}{unit}{stored}", one.service)
}
