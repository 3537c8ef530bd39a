//! `pkginstall unit`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde::Serialize;

use super::Context;
use super::select::{Selector, select};
use super::start::at_site;
use crate::host::Effect;
use crate::service::ServiceError;
use crate::unit::{self, Manager, Purpose, Unit, Units, Verdict};

/// The arguments of `unit`.
#[derive(Debug, Args)]
#[command(
    after_help = "The units are written and looked over; the commands that link and start them are printed, and only run with --apply."
)]
pub(super) struct UnitArgs {
    /// The services, or patterns of services such as *.web.prod.*; all of the prefix if none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<Selector>,
    /// For the systemd of the user instead of that of the host
    #[arg(long)]
    user: bool,
    /// Run the printed commands, too: those for the host need root
    #[arg(long)]
    apply: bool,
    /// Only make them and look them over; nothing stays
    #[arg(long, conflicts_with = "apply")]
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
    let services = select(&args.services, context)?;
    let manager = if args.user { Manager::User } else { Manager::System };
    let program = context.ambient.program.clone().ok_or(ServiceError::Program)?;
    let effect = Effect::of_dry_run(args.dry_run);
    let purpose = Purpose { manager, program: &program, effect };
    let units = at_site(context, |site| unit::write(site, &services, purpose))?;
    for written in &units.units {
        if let Verdict::Wrong { messages } = &written.verdict {
            context.report.warn(format!("{}: {}", written.name, messages.join("; ")));
        }
    }
    if units.units.iter().any(|unit| unit.verdict == Verdict::Unknown) {
        context.report.warn("there is no systemd-analyze here: the units were not looked over");
    }
    if args.apply {
        unit::run_commands(&units.commands).map_err(ServiceError::from)?;
    }
    let document = Document { changed: effect == Effect::Real, applied: args.apply, units: &units };
    context.report.data(&document, || {
        let lines = units.units.iter().map(line);
        let commands =
            units.commands.iter().filter(|_| !args.apply).map(|words| format!("  {}", words.join(" ")));
        lines.chain(commands).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
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
