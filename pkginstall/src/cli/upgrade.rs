//! `pkginstall upgrade`: fetched and staged while the old one runs, then changed in one go.

use std::convert::Infallible;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::manifest::OnReturn;
use serde_json::{Value, json};

use super::context::Offline;
use super::select::{Selector, select};
use super::start::at_site;
use super::wanted::Argument;
use super::{Context, interruption};
use crate::configure::Accept;
use crate::gc::{self, RETAINED};
use crate::generation::{Cause, GenerationError, Generations};
use crate::host::Effect;
use crate::interrupt;
use crate::receipts;
use crate::upgrade::{
    self, Done, Keep, Rehearsable, Rehearsed, Reload, Request, Restore, Slot, Target, UpgradeError,
};

/// The arguments of `upgrade`.
#[derive(Debug, Args)]
#[command(
    after_help = "A failed upgrade is rolled back: the old version, its data and its configuration are as they were. What the new one wrote is set aside.\nOther parameters follow two dashes; without them it keeps those that it has."
)]
pub(super) struct Upgrade {
    /// The services, or patterns of services such as *.web.prod.*: one after the other, in the order in which they start
    #[arg(value_name = "SERVICE", required = true)]
    services: Vec<Selector>,
    /// Of several services, leave the rest alone when one fails
    #[arg(long)]
    stop_at_failure: bool,
    /// The version, or the package file, to change to; the newest when left out
    #[arg(long, value_name = "VERSION|FILE")]
    to: Option<String>,
    /// The channel whose version to change to
    #[arg(long, value_name = "NAME", conflicts_with = "to")]
    channel: Option<String>,
    /// The repository to ask: its URL, directory, or name in the configuration [env: `COPKG_REPO`]
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    #[command(flatten)]
    offline: Offline,
    /// Only what `rehearse` tried with success, down to the digests; with a file: on another host, as trusted keys say in it
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[allow(clippy::option_option, reason = "not asked for, what passed here, what a file says")]
    rehearsed: Option<Option<Utf8PathBuf>>,
    /// Whose side to take where a change of the configuration by hand contradicts that of the package
    #[arg(long, value_name = "SIDE")]
    accept: Option<Accept>,
    /// What becomes of the data when the new version was started and is not well; what its recipe says when left out
    #[arg(long, value_name = "WHAT", value_parser = on_return)]
    on_return: Option<OnReturn>,
    /// Bring back data that was kept under this name, which `history` lists
    #[arg(long, value_name = "NAME")]
    data_of: Option<Slot>,
    /// Keep what a failed version stored, beside its logs
    #[arg(long)]
    keep_failed: bool,
    /// How many generations to keep beside the current and the last good one
    #[arg(long, value_name = "NUMBER", default_value_t = RETAINED)]
    retain: usize,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "upgraded")]
    reason: String,
    /// Check everything, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// What the start script is given from now on: --name=value …
    #[arg(last = true, value_name = "PARAMETER")]
    parameters: Vec<String>,
}

pub(super) fn run(args: &Upgrade, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let services = select(&args.services, context)?;
    if services.len() > 1 && !args.parameters.is_empty() {
        return Err(UpgradeError::SharedParameters { services: services.len() }.into());
    }
    if let [service] = &services[..] {
        let (document, text) = upgrade_one(args, service, context)?;
        context.report.data(&document, || text);
        return Ok(Exit::Ok);
    }
    Ok(upgrade_each(args, &services, context))
}

/// Upgrades one service after the other. A failure does not stop the rest unless that was asked for; the last one is the
/// command's.
fn upgrade_each(args: &Upgrade, services: &[ServiceCoordinate], context: &mut Context<'_>) -> Exit {
    let (mut documents, mut texts, mut exit) = (Vec::new(), Vec::new(), Exit::Ok);
    for service in services {
        match upgrade_one(args, service, context) {
            Ok((document, text)) => {
                documents.push(document);
                texts.push(text);
            }
            Err(failure) => {
                context.report.warn(failure.to_string());
                documents.push(json!({ "changed": false, "service": service, "error": failure }));
                exit = failure.exit;
                if args.stop_at_failure || interrupt::signal_so_far().is_some() {
                    break;
                }
            }
        }
    }
    let changed = documents.iter().any(|document| document["changed"] == true);
    let untouched = &services[documents.len()..];
    if !untouched.is_empty() {
        let names: Vec<String> = untouched.iter().map(ToString::to_string).collect();
        context.report.warn(format!("not upgraded, since one failed before: {}", names.join(", ")));
    }
    let document = json!({ "changed": changed, "services": documents, "untouched": untouched });
    context.report.data(&document, || texts.join("\n"));
    exit
}

/// Upgrades one service, and returns what is said of it.
fn upgrade_one(
    args: &Upgrade,
    service: &ServiceCoordinate,
    context: &mut Context<'_>,
) -> Result<(Value, String), Failure> {
    let prefix = context.prefix()?;
    let wanted = wanted(context, service, args.to.as_deref(), args.channel.as_deref())?;
    let effect = Effect::of_dry_run(args.dry_run);
    let package = interruption::obtain_one(context, &wanted, args.offline.network(), effect)?;
    let request = request(args, service, &package);
    if args.dry_run {
        return dry_run(context, &request, &package);
    }
    if let Some(verdict) = &args.rehearsed {
        let parameters = Some(&args.parameters[..]).filter(|given| !given.is_empty());
        let now = (context.ambient.clock)();
        let change = Rehearsable { service, package: &package, parameters, now };
        match verdict {
            None => Rehearsed::check_own(&prefix, change)?,
            Some(file) => upgrade::check_attested(&prefix, &context.working_directory().join(file), change)?,
        }
    }
    let done = at_site(context, |site| upgrade::upgrade(site, &request))?;
    if done.to.is_some() {
        // The upgrade is done: that something could not be removed is no failure of it.
        let swept = at_site(context, |site| gc::retain(site, service, args.retain));
        if let Err(failure) = swept {
            context.report.warn(format!("what is not needed any more stays: {}", failure.message));
        }
    }
    Ok(described(&done, "runs that already"))
}

fn request(args: &Upgrade, service: &ServiceCoordinate, package: &PackageCoordinate) -> Request {
    let parameters = Some(args.parameters.clone()).filter(|given| !given.is_empty());
    Request {
        service: service.clone(),
        target: Target::Package { package: package.clone(), parameters },
        cause: Cause::Upgrade,
        reason: args.reason.clone(),
        keep: if args.keep_failed { Keep::Everything } else { Keep::Logs },
        restore: args.data_of.clone().map_or(Restore::Nothing, Restore::Of),
        on_return: args.on_return,
        accept: args.accept,
        reload: Reload::Never,
        asked: Some(match (&args.to, &args.channel) {
            (Some(to), _) => format!("--to {to}"),
            (None, Some(channel)) => format!("--channel {channel}"),
            (None, None) => "the newest version".into(),
        }),
    }
}

/// Reads what becomes of data.
pub(super) fn on_return(text: &str) -> Result<OnReturn, String> {
    let all = [OnReturn::Restore, OnReturn::Keep];
    all.into_iter().find(|one| one.word() == text).ok_or_else(|| "it is restore or keep".into())
}

/// Says what `install` has to find for a version, a channel or a file. Without either: the newest version.
pub(super) fn wanted(
    context: &Context<'_>,
    service: &ServiceCoordinate,
    to: Option<&str>,
    channel: Option<&str>,
) -> Result<Argument, Failure> {
    let none = || GenerationError::None { service: service.clone() };
    let current = Generations::of(&context.prefix()?, service).current()?.ok_or_else(none)?.package;
    let name = format!("{}:{}", current.group(), current.id());
    let text = match (to, channel) {
        (Some(file), _) if file.contains('/') || Utf8Path::new(file).extension() == Some("copkg") => {
            file.to_owned()
        }
        (Some(version), _) => format!("{name}:{version}"),
        (None, Some(channel)) => format!("{name}@{channel}"),
        (None, None) => name,
    };
    Ok(text.parse().unwrap_or_else(|never: Infallible| match never {}))
}

/// What is not installed cannot be planned with: that it is there and trusted is what can be said.
fn dry_run(
    context: &mut Context<'_>,
    request: &Request,
    package: &PackageCoordinate,
) -> Result<(Value, String), Failure> {
    let installed = receipts::read(&context.prefix()?, package)?.is_some();
    let would = if installed {
        at_site(context, |site| upgrade::check(site, request))?
    } else {
        Some(package.clone())
    };
    let document = json!({ "changed": false, "service": request.service, "would_change_to": would });
    let text = match &would {
        Some(package) => format!("{} would change to {package}", request.service),
        None => format!("{} runs that already", request.service),
    };
    Ok((document, text))
}

/// Reports what came of a change.
pub(super) fn report(context: &mut Context<'_>, done: &Done, nothing: &str) {
    let (document, text) = described(done, nothing);
    context.report.data(&document, || text);
}

/// Says what came of a change, for programs and for people.
fn described(done: &Done, nothing: &str) -> (Value, String) {
    let view = &done.view;
    let downtime = done.downtime.map(|downtime| downtime.as_millis());
    let number = |generation: &Option<crate::generation::Generation>| generation.as_ref().map(|g| g.number);
    let document = json!({
        "changed": done.to.is_some(),
        "service": view.service,
        "from": number(&done.from),
        "to": number(&done.to),
        "downtime_milliseconds": downtime,
        "set_aside": done.set_aside,
        "now": view,
    });
    let text = || {
        let Some(to) = &done.to else { return format!("{} {nothing}", view.service) };
        let from = done.from.as_ref().map(|from| format!(" (before: {})", from.package)).unwrap_or_default();
        let down = downtime.map(|ms| format!(", down for at most {ms} ms")).unwrap_or_default();
        let aside = done.set_aside.as_ref().map(|aside| format!("\n{aside}")).unwrap_or_default();
        format!("{} is {}, generation {}{from}{down}{aside}", view.service, to.package, to.number)
    };
    (document, text())
}
