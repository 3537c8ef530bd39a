//! `pkginstall recover`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::Context;
use super::start::at_site;
use crate::content;
use crate::deploy;
use crate::host::{
    Catalogue, HostError, Intent, LockError, Notice, Operation, Prefix, Recovered, Stuck, stuck,
};
use crate::service::{self, ServiceError};
use crate::unit::{self, Boot, HeldBack};
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
    let contents = content::left_behind(&prefix)?;
    let document = json!({
        "changed": false,
        "left_behind": left,
        "deployments": deployments,
        "services": services,
        "rehearsals": rehearsals,
        "contents": contents,
        "stuck": stuck(&prefix),
    });
    context.report.data(&document, || {
        let services = services.iter().map(ToString::to_string);
        let rehearsals = rehearsals.iter().map(|service| format!("{service}: a rehearsal was cut short"));
        let deployments = deployments.iter().map(ToString::to_string);
        let left = left.iter().filter(|intent| intent.operation != Operation::Deploy).map(line);
        let contents = contents.iter().map(|name| format!("the content {name}: a change was interrupted"));
        left.chain(deployments)
            .chain(services)
            .chain(contents)
            .chain(rehearsals)
            .collect::<Vec<_>>()
            .join("\n")
    });
    if left.is_empty()
        && services.is_empty()
        && rehearsals.is_empty()
        && deployments.is_empty()
        && contents.is_empty()
    {
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
    let (packages, stuck) = recover_packages(&prefix, context)?;
    // First: what is rolled back as one must not be taken apart.
    let (deployments, unrecovered) = at_site(context, |site| Ok::<_, Failure>(deploy::recover_all(site)?))?;
    let (services, mut failures) = at_site(context, |site| Ok::<_, Failure>(upgrade::recover_all(site)?))?;
    let held_back = hold_back(&prefix, &failures, &unrecovered, context);
    let mut rehearsals = upgrade::left_rehearsals(&prefix)?;
    rehearsals.retain(|service| {
        let cleared = at_site(context, |site| upgrade::clear_left_rehearsal(site, service));
        let failed = cleared.err().map(|failure| failures.push((service.clone(), failure)));
        failed.is_none()
    });
    let (contents, unfinished) = at_site(context, |site| content::recover_all(site).map_err(Failure::from))?;
    let nothing = packages.is_empty()
        && services.is_empty()
        && rehearsals.is_empty()
        && deployments.is_empty()
        && contents.is_empty();
    let failed = failures.iter().map(|(_, failure)| failure);
    let failed = failed.chain(unrecovered.iter().chain(&unfinished).map(|(_, failure)| failure));
    let failed: Vec<&Failure> = failed.collect();
    let document = json!({
        "changed": !nothing,
        "recovered": packages,
        "deployments": deployments,
        "services": services,
        "rehearsals": rehearsals,
        "contents": contents,
        "stuck": stuck,
        "failed": failed,
    });
    context.report.data(&document, || {
        let services = services.iter().map(ToString::to_string);
        let rehearsals = rehearsals.iter().map(|service| {
            format!("{service}: what a rehearsal that was cut short left is ended and removed")
        });
        let packages = packages.iter().map(ToString::to_string);
        let deployments = deployments.iter().map(ToString::to_string);
        let contents = contents.iter().map(|name| format!("the content {name}: its change is finished"));
        packages
            .chain(deployments)
            .chain(services)
            .chain(contents)
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
    for (name, failure) in &unfinished {
        context.report.warn(format!("the content {name}: {failure}"));
    }
    // At boot every service waits for this. What could not be recovered is not started; the others are.
    if context.boot == Boot::Now {
        return held_back.map(|()| Exit::Ok);
    }
    if !stuck.is_empty() || !failures.is_empty() || !unrecovered.is_empty() || !unfinished.is_empty() {
        return Ok(Exit::Failure);
    }
    if nothing {
        context.report.note("nothing to recover");
    }
    Ok(Exit::Ok)
}

/// Recovers packages. At boot a command that is at work on them has done so, and nobody waits for it.
fn recover_packages(prefix: &Prefix, context: &mut Context) -> Result<(Vec<Recovered>, Vec<Stuck>), Failure> {
    let mut recovered = Vec::new();
    let (report, wait) = (&mut *context.report, context.settings.wait());
    let locked = Catalogue::lock(prefix, wait, &mut |notice| match notice {
        Notice::Recovered(what) => recovered.push(what),
        Notice::Stuck(_) => {}
        other @ (Notice::Waiting { .. } | Notice::PatchFailed { .. }) => report.note(other.to_string()),
    });
    let stuck = match locked {
        Ok(catalogue) => catalogue.stuck().to_vec(),
        Err(HostError::Lock(LockError::Held { holder, .. })) if context.boot == Boot::Now => {
            context.report.note(format!("packages are left to {holder}, which is at work on them"));
            Vec::new()
        }
        Err(error) => return Err(error.into()),
    };
    Ok((recovered, stuck))
}

/// At boot, keeps systemd from starting services that could not be recovered, by themselves or with their deployment.
fn hold_back(
    prefix: &Prefix,
    failures: &[upgrade::NotRecovered],
    deployments: &[deploy::DeploymentNotRecovered],
    context: &mut Context,
) -> Result<(), Failure> {
    if context.boot != Boot::Now {
        return Ok(());
    }
    let owners = if deployments.is_empty() { None } else { Some(deploy::Owners::read(prefix, None)?) };
    for service in service::known(prefix)? {
        let owner = owners.as_ref().and_then(|owners| owners.of(&service));
        let of_deployment = owner.is_some_and(|owner| deployments.iter().any(|(name, _)| name == owner));
        let failed = failures.iter().any(|(failed, _)| *failed == service);
        if (failed || of_deployment)
            && unit::hold_back(prefix, &service).map_err(ServiceError::from)? == HeldBack::Yes
        {
            context.report.warn(format!("{service} could not be recovered and is not started"));
        }
    }
    Ok(())
}
