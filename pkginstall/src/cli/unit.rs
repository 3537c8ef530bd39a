//! `pkginstall unit`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;
use serde::Serialize;
use serde_json::json;

use super::Context;
use super::agent::Rounds;
use super::owner::quoted;
use super::select::{Selector, select};
use super::start::{Tense, at_site};
use super::stop::{each, finish};
use crate::follow::MaintenanceWindow;
use crate::host::Effect;
use crate::service;
use crate::unit::{self, Manager, NotHandedOver, Purpose, Unit, Units, Verdict};

/// The arguments of `unit`.
#[derive(Debug, Args)]
#[command(
    after_help = "The units are written and looked over; the commands that copy and start them are printed, and only run with \
                  --apply. What runs is handed over then; what does not start below systemd is started natively again."
)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct UnitArgs {
    /// The services, or patterns of services such as *.web.prod.*; all of the prefix if none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<Selector>,
    /// The unit of the agent of this prefix instead
    #[arg(long, conflicts_with_all = ["services", "remove", "name", "apply"])]
    agent: bool,
    /// Of the agent: how long after the beginning of one round the next one begins, in seconds; 300 when left out
    #[arg(long, value_name = "SECONDS", requires = "agent")]
    interval: Option<u64>,
    /// Of the agent: when changes may be made, such as "Mon-Fri 02:00-04:00"; at any time when left out
    #[arg(long, value_name = "WINDOW", requires = "agent")]
    window: Vec<MaintenanceWindow>,
    /// For the systemd of the user instead of that of the host
    #[arg(long, conflicts_with = "remove")]
    user: bool,
    /// Do what the printed commands do, too: for the host that needs root
    #[arg(long)]
    apply: bool,
    /// Take the units of the named services away: what runs below them is started natively
    #[arg(long, requires = "services", conflicts_with = "apply")]
    remove: bool,
    /// Only print the names of the units of the named services, for a drop-in before the first start
    #[arg(long, requires = "services", conflicts_with_all = ["apply", "remove", "dry_run"])]
    name: bool,
    /// Only make them and look them over; nothing stays
    #[arg(long, conflicts_with_all = ["apply", "remove"])]
    dry_run: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    changed: bool,
    applied: bool,
    #[serde(flatten)]
    units: &'a Units,
}

pub(super) fn run(args: &UnitArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let manager = if args.user { Manager::User } else { Manager::System };
    let effect = Effect::of_dry_run(args.dry_run);
    if args.agent {
        let words = Rounds::new(args.interval, &args.window).agent_words()?;
        let units = at_site(context, |site| unit::write_agent(site, &words, Purpose { manager, effect }))?;
        tell(context, &units);
        return report(context, args, &units, &[]);
    }
    let services = select(&args.services, context)?;
    if args.name {
        return names(&services, context);
    }
    if args.remove {
        let (outcomes, failures) =
            each(&services, |name| at_site(context, |site| service::hand_back(site, name)));
        return finish(
            context,
            &outcomes,
            failures,
            Tense { done: "has no unit any more", nothing: "has no unit" },
        );
    }
    let units = at_site(context, |site| unit::write(site, &services, Purpose { manager, effect }))?;
    tell(context, &units);
    let failed = if args.apply { at_site(context, |site| unit::apply(site, &units))? } else { Vec::new() };
    report(context, args, &units, &failed)
}

/// Says what is wrong with units.
fn tell(context: &mut Context<'_>, units: &Units) {
    for written in &units.units {
        if let Verdict::Wrong { messages, .. } = &written.verdict {
            context.report.warn(format!("{}: {}", written.name, messages.join("; ")));
        }
    }
    if units.units.iter().any(|unit| unit.verdict == Verdict::Unknown) {
        context.report.warn("there is no systemd-analyze here: the units were not looked over");
    }
}

/// Reports the units, and what could not be handed over to them.
fn report(
    context: &mut Context<'_>,
    args: &UnitArgs,
    units: &Units,
    failed: &[NotHandedOver],
) -> Result<Exit, Failure> {
    let changed = !args.dry_run;
    let mut failures: Vec<Failure> = failed.iter().map(|(_, error)| Failure::of(error)).collect();
    let last = failures.pop();
    for failure in failures {
        context.report.warn(failure.to_string());
    }
    let document = Document { changed, applied: args.apply, units };
    // With --json a failure is the one document.
    if last.is_none() || !context.report.is_json() {
        context.report.data(&document, || {
            let lines = units.units.iter().map(line);
            let commands = units.commands.iter().filter(|_| !args.apply).map(|words| command(words));
            lines.chain(commands).collect::<Vec<_>>().join("\n")
        });
    }
    last.map_or(Ok(Exit::Ok), Err)
}

fn names(services: &[ServiceCoordinate], context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let names: Vec<String> = services.iter().map(|service| unit::unit_name(&prefix, service)).collect();
    context.report.data(&json!({ "names": names }), || names.join("\n"));
    Ok(Exit::Ok)
}

/// A command line for a shell.
fn command(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("  {}", words.join(" "))
}

fn line(unit: &Unit) -> String {
    let verdict = match &unit.verdict {
        Verdict::Fine { exposure: Some(exposure) } => format!("exposure {exposure} of 10"),
        Verdict::Fine { exposure: None } => "fine".into(),
        Verdict::Wrong { .. } => "wrong".into(),
        Verdict::Unknown => "not looked over".into(),
    };
    format!("{}  {verdict}", unit.path)
}
