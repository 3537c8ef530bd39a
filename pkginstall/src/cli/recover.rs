//! `pkginstall recover`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::Context;
use super::start::at_site;
use crate::deploy;
use crate::host::{Catalogue, Intent, Notice, Operation, stuck};
use crate::unit::Boot;
use crate::upgrade;

/// The arguments of `recover`.
#[derive(Debug, Args)]
pub(super) struct Recover {
    /// Only say what was left behind
    #[arg(long)]
    dry_run: bool,
    /// For the unit that systemd runs at boot: what it is about to start is put right and left to it, and what another
    /// command is at work on is left to that
    #[arg(long, conflicts_with = "dry_run")]
    boot: bool,
}

pub(super) fn run(args: &Recover, context: &mut Context) -> Result<Exit, Failure> {
    if args.dry_run {
        return look(context);
    }
    if args.boot {
        context.boot = Boot::Now;
    }
    recover(context)
}

/// Says what dead commands left.
fn look(context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let (report, wait) = (&mut *context.report, context.settings.wait());
    let left = Catalogue::left_behind(&prefix, wait, &mut |notice| report.note(notice.to_string()))?;
    let services = upgrade::left_behind(&prefix)?;
    let rehearsals = upgrade::left_rehearsals(&prefix)?;
    let deployments = deploy::left_behind(&prefix)?;
    let document = json!({
        "changed": false,
        "left_behind": left,
        "deployments": deployments,
        "services": services,
        "rehearsals": rehearsals,
        "stuck": stuck(&prefix),
    });
    context.report.data(&document, || {
        let services = services.iter().map(ToString::to_string);
        let rehearsals = rehearsals.iter().map(|service| format!("{service}: a rehearsal was cut short"));
        let deployments = deployments.iter().map(ToString::to_string);
        let left = left.iter().filter(|intent| intent.operation != Operation::Deploy).map(line);
        left.chain(deployments).chain(services).chain(rehearsals).collect::<Vec<_>>().join("\n")
    });
    if left.is_empty() && services.is_empty() && rehearsals.is_empty() && deployments.is_empty() {
        context.report.note("nothing to recover");
    }
    Ok(Exit::Ok)
}

fn line(intent: &Intent) -> String {
    let what = match intent.operation {
        Operation::Install => "an installation",
        Operation::Remove => "a removal",
        Operation::Repair => "a repair",
        Operation::Deploy => "a deployment",
        Operation::Discard => "the deletion of its files",
    };
    format!("{}: {what} was cut short, begun {}", intent.package, intent.started)
}

fn recover(context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let mut recovered = Vec::new();
    let (report, wait) = (&mut *context.report, context.settings.wait());
    let catalogue = Catalogue::lock(&prefix, wait, &mut |notice| match notice {
        Notice::Recovered(what) => recovered.push(what),
        Notice::Stuck(_) => {}
        other @ (Notice::Waiting { .. } | Notice::PatchFailed { .. }) => report.note(other.to_string()),
    })?;
    let stuck = catalogue.stuck().to_vec();
    drop(catalogue);
    // First: what is rolled back as one must not be taken apart.
    let (deployments, unrecovered) = at_site(context, |site| Ok::<_, Failure>(deploy::recover_all(site)?))?;
    let (services, mut failures) = at_site(context, |site| Ok::<_, Failure>(upgrade::recover_all(site)?))?;
    let mut rehearsals = upgrade::left_rehearsals(&prefix)?;
    rehearsals.retain(|service| {
        let cleared = at_site(context, |site| upgrade::clear_left_rehearsal(site, service));
        let failed = cleared.err().map(|failure| failures.push((service.clone(), failure)));
        failed.is_none()
    });
    let nothing =
        recovered.is_empty() && services.is_empty() && rehearsals.is_empty() && deployments.is_empty();
    let failed = failures.iter().map(|(_, failure)| failure);
    let failed: Vec<&Failure> = failed.chain(unrecovered.iter().map(|(_, failure)| failure)).collect();
    let document = json!({
        "changed": !nothing,
        "recovered": recovered,
        "deployments": deployments,
        "services": services,
        "rehearsals": rehearsals,
        "stuck": stuck,
        "failed": failed,
    });
    context.report.data(&document, || {
        let services = services.iter().map(ToString::to_string);
        let rehearsals = rehearsals.iter().map(|service| {
            format!("{service}: what a rehearsal that was cut short left is ended and removed")
        });
        recovered
            .iter()
            .map(ToString::to_string)
            .chain(deployments.iter().map(ToString::to_string))
            .chain(services)
            .chain(rehearsals)
            .collect::<Vec<_>>()
            .join("\n")
    });
    for stuck in &stuck {
        context.report.warn(stuck.to_string());
    }
    for (service, failure) in &failures {
        context.report.warn(format!("{service}: {failure}"));
    }
    for (name, failure) in &unrecovered {
        context.report.warn(format!("the deployment {name}: {failure}"));
    }
    if !stuck.is_empty() || !failures.is_empty() || !unrecovered.is_empty() {
        return Ok(Exit::Failure);
    }
    if nothing {
        context.report.note("nothing to recover");
    }
    Ok(Exit::Ok)
}
